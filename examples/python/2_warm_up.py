"""2: a warm-up, so that a start is no burst."""

from __future__ import annotations

import chat
import seawall

# It begins with one token and a third of the rate, and climbs for two seconds. In a service it would take a minute.
WARM_UP = seawall.WarmUp(2.0, start=chat.RATE / 3, curve="linear")
bucket = seawall.TokenBucket(chat.RATE, burst=10, initial=1, warm_up=WARM_UP)


async def deliver(message: chat.Message) -> None:
    while True:
        await bucket.take()
        try:
            return await chat.send(message)
        except chat.FAILURES:
            pass


if __name__ == "__main__":
    chat.run(deliver)
