"""8: the guard in shadow: unprotected as before, and it says what it would have refused."""

from __future__ import annotations

import chat
import seawall

guard = seawall.Guard(chat.RATE, chat.LIMIT, quota=chat.RATE, mode="shadow")


async def deliver(message: chat.Message) -> None:
    while True:
        try:
            # The only change to the unprotected client: nothing is refused, nothing waits.
            return await guard.call(chat.send, message)
        except chat.FAILURES:
            pass


if __name__ == "__main__":
    chat.run(deliver, at_the_end=lambda: guard.snapshot().explain())
