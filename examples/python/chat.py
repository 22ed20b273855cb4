"""What all steps share: a chat client that comes back online with an outbox full of unsent messages.

A step says how one message is delivered, and `run` does the rest. It starts the chat server and its live users, lets
the client send from as many workers as it has connections, and makes trouble: the server stumbles, and later goes on at
half its capacity. At the end it prints what came of it, after 14 seconds. `--short` is for tests: 6 seconds, and only the
first trouble. `--json` prints the figures for programs.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from connections import Connections, HttpError
from outbox import Message as Message
from outbox import Outbox
from storm_server import storm_server
from table import figures, table

# Messages a second: what the server does, what its live users write, and what it grants this client.
CAPACITY, LIVE, RATE = 400, 60, 300
MESSAGES = 1_800
# Attempts at once: a client without protection uses them all.
CONNECTIONS = 600
# How long an attempt may take, in seconds.
LIMIT = 1.0
# How an attempt fails. (TimeoutError alone from Python 3.11 on.)
FAILURES = (OSError, asyncio.TimeoutError, HttpError)

# How long, in seconds, and how fast the server is meanwhile.
PHASES = [(3.0, 1.0), (1.5, 0.05), (3.5, 1.0), (4.0, 0.5)]
SHORT = [(2.0, 1.0), (1.5, 0.05), (2.5, 1.0)]

sends: list[float] = []
_connections: Connections


async def send(message: Message) -> None:
    """One attempt. Raises one of FAILURES; the message may have been stored nevertheless, and is stored once."""
    sends.append(time.monotonic())
    await _connections.request("POST", "/messages", {"id": message.id, "text": message.text}, LIMIT)


def run(
    deliver: Callable[[Message], Awaitable[object]],
    *,
    meanwhile: Callable[[], Awaitable[object]] | None = None,
    at_the_end: Callable[[], object] | None = None,
) -> None:
    """Delivers an outbox by `deliver`, which returns when the message is delivered. What it raises puts the message back
    to the end of the outbox. `meanwhile` runs beside it; what `at_the_end` says is printed under the table.
    """
    step = Path(sys.argv[0]).stem
    with tempfile.TemporaryDirectory(prefix="seawall-chat-") as folder:
        log = Path(folder, "server.jsonl")
        outbox = Outbox(Path(folder, "outbox.db"))
        phases = SHORT if "--short" in sys.argv else PHASES
        outbox.accept([Message(f"m-{number}", f"I wrote this offline, no. {number}") for number in range(MESSAGES)])
        with storm_server(CAPACITY, log) as (host, port):
            start, delivered, live = asyncio.run(_run(host, port, outbox, deliver, meanwhile, phases))
        stored = {event["id"] for event in map(json.loads, log.read_text().splitlines()) if event["event"] == "stored"}
        left = {message.id for message in outbox.unsent()}
        outbox.close()
    # Accepted, and neither delivered nor kept. Or said to be delivered, which the server does not know.
    lost = sum(f"m-{n}" not in stored and f"m-{n}" not in left for n in range(MESSAGES))
    result = figures(step, start, MESSAGES, sends, delivered, live, lost)
    print(json.dumps(result) if "--json" in sys.argv else table([result]))
    if at_the_end and "--json" not in sys.argv:
        print(at_the_end())


async def _run(host: str, port: int, outbox: Outbox, deliver: Any, meanwhile: Any, phases: Any) -> Any:
    global _connections
    _connections = Connections(host, port)
    queue = deque(outbox.unsent())
    delivered: list[float] = []

    async def work() -> None:
        while queue:
            message = queue.popleft()
            try:
                await deliver(message)
            except Exception:
                queue.append(message)
                await asyncio.sleep(LIMIT)
            else:
                delivered.append(time.monotonic())
                outbox.mark_sent(message)

    seconds = sum(duration for duration, _ in phases)
    users = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).with_name("live_users.py")), host, str(port), str(LIVE), str(seconds),
        stdout=subprocess.PIPE,
    )  # fmt: skip
    start = time.monotonic()
    tasks = [asyncio.ensure_future(work()) for _ in range(CONNECTIONS)]
    if meanwhile:
        tasks.append(asyncio.ensure_future(meanwhile()))
    trouble = Connections(host, port)
    for duration, speed in phases:
        await trouble.request("PUT", "/speed", speed, 5.0)
        await asyncio.sleep(duration)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    answers, _ = await users.communicate()
    trouble.close()
    _connections.close()
    return start, delivered, json.loads(answers)
