"""3: backoff with jitter, so that who failed does not come back at once, nor together."""

from __future__ import annotations

import chat
import seawall

WARM_UP = seawall.WarmUp(2.0, start=chat.RATE / 3, curve="linear")
bucket = seawall.TokenBucket(chat.RATE, burst=10, initial=1, warm_up=WARM_UP)
# Five attempts; up to 0.2 s before the second, up to 0.4 s before the third... Then the message goes back to the outbox.
retry = seawall.RetryStrategy(5, 0.2)


async def attempt(message: chat.Message) -> None:
    await bucket.take()
    await chat.send(message)


async def deliver(message: chat.Message) -> None:
    await retry.execute(attempt, message)


if __name__ == "__main__":
    chat.run(deliver)
