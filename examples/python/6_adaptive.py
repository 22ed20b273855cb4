"""6: a rate that adapts, so that a server that can do less is asked for less."""

from __future__ import annotations

import asyncio
import time

import chat
import seawall

WARM_UP = seawall.WarmUp(2.0, start=chat.RATE / 3, curve="linear")
bucket = seawall.TokenBucket(chat.RATE, burst=10, initial=1, warm_up=WARM_UP)
retry = seawall.RetryStrategy(5, 0.2)
breaker = seawall.CircuitBreaker(10)
window = seawall.SlidingWindow(1.0)
# Half of the rate where a twentieth fails or p95 is over 0.4 s, else 20/s more; it looks twice a second here. In a
# service, every thirty.
controller = seawall.AIMDController(chat.RATE, 10, chat.RATE, step=20, interval=0.5)


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


async def adapt() -> None:
    while True:
        await asyncio.sleep(0.5)
        bucket.set_rate(controller.observe(window))


if __name__ == "__main__":
    chat.run(deliver, meanwhile=adapt)
