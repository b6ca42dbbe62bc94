"""When a mentor is free next, over all that is for sale, and until when that stays true by itself.

What happens to a mentor's time makes somebody look again. Time alone changes the answer as well: a
start falls under its notice, and a later one comes within the horizon.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.booking.slots import SlotPolicy
from shared.contracts.booking import NextFreeChanged, NextFreeSnapshot, OpeningsFact
from shared.ids import OfferingId, PersonId

BEYOND = timedelta(days=7)
"""How far behind the horizon we look for what comes within it; so often we look at least."""


@dataclass(frozen=True)
class Sight:
    """The first free start of an offering, whether or not its horizon reaches it already."""

    starts_at: datetime
    offering_id: OfferingId
    policy: SlotPolicy

    @property
    def appears_at(self) -> datetime:
        """Return the instant after which it can be booked."""
        return self.starts_at - timedelta(days=self.policy.horizon_days)

    @property
    def fades_at(self) -> datetime:
        """Return the instant after which it can no longer be booked."""
        return self.starts_at - timedelta(minutes=self.policy.minimum_notice_minutes)

    def is_bookable(self, now: datetime) -> bool:
        """Return whether its horizon reaches it."""
        return self.appears_at < now


@dataclass(frozen=True)
class Opening:
    """The first start that can be booked, and of which offering."""

    starts_at: datetime
    offering_id: OfferingId


@dataclass(frozen=True)
class Openings:
    """What was told of a mentor, and after which instant time alone makes it another thing."""

    mentor_id: PersonId
    version: int
    next_free: Opening | None = None
    look_again_at: datetime | None = None


def next_free(sights: Iterable[Sight], now: datetime) -> tuple[Opening | None, datetime]:
    """Return the first opening of those in sight, and after which instant to look again."""
    seen = sorted(sights, key=lambda sight: (sight.starts_at, sight.offering_id))
    first = next((sight for sight in seen if sight.is_bookable(now)), None)
    if first is None:
        return None, min([now + BEYOND, *(sight.appears_at for sight in seen)])
    sooner = [sight.appears_at for sight in seen[: seen.index(first)]]
    return Opening(first.starts_at, first.offering_id), min([first.fades_at, *sooner])


def tell_openings(openings: Openings, *, again: bool = False) -> OpeningsFact:
    """Return the fact that says when a mentor is free next."""
    kind = NextFreeSnapshot if again else NextFreeChanged
    opening = openings.next_free
    return kind(
        version=openings.version,
        mentor_id=openings.mentor_id,
        next_free_at=opening and opening.starts_at,
        offering_id=opening and opening.offering_id,
    )
