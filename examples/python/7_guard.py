"""7: the guard, which is all of it in one, and more."""

from __future__ import annotations

import chat
import seawall

# The rate that is granted, and how long an attempt may take: the rest follows. `quota` says that the rate is a limit and
# no mere expectation. Who has to wait for leave does so in line.
guard = seawall.Guard(
    chat.RATE,
    chat.LIMIT,
    quota=chat.RATE,
    warm_up=seawall.WarmUp(2.0, start=chat.RATE / 3, curve="linear"),
    bucket={"burst": 10},
    max_wait=60.0,
)


async def deliver(message: chat.Message) -> None:
    await guard.execute(chat.send, message)


if __name__ == "__main__":
    chat.run(deliver, at_the_end=lambda: guard.snapshot().explain())
