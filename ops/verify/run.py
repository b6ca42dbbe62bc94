"""One verification: look once at what must always hold, and patiently at what comes true."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ops.database import reading
from ops.rest import ALL_SERVICES
from ops.verify import checks
from ops.verify.checks import Check, checks_of
from ops.verify.report import Balance, Failure, InFlight, Report
from ops.verify.stripe_books import (
    COMES_TRUE,
    Amounts,
    StripeBooks,
    StripeReader,
    differences,
    reading_stripe,
)
from shared.clock import monotonic_seconds
from shared.contracts.topics import Service
from shared.db import Connection

LOOK_SECONDS = 1.0
"""Between two looks at what comes true in the end."""
IN_FLIGHT_AT_MOST = 200


@dataclass(frozen=True)
class Market:
    """Where to look: the database as ops_reader, and Stripe (None: the real one)."""

    database_url: str
    stripe_url: str | None
    stripe_key: str
    services: tuple[Service, ...] = ALL_SERVICES


@dataclass(frozen=True)
class _Look:
    failures: frozenset[Failure]
    in_flight: tuple[InFlight, ...]
    books: tuple[Balance, ...]


async def verify(market: Market, grace_seconds: float) -> Report:
    """Check everything; raises `CannotOperate` when a book cannot be read."""
    every = checks_of(market.services)
    async with (
        reading(market.database_url) as conn,
        reading_stripe(market.stripe_url, market.stripe_key) as stripe,
    ):
        first = await _look(conn, stripe, market, every)
        eventual = {each.name for each in every if each.eventual} | set(COMES_TRUE)
        suspects = {each for each in first.failures if each.check in eventual}
        until = monotonic_seconds() + grace_seconds
        last = first
        while suspects and monotonic_seconds() < until:
            await asyncio.sleep(min(LOOK_SECONDS, grace_seconds))
            last = await _look(conn, stripe, market, every)
            suspects &= last.failures
    certain = {each for each in first.failures | last.failures if each.check not in eventual}
    failures = sorted(certain | suspects, key=lambda each: (each.check, each.subject))
    names = tuple(dict.fromkeys((*(each.name for each in every), *COMES_TRUE)))
    return Report(names, tuple(failures), last.in_flight, last.books)


async def _look(
    conn: Connection, stripe: StripeReader, market: Market, every: Sequence[Check]
) -> _Look:
    """Look at everything on one snapshot; Stripe is read before it, so that it knows no more."""
    theirs = await stripe.books()
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        found = [failure for check in every for failure in await _failures(conn, check)]
        ours = await _ledger(conn)
        in_flight = [each for name in market.services for each in await _in_flight(conn, name)]
        books = await _balances(conn, theirs)
    found += differences(ours, theirs)
    return _Look(frozenset(found), tuple(in_flight), books)


async def _failures(conn: Connection, check: Check) -> list[Failure]:
    rows = await conn.fetch(check.sql)
    return [Failure(check.name, row["subject"], row["detail"]) for row in rows]


async def _ledger(conn: Connection) -> Amounts:
    rows = await conn.fetch(checks.STRIPE_SIDE_OF_LEDGER)
    return {(row["source"], row["currency"]): row["amount_minor"] for row in rows}


async def _in_flight(conn: Connection, service: Service) -> list[InFlight]:
    rows = await conn.fetch(checks.IN_FLIGHT.format(schema=service), IN_FLIGHT_AT_MOST)
    return [InFlight(service, row["kind"], row["subject"], row["since"]) for row in rows]


async def _balances(conn: Connection, stripe: StripeBooks) -> tuple[Balance, ...]:
    rows = await conn.fetch(checks.LEDGER_BALANCES)
    ours = [Balance("ledger", row["account"], row["currency"], row["amount_minor"]) for row in rows]
    return (*ours, *stripe.balances())
