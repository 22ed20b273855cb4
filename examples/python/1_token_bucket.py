"""1: a token bucket, so that no second has more sends than agreed."""

from __future__ import annotations

import chat
import seawall

bucket = seawall.TokenBucket(chat.RATE)


async def deliver(message: chat.Message) -> None:
    while True:
        # In the order of arrival, without polling. A retry takes a token like any other send.
        await bucket.take()
        try:
            return await chat.send(message)
        except chat.FAILURES:
            pass


if __name__ == "__main__":
    chat.run(deliver)
