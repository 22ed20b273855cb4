"""0: send all, and send again at once what fails."""

from __future__ import annotations

import chat


async def deliver(message: chat.Message) -> None:
    while True:
        try:
            return await chat.send(message)
        except chat.FAILURES:
            pass


if __name__ == "__main__":
    chat.run(deliver)
