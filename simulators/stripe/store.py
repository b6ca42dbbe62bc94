"""What the simulator remembers: one SQLite file that survives being killed at any moment.

Every answered request is one transaction: its objects, movements, events, deliveries and stored
idempotency answer commit together or not at all. All objects lie in one table as Stripe would show
them (`body`), with what Stripe keeps to itself beside them (`hidden`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulators.stripe.errors import Json

BUSY_TIMEOUT_SECONDS = 5.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    created INTEGER NOT NULL,
    body TEXT NOT NULL,
    hidden TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_listed ON objects (kind, owner, seq);
CREATE TABLE IF NOT EXISTS schedule (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    due_at INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    action TEXT NOT NULL,
    ref TEXT NOT NULL,
    UNIQUE (action, ref, due_at)
);
CREATE INDEX IF NOT EXISTS schedule_due ON schedule (due_at, rank, seq);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    owner TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    idempotency_key TEXT,
    status INTEGER NOT NULL,
    replayed INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS idempotency (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    created INTEGER NOT NULL,
    path TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    request_id TEXT NOT NULL,
    PRIMARY KEY (owner, key)
);
CREATE TABLE IF NOT EXISTS movements (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    cause TEXT NOT NULL,
    ref TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS entries (
    movement INTEGER NOT NULL REFERENCES movements (id),
    owner TEXT NOT NULL,
    bucket TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_of_movement ON entries (movement);
CREATE TABLE IF NOT EXISTS balances (
    owner TEXT NOT NULL,
    bucket TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (owner, bucket, currency)
);
CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    born_at REAL NOT NULL,
    next_at REAL NOT NULL,
    last_answer TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, next_at, seq);
CREATE INDEX IF NOT EXISTS deliveries_of_event ON deliveries (event);
"""

FILTERS = (
    "active",
    "charge",
    "currency",
    "customer",
    "destination",
    "email",
    "payment_intent",
    "product",
    "source",
    "status",
    "transfer",
    "transfer_group",
    "type",
)
"""The fields of objects that lists can be filtered by; each has an index."""

HIDDEN_FILTERS = ("invoice", "payout", "subscription")
"""The same, of the hidden side."""


@dataclass(frozen=True)
class Filed:
    """An object with what belongs to it: its place in the list, its owner, its hidden side."""

    seq: int
    owner: str
    body: Json
    hidden: Json


@dataclass(frozen=True)
class Due:
    """Something that will happen by itself at an instant of the business clock."""

    seq: int
    due_at: int
    action: str
    ref: str


class Store:
    """The SQLite file; one connection, used from one thread, one transaction at a time."""

    def __init__(self, folder: Path | None) -> None:
        """Open (or make) the file in `folder`; without a folder it lives in memory."""
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        path = str(folder / "stripe.sqlite3") if folder else ":memory:"
        self.sql = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
        self.sql.row_factory = sqlite3.Row
        self.sql.execute("PRAGMA journal_mode = WAL")
        self.sql.execute("PRAGMA synchronous = NORMAL")
        self.sql.executescript(f"BEGIN; {_SCHEMA} {_indexes()} COMMIT;")

    def close(self) -> None:
        """Close the file."""
        self.sql.close()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Commit everything inside, or nothing when it raises."""
        self.sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.sql.execute("ROLLBACK")
            raise
        self.sql.execute("COMMIT")

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """Undo what happened inside when it raises, and keep the transaction around it."""
        self.sql.execute("SAVEPOINT inner_part")
        try:
            yield
        except BaseException:
            self.sql.execute("ROLLBACK TO inner_part")
            self.sql.execute("RELEASE inner_part")
            raise
        self.sql.execute("RELEASE inner_part")

    def add(self, kind: str, owner: str, body: Json, hidden: Json) -> None:
        """File a new object."""
        self.sql.execute(
            "INSERT INTO objects (id, kind, owner, created, body, hidden) VALUES (?,?,?,?,?,?)",
            (body["id"], kind, owner, body["created"], json.dumps(body), json.dumps(hidden)),
        )

    def save(self, body: Json) -> None:
        """Replace the visible side of an object."""
        self.sql.execute("UPDATE objects SET body = ? WHERE id = ?", (json.dumps(body), body["id"]))

    def hide(self, identifier: str, hidden: Json) -> None:
        """Replace the hidden side of an object."""
        change = (json.dumps(hidden), identifier)
        self.sql.execute("UPDATE objects SET hidden = ? WHERE id = ?", change)

    def find(self, identifier: str) -> Filed | None:
        """Return an object wherever it belongs, or None."""
        row = self.sql.execute(
            "SELECT seq, owner, body, hidden FROM objects WHERE id = ?", (identifier,)
        ).fetchone()
        return _filed(row) if row else None

    def page(
        self,
        kind: str,
        owner: str,
        filters: Mapping[str, object],
        limit: int,
        *,
        before_seq: int | None = None,
        after_seq: int | None = None,
        created: tuple[int, int] | None = None,
    ) -> list[Filed]:
        """Return at most `limit` objects, newest first, created in the half-open span given.

        They are older than `before_seq`, or newer than `after_seq` and then those nearest to it.
        """
        where, values = _where(kind, owner, filters, created)
        if before_seq is not None:
            where, values = where + " AND seq < ?", [*values, before_seq]
        if after_seq is not None:
            where, values = where + " AND seq > ?", [*values, after_seq]
        order = "DESC" if after_seq is None else "ASC"
        rows = self.sql.execute(
            f"SELECT seq, owner, body, hidden FROM objects WHERE {where} "  # noqa: S608 - constants
            f"ORDER BY seq {order} LIMIT ?",
            [*values, limit],
        ).fetchall()
        return [_filed(row) for row in (rows if after_seq is None else reversed(rows))]

    def everything(self, kind: str) -> list[Filed]:
        """Return every object of a kind, oldest first; for checkers and the index page."""
        rows = self.sql.execute(
            "SELECT seq, owner, body, hidden FROM objects WHERE kind = ? ORDER BY seq", (kind,)
        )
        return [_filed(row) for row in rows]

    def schedule(self, due_at: int, rank: int, action: str, ref: str) -> None:
        """Remember to do something at an instant (once, when asked for twice)."""
        self.sql.execute(
            "INSERT OR IGNORE INTO schedule (due_at, rank, action, ref) VALUES (?,?,?,?)",
            (due_at, rank, action, ref),
        )

    def next_due(self) -> Due | None:
        """Return what happens next by itself."""
        row = self.sql.execute(
            "SELECT seq, due_at, action, ref FROM schedule ORDER BY due_at, rank, seq LIMIT 1"
        ).fetchone()
        return Due(**dict(row)) if row else None

    def done(self, due: Due) -> None:
        """Forget something that has been done."""
        self.sql.execute("DELETE FROM schedule WHERE seq = ?", (due.seq,))

    def unschedule(self, action: str, ref: str) -> None:
        """Forget what no longer needs doing."""
        self.sql.execute("DELETE FROM schedule WHERE action = ? AND ref = ?", (action, ref))

    def setting(self, name: str) -> Json:
        """Return a setting made by a control, {} when there is none."""
        row = self.sql.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return json.loads(row["value"]) if row else {}

    def set(self, name: str, value: Json) -> None:
        """Keep a setting made by a control."""
        self.sql.execute("INSERT OR REPLACE INTO settings VALUES (?,?)", (name, json.dumps(value)))


def _where(
    kind: str, owner: str, filters: Mapping[str, object], created: tuple[int, int] | None
) -> tuple[str, list[object]]:
    where, values = "kind = ? AND owner = ?", list[object]([kind, owner])
    for name, wanted in filters.items():
        if wanted is not None:
            where += f" AND {_expression(name)} = ?"
            values.append(wanted)
    if created:
        where, values = where + " AND created >= ? AND created < ?", [*values, *created]
    return where, values


def _indexes() -> str:
    return "".join(
        f"CREATE INDEX IF NOT EXISTS objects_by_{name} ON objects "
        f"(kind, owner, {_expression(name)}, seq);\n"
        for name in FILTERS + HIDDEN_FILTERS
    )


def _expression(name: str) -> str:
    side = "hidden" if name in HIDDEN_FILTERS else "body"
    known = (FILTERS + HIDDEN_FILTERS).index(name)
    return f"json_extract({side}, '$.{(FILTERS + HIDDEN_FILTERS)[known]}')"


def _filed(row: sqlite3.Row) -> Filed:
    return Filed(row["seq"], row["owner"], json.loads(row["body"]), json.loads(row["hidden"]))
