"""HTTP/1.1 over asyncio's streams, as little of it as the examples need: they install nothing but seawall."""

from __future__ import annotations

import asyncio
import json
from typing import Any


class HttpError(Exception):
    """The server answered, and not well. With `status` and `headers`, as the errors of HTTP libraries have them."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        super().__init__(f"the server answered {status}")
        self.status = status
        self.headers = headers


class Connections:
    """Connections to one server, kept after an answer, and closed where none came."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def request(self, method: str, path: str, body: Any, limit: float) -> None:
        """Raises a TimeoutError, an OSError or an HttpError if it was not answered well within `limit` seconds."""
        await asyncio.wait_for(self._exchange(method, path, json.dumps(body).encode()), limit)

    async def _exchange(self, method: str, path: str, body: bytes) -> None:
        reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection(self.host, self.port)
        is_over = False
        try:
            head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            try:
                status_line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            except asyncio.IncompleteReadError as error:
                raise ConnectionResetError("the server hung up") from error
            headers = dict(line.lower().split(": ", 1) for line in lines)
            await reader.readexactly(int(headers.get("content-length", 0)))
            is_over = True
        finally:
            # A late answer would be taken for that of the next request.
            if is_over:
                self.idle.append((reader, writer))
            else:
                writer.close()
        status = int(status_line.split()[1])
        if status != 200:
            raise HttpError(status, headers)

    def close(self) -> None:
        for _, writer in self.idle:
            writer.close()
