"""4: a circuit breaker, so that a server that is down is left alone, and asked now and then."""

from __future__ import annotations

import chat
import seawall

WARM_UP = seawall.WarmUp(2.0, start=chat.RATE / 3, curve="linear")
bucket = seawall.TokenBucket(chat.RATE, burst=10, initial=1, warm_up=WARM_UP)
retry = seawall.RetryStrategy(5, 0.2)
# Opens after ten failures in a row, for about a second; then three may try.
breaker = seawall.CircuitBreaker(10)


async def attempt(message: chat.Message) -> None:
    await bucket.take()
    # Open, it raises CircuitOpen, whose `retry_after` the retry strategy waits for.
    async with breaker:
        await chat.send(message)


async def deliver(message: chat.Message) -> None:
    await retry.execute(attempt, message)


if __name__ == "__main__":
    chat.run(deliver)
