"""5: a sliding window, to see what happens. It changes nothing."""

from __future__ import annotations

import asyncio
import sys
import time

import chat
import seawall

WARM_UP = seawall.WarmUp(2.0, start=chat.RATE / 3, curve="linear")
bucket = seawall.TokenBucket(chat.RATE, burst=10, initial=1, warm_up=WARM_UP)
retry = seawall.RetryStrategy(5, 0.2)
breaker = seawall.CircuitBreaker(10)
# Of the last second. In a service, of the last thirty.
window = seawall.SlidingWindow(1.0)


async def attempt(message: chat.Message) -> None:
    await bucket.take()
    async with breaker:
        began, ok = time.monotonic(), False
        try:
            await chat.send(message)
            ok = True
        finally:
            window.record(time.monotonic() - began, ok)


async def deliver(message: chat.Message) -> None:
    await retry.execute(attempt, message)


async def watch() -> None:
    while True:
        await asyncio.sleep(1.0)
        seen = window.metrics()
        p95 = "    no one" if seen.p95 is None else f"{seen.p95 * 1e3:7.0f} ms"
        error_rate = "-" if seen.error_rate is None else f"{seen.error_rate:.0%}"
        print(f"{seen.throughput:5.0f}/s, {error_rate:>4} failed, p95 {p95}, {breaker.state}", file=sys.stderr)


if __name__ == "__main__":
    chat.run(deliver, meanwhile=watch)
