"""Holds per second: our command, and the same over HTTP, beside pgbench with the same statements.

One real hold is made and its statements are listened to; they become the script of pgbench, with
everything that differs from hold to hold computed from the hold's number.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from asyncpg.connection import LoggedQuery

from bench.pgbench import run_script
from bench.rounds import Work
from bench.world import (
    EVENT,
    MENTEE,
    MENTOR,
    OFFERING,
    ORDER,
    SESSION,
    World,
    numbered,
    numbered_sql,
)
from shared.clock import monotonic_seconds
from shared.db import connection, in_transaction

CLIENTS = 8
COUNT = "SELECT count(*) FROM orders WHERE state = 'held'"
_PARAMETER = re.compile(r"\$(\d+)")
_QUOTED = re.compile(r"'([^']*)'")
_NUMBER = ":hold::bigint"
"""What pgbench calls the number of the hold it is making."""


async def hold_many(world: World, count: int) -> Work:
    """Make holds with `CLIENTS` at work at the same time."""
    numbers = iter(world.reserve_holds(count))
    before = await world.count(COUNT)

    async def client() -> None:
        for number in numbers:
            await _hold(world, number)

    started = monotonic_seconds()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    seconds = monotonic_seconds() - started
    return Work(await world.count(COUNT) - before, seconds)


async def _hold(world: World, number: int) -> None:
    await in_transaction(world.pool, lambda conn: world.hold(conn, number))


async def script_of_hold(world: World) -> str:
    """Make one hold and return the script with which pgbench makes others like it."""
    (number,) = world.reserve_holds(1)
    heard: list[LoggedQuery] = []
    async with connection(world.pool) as conn:
        conn.add_query_logger(heard.append)
        try:
            async with conn.transaction():
                await world.hold(conn, number)
        finally:
            conn.remove_query_logger(heard.append)
    words = _Words(world, number)
    lines = ["\\set n :n + 1", "\\set hold :first + :client_id * :each + :n"]
    return "\n".join([*lines, *(words.statement(each) for each in heard)]) + "\n"


class _Words:
    """How values are written in SQL: those that differ from hold to hold follow its number."""

    def __init__(self, world: World, number: int) -> None:
        """Know the values of the hold of that number."""
        wish, starts = world.wish(number), world.starts_at(number)
        fresh, turn = f"({world.stored} + {_NUMBER})", f"({_NUMBER} % {world.mentors})"
        self._event = numbered_sql(EVENT, f"({2 * world.stored} + {_NUMBER})")
        self._known: dict[object, str] = {
            wish.order_id: numbered_sql(ORDER, fresh),
            wish.starts[0].session_id: numbered_sql(SESSION, fresh),
            wish.mentee_id: numbered_sql(MENTEE, f"({world.mentees} + {_NUMBER})"),
            world.offering(number): numbered_sql(OFFERING, turn),
            numbered(MENTOR, number % world.mentors): numbered_sql(MENTOR, turn),
            str(wish.order_id): f"({numbered_sql(ORDER, fresh)})::text",
        }
        slot = f"({world.first_slot.timestamp():.0f} + {_NUMBER} / {world.mentors} * 3600)"
        for hours in (0, 1, 25):  # It starts, it ends, it completes itself.
            instant = starts + timedelta(hours=hours)
            self._known[instant] = f"to_timestamp({slot} + {hours * 3600})"

    def statement(self, heard: LoggedQuery) -> str:
        """Return a statement that was heard, as one line with its values in their places."""
        args: Sequence[object] = heard.args or ()

        def word(found: re.Match[str]) -> str:
            return self.of(args[int(found[1]) - 1])

        quoted = _QUOTED.sub(lambda found: _text(found[1]), heard.query)
        return " ".join(_PARAMETER.sub(word, quoted).split()).rstrip(";") + ";"

    def of(self, value: object) -> str:
        """Return one value as an expression of SQL."""
        if isinstance(value, list) and value and isinstance(value[0], UUID | datetime):
            return f"ARRAY[{', '.join(map(self.of, cast('list[object]', value)))}]"
        if isinstance(value, list | dict):
            return self.of(json.dumps(value))
        if value in self._known:
            return self._known[value]
        if isinstance(value, UUID):
            return self._event  # The only id that the command makes up by itself.
        if isinstance(value, datetime):
            return f"to_timestamp({value.timestamp()})"
        if isinstance(value, bytes):
            return f"'\\x{value.hex()}'::bytea"
        if isinstance(value, str):
            return _text(value.replace("\\", "\\\\").replace("'", "''"))
        return "NULL" if value is None else str(value)


def _text(quoted: str) -> str:
    """Return a text as SQL without colons, which begin variables of pgbench even in quotes."""
    return "E'" + quoted.replace(":", "\\x3a") + "'" if ":" in quoted else f"'{quoted}'"


async def pgbench_many(world: World, script: str, count: int) -> Work:
    """Make holds with as many clients of pgbench; raises `ProgramFailed`."""
    each = count // CLIENTS
    first = world.reserve_holds(count).start - 1
    before = await world.count(COUNT)
    given = {"n": 0, "first": first, "each": each}
    seconds = await run_script(world.url, script, CLIENTS, each, given)
    done = await world.count(COUNT) - before
    return Work(done, seconds)
