"""Migrations: numbered SQL files, each applied once, in order, in a transaction of its own.

The kit's own files come first, then the service's. A file that was applied and changed since is an
error: the schema is the sum of its migrations. One runner at a time per schema.
Processes wait at their start until the migrations of their own version have been applied, so that
they may be deployed together with them.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from shared.db import CONNECT_SECONDS, Connection, Pool, connection, try_lock
from shared.errors import is_transient
from shared.log import logger

KIT_MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_WAIT_SECONDS = 60.0
LOCK_POLL_SECONDS = 0.1
LOCK_TIMEOUT = "5s"
MIGRATION_SECONDS = 300.0
WAIT_POLL_SECONDS = 0.5

HISTORY = """
CREATE TABLE IF NOT EXISTS migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""

APPLIED = "SELECT name FROM migrations"
CHECKSUMS = "SELECT name, checksum FROM migrations"

_log = logger("migrate")


class MigrationChanged(Exception):
    """A file that was applied before has other content now."""


@dataclass(frozen=True)
class Migration:
    """One numbered file; `name` is `kit/0001_kit` or `booking/0001_…`."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of the text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations_in(folder: Path, schema: str) -> list[Migration]:
    """Return the kit's migrations followed by those in `folder`, in the order of their names."""
    found = [
        Migration(f"{owner}/{file.stem}", file.read_text())
        for owner, place in (("kit", KIT_MIGRATIONS), (schema, folder))
        for file in sorted(place.glob("[0-9]*.sql"))
    ]
    if not any(migration.name.startswith(f"{schema}/") for migration in found):
        raise FileNotFoundError(f"no migrations in {folder}")
    return found


async def is_migrated(url: str, folder: Path, schema: str) -> bool:
    """Return whether there is nothing to apply, and nothing to complain about either."""
    wanted = {each.name: each.checksum for each in migrations_in(folder, schema)}
    try:
        conn = await _connected(url, schema)
        try:
            applied = {row["name"]: row["checksum"] for row in await conn.fetch(CHECKSUMS)}
        finally:
            await conn.close(timeout=CONNECT_SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        return False
    return wanted.items() <= applied.items()


async def migrate(url: str, folder: Path, schema: str) -> list[str]:
    """Bring `schema` up to date as its owner role; return the names of what was applied.

    Raises `MigrationChanged`, and `TimeoutError` when another runner does not finish.
    """
    conn = await _connected(url, schema)
    try:
        await _take_turn(conn, f"{schema}:migrate")
        await conn.execute(HISTORY)
        return [
            migration.name
            for migration in migrations_in(folder, schema)
            if await _apply(conn, migration)
        ]
    finally:
        await conn.close(timeout=CONNECT_SECONDS)


async def _connected(url: str, schema: str) -> asyncpg.Connection[asyncpg.Record]:
    return await asyncpg.connect(
        url,
        timeout=CONNECT_SECONDS,
        command_timeout=MIGRATION_SECONDS,
        server_settings={"search_path": f"{schema}, extensions", "lock_timeout": LOCK_TIMEOUT},
    )


async def wait_until_migrated(pool: Pool, folder: Path, schema: str) -> None:
    """Return when every migration of this version has been applied, however long that takes."""
    wanted = {migration.name for migration in migrations_in(folder, schema)}
    while missing := wanted - await _applied(pool):
        _log.info("waiting_for_migrations", missing=len(missing))
        await asyncio.sleep(WAIT_POLL_SECONDS)


async def _applied(pool: Pool) -> set[str]:
    try:
        async with connection(pool) as conn:
            return {row["name"] for row in await conn.fetch(APPLIED)}
    except asyncpg.UndefinedTableError:
        return set()
    except Exception as error:
        if is_transient(error):
            return set()
        raise


async def _take_turn(conn: Connection, name: str) -> None:
    async with asyncio.timeout(LOCK_WAIT_SECONDS):
        while not await try_lock(conn, name):
            await asyncio.sleep(LOCK_POLL_SECONDS)


async def _apply(conn: Connection, migration: Migration) -> bool:
    known = await conn.fetchval("SELECT checksum FROM migrations WHERE name = $1", migration.name)
    if known is not None:
        if known != migration.checksum:
            raise MigrationChanged(f"{migration.name} was applied with other content")
        return False
    async with conn.transaction():
        await conn.execute(migration.text)
        await conn.execute(
            "INSERT INTO migrations (name, checksum) VALUES ($1, $2)",
            migration.name,
            migration.checksum,
        )
    _log.info("migration_applied", migration=migration.name)
    return True
