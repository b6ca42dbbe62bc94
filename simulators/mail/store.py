"""The mailbox on disk: every mail that was accepted, in SQLite, raw as it came."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from simulators.mail.message import Message, take_apart

_SCHEMA = """
CREATE TABLE IF NOT EXISTS mail (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at TEXT NOT NULL,
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL,
    raw BLOB NOT NULL
)
"""
_INSERT = "INSERT INTO mail (received_at, sender, recipients, raw) VALUES (?, ?, ?, ?)"
_NEWEST_FIRST = """
SELECT id, received_at, sender, recipients, raw FROM mail
WHERE ?1 IS NULL OR EXISTS (SELECT 1 FROM json_each(recipients) WHERE lower(value) = lower(?1))
ORDER BY id DESC LIMIT ?2
"""
_ONE = "SELECT id, received_at, sender, recipients, raw FROM mail WHERE id = ?"
_MOST = 1_000

Row = tuple[int, str, str, str, bytes]


class Store:
    """Keeps mails in one file; each is on disk before the sender is told that it was accepted."""

    def __init__(self, path: Path) -> None:
        """Open the file, made when absent."""
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(_SCHEMA)

    def add(self, sender: str, recipients: list[str], raw: bytes) -> None:
        """Keep a mail."""
        row = (datetime.now(UTC).isoformat(), sender, json.dumps(recipients), raw)
        self._connection.execute(_INSERT, row)

    def newest(self, to: str | None = None, limit: int = _MOST) -> list[Message]:
        """Return mails, newest first, at most `limit`; only those to `to` when it is given."""
        rows = self._connection.execute(_NEWEST_FIRST, (to, min(limit, _MOST))).fetchall()
        return [_message(row) for row in rows]

    def one(self, number: int) -> Message | None:
        """Return the mail with this number."""
        row = self._connection.execute(_ONE, (number,)).fetchone()
        return _message(row) if row else None

    def clear(self) -> None:
        """Throw all mails away; numbers are not used again."""
        self._connection.execute("DELETE FROM mail")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _message(row: Row) -> Message:
    number, received_at, sender, recipients, raw = row
    return take_apart(
        number, datetime.fromisoformat(received_at), sender, json.loads(recipients), raw
    )
