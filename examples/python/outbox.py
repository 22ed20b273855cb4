"""The messages of a client that are not sent yet, in an SQLite file: what must survive a crash belongs there."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Message:
    id: str
    text: str


class Outbox:
    def __init__(self, path: Path) -> None:
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.execute("PRAGMA journal_mode = WAL")
        # Outlives the death of the process; FULL outlives a power cut as well.
        self.database.execute("PRAGMA synchronous = NORMAL")
        self.database.execute("CREATE TABLE message (number INTEGER PRIMARY KEY, id, text, state DEFAULT 'unsent')")

    def accept(self, messages: list[Message]) -> None:
        with self.database:
            self.database.execute("BEGIN")
            self.database.executemany(
                "INSERT INTO message (id, text) VALUES (?, ?)", [(message.id, message.text) for message in messages]
            )

    def unsent(self) -> list[Message]:
        """The oldest first."""
        rows = self.database.execute("SELECT id, text FROM message WHERE state = 'unsent' ORDER BY number")
        return [Message(*row) for row in rows]

    def mark_sent(self, message: Message) -> None:
        self.database.execute("UPDATE message SET state = 'sent' WHERE id = ?", [message.id])

    def close(self) -> None:
        self.database.close()
