"""The chat client of examples/cpp against a server that does what a test says, and against the one of examples/c."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(__file__)
sys.path.insert(0, os.path.join(HERE, "..", "..", "c", "tests"))
import harness  # noqa: E402

CLIENT = os.environ["CLIENT"]


class Server:
    """Listens while it is open; `answer(line)` says what comes back, None: the connection breaks instead."""

    def __init__(self, answer, port: int = 0):
        self.answer, self.said = answer, []
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection, connection.makefile("r") as lines:
                for line in lines:
                    line = line.strip()
                    if line.startswith("NICK "):
                        connection.sendall(b"OK\n")
                        continue
                    self.said.append((line.removeprefix("SAY "), time.monotonic()))
                    answer = self.answer(self.said[-1][0])
                    if answer is None:
                        break
                    # What others say comes in between.
                    connection.sendall(f"MSG eve hello\n{answer}\n".encode())

    def lines(self):
        return [line for line, _ in self.said]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(timeout=10)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def start(port: int, lines: int, patience: int, name: str = "bob") -> subprocess.Popen:
    return subprocess.Popen(
        [CLIENT, str(port), name, str(lines), str(patience)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def end(client: subprocess.Popen, status: int) -> dict[str, float]:
    """What the client says it took."""
    try:
        printed, _ = client.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        client.kill()
        raise
    assert client.returncode == status, (client.returncode, printed)
    found = re.search(
        r"delivered (\d+) of \d+, (\d+) attempts, given up (\d+) times, waited ([\d.]+) s, (\d+) unsent", printed
    )
    assert found, printed
    took = dict(zip(("delivered", "attempts", "given_up", "waited", "unsent"), map(float, found.groups())))
    return took | {"printed": printed}


def all_of(count: int) -> list[str]:
    return [f"line {number}" for number in range(1, count + 1)]


class TheClient(unittest.TestCase):
    def test_lines_arrive_once_and_in_order_where_all_is_well(self):
        with Server(lambda line: "OK") as server:
            took = end(start(server.port, 6, 20), 0)
        self.assertEqual(server.lines(), all_of(6))
        self.assertEqual((took["delivered"], took["attempts"], took["unsent"]), (6, 6, 0))
        self.assertIn("MSG eve hello", took["printed"])

    def test_what_was_sent_away_comes_back_when_the_server_said_and_not_earlier(self):
        with Server(lambda line: "RETRY 700" if len(server.said) == 1 else "OK") as server:
            took = end(start(server.port, 3, 20), 0)
        self.assertEqual(server.lines(), ["line 1", *all_of(3)])
        self.assertGreaterEqual(server.said[1][1] - server.said[0][1], 0.7)
        self.assertGreaterEqual(took["waited"], 0.7)

    def test_what_the_server_will_never_take_is_said_and_holds_up_nothing(self):
        with Server(lambda line: "NO not here" if line == "line 2" else "OK") as server:
            took = end(start(server.port, 3, 20), 0)
        self.assertEqual((server.lines(), took["delivered"], took["unsent"]), (all_of(3), 2, 0))
        self.assertIn("rejected: SAY line 2: not here", took["printed"])

    def test_a_restart_of_the_server_loses_nothing(self):
        with Server(lambda line: "OK" if line != "line 3" else None) as first:
            client = start(first.port, 6, 40)
            harness.until(lambda: len(first.said) >= 3)
        time.sleep(1)
        with Server(lambda line: "OK", first.port) as second:
            took = end(client, 0)
        self.assertEqual(first.lines()[:3], all_of(3))
        # The third was never answered: it is sent again.
        self.assertEqual((second.lines(), took["delivered"]), (all_of(6)[2:], 6))

    def test_nobody_is_kept_busy_by_a_server_that_is_dead(self):
        port = free_port()
        took = end(start(port, 3, 4), 1)
        self.assertEqual((took["delivered"], took["unsent"]), (0, 3))
        # Without a guard a loop would try hundreds of thousands of times.
        self.assertLessEqual(took["attempts"], 25)
        self.assertIn("the breaker is open", took["printed"])

    def test_it_stops_when_its_time_is_over_though_the_server_asked_for_more(self):
        with Server(lambda line: "RETRY 30000") as server:
            began = time.monotonic()
            took = end(start(server.port, 2, 2), 1)
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual((took["attempts"], took["unsent"], len(server.said)), (1, 2, 1))

    def test_the_chat_server_of_examples_c_gets_every_line_at_the_rate_that_it_allows(self):
        with (
            harness.Moderation() as moderation,
            harness.Chat(moderation.port, user_rate=10, user_burst=3) as chat,
        ):
            listener = chat.client("alice")
            took = end(start(chat.port, 8, 40), 0)
            heard = [listener.hear() for _ in range(8)]
        self.assertEqual([line.split(" ", 2)[2] for line in heard], all_of(8))
        self.assertGreater(took["attempts"], 8, "it was never sent away: the test shows nothing")

    def test_the_chat_server_of_examples_c_may_be_killed_and_come_back(self):
        with harness.Moderation() as moderation:
            with harness.Chat(moderation.port, user_rate=4, user_burst=2) as chat:
                listener, port = chat.client("alice"), chat.port
                client = start(port, 6, 40)
                self.assertEqual(listener.hear().split(" ", 2)[2], "line 1")
                chat.end(signal.SIGKILL)
            self.assertIsNone(client.poll(), "it was done before: the test shows nothing")
            time.sleep(0.5)
            with harness.Chat(moderation.port, port=port):
                took = end(client, 0)
        self.assertEqual((took["delivered"], took["unsent"]), (6, 0))
        self.assertGreater(took["attempts"], 6)


if __name__ == "__main__":
    unittest.main(verbosity=2)
