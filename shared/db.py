"""PostgreSQL: pools whose every wait has a deadline, transactions, and a bell between processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import asyncpg

from shared.clock import monotonic_seconds
from shared.errors import RERUN, is_transient
from shared.log import logger
from shared.telemetry import POOL_WAIT_SECONDS, follow_statements

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = (
        "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
    )
    Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

POOL_MIN = 1
POOL_MAX = 16
CONNECT_SECONDS = 5.0
ACQUIRE_SECONDS = 5.0
STATEMENT_SECONDS = 10.0
LOCK_SECONDS = 5.0
IDLE_IN_TRANSACTION_SECONDS = 15.0
RERUNS_AT_MOST = 5
FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 5.0

Result = TypeVar("Result")
_log = logger("db")


async def _prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    follow_statements(connection)
    await connection.set_type_codec(
        "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
    )


async def _keep_session(_connection: object) -> None:
    """Leave a returned connection as it is: one round trip less for every transaction.

    An open transaction was rolled back before this. Nobody leaves other state behind: settings and
    listeners live on connections of their own, and the relay gives its lock back itself.
    """


async def open_pool(url: str, *, process: str, largest: int = POOL_MAX) -> Pool:
    """Open a pool; raises at once when the server refuses, so callers retry when they want to.

    Columns of type jsonb are Python values on both sides. Statements, locks and idle transactions
    end by deadline on the server, also when this process hangs.
    """
    return await asyncpg.create_pool(
        url,
        min_size=POOL_MIN,
        max_size=largest,
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        init=_prepare,
        reset=_keep_session,
        server_settings={
            "application_name": process,
            "timezone": "UTC",
            "statement_timeout": str(int(STATEMENT_SECONDS * 1000)),
            "lock_timeout": str(int(LOCK_SECONDS * 1000)),
            "idle_in_transaction_session_timeout": str(int(IDLE_IN_TRANSACTION_SECONDS * 1000)),
        },
    )


async def wait_for_pool(url: str, *, process: str, largest: int = POOL_MAX) -> Pool:
    """Open a pool, trying again for as long as the database is away."""
    pause = FIRST_RETRY_SECONDS
    while True:
        try:
            return await open_pool(url, process=process, largest=largest)
        except Exception as error:
            if not is_transient(error):
                raise
            _log.warning("database_away", error=type(error).__name__)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_RETRY_SECONDS)


@asynccontextmanager
async def connection(pool: Pool) -> AsyncGenerator[Connection]:
    """Lend a connection; raises `TimeoutError` when none is free in time."""
    asked = monotonic_seconds()
    async with pool.acquire(timeout=ACQUIRE_SECONDS) as conn:
        POOL_WAIT_SECONDS.observe(monotonic_seconds() - asked)
        yield conn


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncGenerator[Connection]:
    """Lend a connection inside a READ COMMITTED transaction that commits when the block ends."""
    async with connection(pool) as conn, conn.transaction():
        yield conn


async def in_transaction(pool: Pool, work: Callable[[Connection], Awaitable[Result]]) -> Result:
    """Run `work` in a transaction, anew when PostgreSQL asks for that (deadlock, serialization).

    `work` may run several times, so it touches nothing but the database.
    """
    for attempt in range(RERUNS_AT_MOST):
        try:
            async with transaction(pool) as conn:
                return await work(conn)
        except RERUN as error:
            if attempt + 1 == RERUNS_AT_MOST:
                raise
            _log.warning("transaction_rerun", error=type(error).__name__, attempt=attempt)
    raise AssertionError("the loop returns or raises")


async def ring(conn: Connection, bell: str) -> None:
    """Wake the processes that wait for `bell`, once this transaction commits.

    Bells are shared by the whole database, so their names begin with the service's.
    """
    await conn.execute("SELECT pg_notify($1, '')", bell)


class Bells:
    """Listens for rings on a connection of its own; a lost connection is opened anew.

    Rings may be missed while it is away, so whoever waits also looks by itself now and then.
    """

    def __init__(self, url: str, *, process: str) -> None:
        self._url = url
        self._process = process
        self._waiting: dict[str, asyncio.Event] = {}

    def bell(self, name: str) -> asyncio.Event:
        """Return the event that a ring of `name` sets; whoever waits clears it."""
        return self._waiting.setdefault(name, asyncio.Event())

    async def listen(self) -> None:
        """Listen until cancelled; raises when the connection ends, so that it is run again."""
        conn = await asyncpg.connect(
            self._url,
            timeout=CONNECT_SECONDS,
            server_settings={"application_name": f"{self._process}-bells"},
        )
        gone = asyncio.Event()
        conn.add_termination_listener(lambda _conn: gone.set())
        try:
            for name in self._waiting:
                await conn.add_listener(name, self._heard)
            for event in self._waiting.values():
                event.set()
            await gone.wait()
            raise ConnectionError("the listening connection ended")
        finally:
            with suppress(Exception):
                await conn.close(timeout=CONNECT_SECONDS)

    def _heard(self, _conn: object, _pid: int, name: str, _payload: object) -> None:
        self.bell(name).set()


async def unlock_all(conn: Connection) -> None:
    """Give back every session-level lock of a connection, or end the connection."""
    try:
        await conn.execute("SELECT pg_advisory_unlock_all()")
    except BaseException:
        # Nobody else resets it: a lock that stayed would keep every other process waiting.
        conn.terminate()
        raise


async def try_lock(conn: Connection, name: str) -> bool:
    """Take the session-level advisory lock of that name if nobody holds it."""
    taken = await conn.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name)
    return bool(taken)
