"""Starts the chat server and its moderation on ports of their own, and talks to them. Every wait has an end."""

import os
import re
import shlex
import signal
import socket
import subprocess
import time

PROGRAM = os.environ.get("CHAT", os.path.join(os.path.dirname(__file__), "..", "target", "chat"))
# For instance valgrind, before the program.
RUNNER = shlex.split(os.environ.get("CHAT_RUNNER", ""))
# How much slower it is than usual, for what waits.
SLOWER = float(os.environ.get("CHAT_SLOWER", "1"))


class Process:
    """The program in one of its modes; stopped by its own pid."""

    def __init__(self, *options: object):
        words = [str(word) for option in options for word in ([option] if not isinstance(option, tuple) else option)]
        self.process = subprocess.Popen([*RUNNER, PROGRAM, *words], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)$", line.strip())
        if not found:
            self.process.kill()
            raise AssertionError(f"no port in {line!r}")
        self.port = int(found[1])

    def end(self, how: int = signal.SIGTERM) -> str:
        """Ends it; what it printed. It has to end by itself, and well."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            printed, _ = self.process.communicate(timeout=20 * SLOWER)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise AssertionError("it did not end") from None
        if self.process.returncode != 0 and how != signal.SIGKILL:
            raise AssertionError(f"exit status {self.process.returncode}")
        return printed

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.returncode is None:
            self.end(signal.SIGKILL if kind else signal.SIGTERM)


class Moderation(Process):
    def __init__(self, port: int = 0, latency_ms: int = 1, fail_percent: int = 0):
        super().__init__("--moderation", ("--port", port), ("--latency-ms", latency_ms), ("--fail-percent", fail_percent))

    def tell(self, command: str) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as line:
            line.sendall(command.encode() + b"\n")
            assert line.recv(100) == b"OK\n"


class Chat(Process):
    """With limits that nobody meets, but for those that are given."""

    def __init__(self, moderator: int = 1, **options: int):
        told = {"user_rate": 10_000, "user_burst": 10_000, "total_rate": 100_000, "total_burst": 100_000, "warm_up_ms": 0}
        told |= options
        words = [(f"--{name.replace('_', '-')}", value) for name, value in told.items()]
        self.clients: list[Client] = []
        super().__init__(("--port", 0), ("--moderator", moderator), *words)

    def client(self, name: str | None = None, room: str | None = None) -> "Client":
        client = Client(self.port)
        self.clients.append(client)
        if name:
            assert client.ask(f"NICK {name}") == "OK"
        if room:
            assert client.ask(f"JOIN {room}") == "OK"
        return client

    def __exit__(self, *how):
        super().__exit__(*how)
        for client in self.clients:
            client.close()

    def stats(self) -> dict[str, str]:
        with Client(self.port) as client:
            return client.stats()


class Client:
    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10 * SLOWER)
        self.received = b""
        self.heard: list[str] = []

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def line(self) -> str:
        """The next line; empty where the server has closed."""
        while b"\n" not in self.received:
            more = self.socket.recv(65536)
            if not more:
                return ""
            self.received += more
        line, self.received = self.received.split(b"\n", 1)
        return line.decode()

    def answer(self) -> str:
        """The next answer; what others said before it goes to `heard`."""
        while (line := self.line()).startswith(("MSG ", "UNCHECKED ")):
            self.heard.append(line)
        return line

    def ask(self, command: str) -> str:
        self.send(command + "\n")
        return self.answer()

    def hear(self) -> str:
        """The next line of the others."""
        if not self.heard:
            line = self.line()
            assert line.startswith(("MSG ", "UNCHECKED ")), line
            return line
        return self.heard.pop(0)

    def stats(self) -> dict[str, str]:
        self.send("STATS\n")
        found = {}
        while (line := self.answer()) != "OK":
            _, name, value = line.split(" ", 2)
            found[name] = value
        return found

    def close(self) -> None:
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def retry_ms(answer: str) -> int:
    word, wait = answer.split()
    assert word == "RETRY", answer
    return int(wait)


def until(condition, seconds: float = 10):
    """What `condition` says once that is true; it has to become so."""
    end = time.monotonic() + seconds * SLOWER
    while not (value := condition()):
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)
    return value
