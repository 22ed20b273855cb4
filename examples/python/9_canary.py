"""9: the guard for a share of the users, and more of them day by day."""

from __future__ import annotations

import chat
import seawall

# For half of the keys, and for one key always alike; the others pass. At run time: `guard.set_mode(0.9)`.
guard = seawall.Guard(chat.RATE, chat.LIMIT, quota=chat.RATE, mode=0.5, max_wait=60.0)


async def deliver(message: chat.Message) -> None:
    async for attempt in guard.begin(key=message.id):
        async with attempt:
            await chat.send(message)


if __name__ == "__main__":
    chat.run(deliver, at_the_end=lambda: guard.snapshot().explain())
