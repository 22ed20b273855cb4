"""People who write now and wait for the answer now: one message each, no retry. They are the ones who suffer.

A process of its own, so that they do not wait for the client under test: `live_users.py HOST PORT RATE SECONDS` prints
how long each waited, in seconds, as JSON; null for who got no answer within a second.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time

from connections import Connections, HttpError


async def live_users(connections: Connections, rate: float, seconds: float) -> list[float | None]:
    chance = random.Random(7)
    start = time.monotonic()
    due = chance.expovariate(rate)

    async def write(number: int) -> float | None:
        began = time.monotonic()
        try:
            body = {"id": f"live-{number}", "text": "Are you there?"}
            await connections.request("POST", "/messages", body, 1.0)
        except (OSError, asyncio.TimeoutError, HttpError):
            return None
        return time.monotonic() - began

    users: list[asyncio.Task[float | None]] = []
    # Who comes does not wait for the answer of who came before.
    while due < seconds:
        await asyncio.sleep(max(start + due - time.monotonic(), 0.0))
        users.append(asyncio.create_task(write(len(users))))
        due += chance.expovariate(rate)
    return list(await asyncio.gather(*users))


async def main() -> None:
    host, port, rate, seconds = sys.argv[1:]
    connections = Connections(host, int(port))
    print(json.dumps(await live_users(connections, float(rate), float(seconds))))
    connections.close()


if __name__ == "__main__":
    asyncio.run(main())
