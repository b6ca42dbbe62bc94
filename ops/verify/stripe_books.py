"""Stripe's side of the books, read over plain HTTP: nothing here can change anything there."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import aiohttp

from ops.config import CannotOperate
from ops.verify.report import Balance, Failure

STRIPE_URL = "https://api.stripe.com"
STRIPE_SECONDS = 20.0
PAGE = 100
PAGES_AT_MOST = 10_000
TRIES = 4
PAUSE_SECONDS = 0.5
NOT_FOUND = 404
LEDGER_DIFFERS = "ledger and Stripe differ"
BALANCE_DIFFERS = "Stripe's balance and its transactions differ"
SIMULATOR_UNBALANCED = "simulator's books do not balance"
COMES_TRUE = (LEDGER_DIFFERS, BALANCE_DIFFERS)
"""What may be wrong for a moment: two answers of Stripe are not of one instant."""

Amounts = Mapping[tuple[str, str], int]
"""Minor units by (Stripe's id of the charge, refund or transfer, currency)."""


@dataclass(frozen=True)
class StripeBooks:
    """What Stripe's balance transactions say per source, and its balance per currency.

    `balanced` is the simulator's own verdict about its double entry; None for Stripe itself.
    """

    by_source: Amounts
    balance: Mapping[str, int]
    balanced: bool | None

    def balances(self) -> list[Balance]:
        """Return the balance as a book to show."""
        held = sorted(self.balance.items())
        return [Balance("stripe", "balance", currency, minor) for currency, minor in held]


class StripeReader:
    """Reads the books of the platform's account."""

    def __init__(self, client: aiohttp.ClientSession, base_url: str) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")

    async def books(self) -> StripeBooks:
        """Read everything; raises `CannotOperate` when Stripe refuses or stays away."""
        by_source: Counter[tuple[str, str]] = Counter()
        async for transaction in self._transactions():
            source = str(transaction["source"] or transaction["id"])
            by_source[source, str(transaction["currency"]).upper()] += int(transaction["net"])
        balance = await self._get("/v1/balance", {})
        held: Counter[str] = Counter()
        for part in (*balance["available"], *balance["pending"]):
            held[str(part["currency"]).upper()] += int(part["amount"])
        own = await self._get("/_sim/books", {}, absent_is_empty=True)
        return StripeBooks(by_source, held, bool(own["balanced"]) if own else None)

    async def _transactions(self) -> AsyncGenerator[dict[str, Any]]:
        after: dict[str, str] = {}
        for _ in range(PAGES_AT_MOST):
            page = await self._get("/v1/balance_transactions", {"limit": str(PAGE)} | after)
            for each in page["data"]:
                yield each
            if not page["has_more"]:
                return
            after = {"starting_after": page["data"][-1]["id"]}
        raise CannotOperate("Stripe has more balance transactions than can be read in one go")

    async def _get(
        self, path: str, query: Mapping[str, str], *, absent_is_empty: bool = False
    ) -> dict[str, Any]:
        problem = ""
        for _ in range(TRIES):
            try:
                async with self._client.get(self._base_url + path, params=query) as answer:
                    if answer.status == NOT_FOUND and absent_is_empty:
                        return {}
                    if answer.ok:
                        return cast("dict[str, Any]", await answer.json())
                    problem = str(answer.status)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                problem = type(error).__name__
            await asyncio.sleep(PAUSE_SECONDS)
        raise CannotOperate(f"Stripe at {self._base_url}{path}: {problem}")


@asynccontextmanager
async def reading_stripe(base_url: str | None, key: str) -> AsyncGenerator[StripeReader]:
    """Lend a reader of the books kept at `base_url`, Stripe itself when there is none."""
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {key}"},
        timeout=aiohttp.ClientTimeout(total=STRIPE_SECONDS),
    ) as client:
        yield StripeReader(client, base_url or STRIPE_URL)


def differences(ledger: Amounts, stripe: StripeBooks) -> list[Failure]:
    """Return every charge, refund and transfer of which the two books say different amounts."""
    found = [
        Failure(
            LEDGER_DIFFERS,
            source,
            f"ledger {ledger.get((source, currency), 0)}, "
            f"Stripe {stripe.by_source.get((source, currency), 0)} {currency}",
        )
        for source, currency in sorted(ledger.keys() | stripe.by_source.keys())
        if ledger.get((source, currency), 0) != stripe.by_source.get((source, currency), 0)
    ]
    listed: Counter[str] = Counter()
    for (_, currency), minor in stripe.by_source.items():
        listed[currency] += minor
    found += [
        Failure(
            BALANCE_DIFFERS,
            currency,
            f"balance {stripe.balance.get(currency, 0)}, transactions {listed[currency]}",
        )
        for currency in sorted(listed.keys() | stripe.balance.keys())
        if listed[currency] != stripe.balance.get(currency, 0)
    ]
    if stripe.balanced is False:
        found.append(Failure(SIMULATOR_UNBALANCED, "simulator", "see /_sim/books"))
    return found
