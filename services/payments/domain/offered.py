"""What mentors sell, and whether anybody can book it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.errors import Refusal
from shared.money import Money


class NotForSale(Refusal):
    """What is asked for is not for sale, or costs nothing."""

    code = "not_for_sale"
    detail = "This is not for sale any more; look at the mentor's page."


class CurrencyNotSettled(Refusal):
    """The platform holds no balance in this currency, so nobody could be paid in it."""

    code = "currency_not_settled"
    detail = "Nothing is sold in this currency any more; look at the mentor's page."


def check_settled(price: Money, settled: Collection[str]) -> None:
    """Raise `CurrencyNotSettled` unless the platform holds a balance in the currency."""
    if price.currency not in settled:
        raise CurrencyNotSettled


@dataclass(frozen=True)
class Offered:
    """An offering as booking told it last.

    `unbookable_since` is since when nobody can book it: it was withdrawn, its mentor may not take
    new sessions, or nobody can be paid in its currency.
    """

    offering_id: UUID
    mentor_id: UUID
    title: str
    minutes: int
    price: Money
    published: bool
    version: int
    unbookable_since: datetime | None = None

    @property
    def bookable(self) -> bool:
        """Return whether its sessions can be booked now."""
        return self.published and self.unbookable_since is None

    def check_for_sale(self) -> None:
        """Raise `NotForSale` unless it costs something and can be booked: nothing else is sold."""
        if not self.bookable or not self.price.minor:
            raise NotForSale
