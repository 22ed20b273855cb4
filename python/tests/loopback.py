"""A real HTTP/1.1 server on 127.0.0.1 that misbehaves as it is told, and counts what arrives."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    # Seconds before the headers go out.
    delay: float = 0.0
    # It does not say how long it is.
    chunked: bool = False
    # The connection is closed instead.
    drops: bool = False
    # The body stops in the middle, and the connection is closed.
    breaks: bool = False
    # The body does not come before the next request has.
    stalls: bool = False


@dataclass(frozen=True)
class Arrival:
    method: str
    path: str
    body: bytes


class Server:
    """Answers by `answers`, in turn, the last one for ever; or by `answer`, a function of what arrives."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [Answer()]
        self.answer: Callable[[Arrival], Answer] | None = None
        self.arrivals: list[Arrival] = []
        self.connections = 0
        self.was_waited_for = False
        self._another = threading.Event()
        self._lock = threading.Lock()
        self.url = ""

    def count(self) -> int:
        return len(self.arrivals)

    def _next(self, arrival: Arrival) -> Answer:
        with self._lock:
            self.arrivals.append(arrival)
            if len(self.arrivals) > 1:
                self._another.set()
            if self.answer is not None:
                return self.answer(arrival)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def serving() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            with state._lock:
                state.connections += 1

        def finish(self) -> None:
            try:
                super().finish()
            except OSError:
                pass

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                pass

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do(self) -> None:
            answer = state._next(Arrival(self.command, self.path, self._read()))
            if answer.delay:
                time.sleep(answer.delay)
            if answer.drops:
                self.close_connection = True
                return
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            body = answer.body
            if answer.chunked:
                self.send_header("Transfer-Encoding", "chunked")
                body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            else:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if answer.stalls and not state._another.wait(5.0):
                state.was_waited_for = True
            if answer.breaks:
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
            else:
                self.wfile.write(body)

        def _read(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := self._size_of_chunk():
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _size_of_chunk(self) -> int:
            line = self.rfile.readline()
            if not line:
                raise ConnectionError("the client has gone")
            return int(line, 16)

        do_GET = do_HEAD = do_OPTIONS = do_PUT = do_DELETE = do_POST = do_PATCH = do

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

    with Listener(("127.0.0.1", 0), Handler) as listener:
        state.url = f"http://127.0.0.1:{listener.server_address[1]}"
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield state
        finally:
            listener.shutdown()
            thread.join()
