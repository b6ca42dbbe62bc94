"""A mentor's public page: who they are, what they offer, and when they are free."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from web.client import Service
from web.clocks import ClockChange, clock_changes
from web.forms import ZONES, as_day, is_zone, midnight
from web.pages.searching import expertise
from web.plan_shapes import Plans
from web.prepaid_shapes import Packages
from web.routes import ID, Row, open_to_all
from web.shapes import Mentor, Offering, Page, PublicReview, Slot
from web.visit import Visit

WEEK_DAYS = 7
LOOK_AHEAD_DAYS = 55
"""How far the next free time is looked for; `booking` answers at most 62 days at once."""
OFFERINGS_SHOWN = 50
REVIEWS_SHOWN = 5


@dataclass(frozen=True)
class Week:
    """Seven days in the reader's zone with the free times of each."""

    first: date
    days: tuple[tuple[date, tuple[Slot, ...]], ...]
    earlier: date | None
    later: date
    next_free: Slot | None = None

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is free."""
        return not any(slots for _, slots in self.days)


async def mentor(visit: Visit) -> web.Response:
    """Show a mentor with their offerings and a week of free times."""
    path = f"/v1/mentors/{visit.part('mentor_id')}"
    found, offerings, packages, plans, reviews, tree = await asyncio.gather(
        visit.read(Service.PROFILES, path, Mentor),
        visit.try_read(Service.BOOKING, f"{path}/offerings", Page[Offering], limit=OFFERINGS_SHOWN),
        visit.try_read(Service.PAYMENTS, f"{path}/packages", Packages),
        visit.try_read(Service.PAYMENTS, f"{path}/plans", Plans),
        visit.try_read(
            Service.PROFILES, f"{path}/reviews", Page[PublicReview], limit=REVIEWS_SHOWN
        ),
        expertise(visit),
    )
    chosen = _chosen(visit, offerings.items if offerings else [])
    week = await _week(visit, chosen) if chosen else None
    return visit.page(
        "mentor.html",
        mentor=found,
        names={entry.slug: entry.name for entry in tree},
        offerings=offerings,
        packages=packages.items if packages else [],
        plans=plans.items if plans else [],
        chosen=chosen,
        week=week,
        changes=_changes(visit, found.zone, week) if week else [],
        reviews=reviews,
        zones=ZONES,
    )


def _chosen(visit: Visit, offerings: list[Offering]) -> Offering | None:
    wanted = [each for each in offerings if each.offering_id == visit.query("offering")]
    return next(iter([*wanted, *offerings]), None)


async def _week(visit: Visit, offering: Offering) -> Week | None:
    today = visit.now.astimezone(ZoneInfo(visit.zone)).date()
    first = max(as_day(visit.query("week")) or today, today)
    end = first + timedelta(days=WEEK_DAYS)
    starts = max(midnight(first, visit.zone), visit.now)
    slots = await _slots(visit, offering, starts, midnight(end, visit.zone))
    if slots is None:
        return None
    earlier = week_before(first, today)
    week = Week(first, tuple(by_day(slots, first, visit.zone)), earlier, end)
    if not week.is_empty:
        return week
    ahead = midnight(end + timedelta(days=LOOK_AHEAD_DAYS), visit.zone)
    later = await _slots(visit, offering, midnight(end, visit.zone), ahead)
    return Week(first, week.days, earlier, end, later[0] if later else None)


def _changes(visit: Visit, theirs: str | None, week: Week) -> list[ClockChange]:
    """Return when clocks change before the end of the week: the reader's, and the mentor's."""
    until = midnight(week.later, visit.zone)
    own = clock_changes(visit.zone, visit.now, until)
    if not theirs or not is_zone(theirs):
        return own
    known = {(change.on, change.minutes) for change in own}
    others = clock_changes(theirs, visit.now, until)
    return own + [each for each in others if (each.on, each.minutes) not in known]


def week_before(first: date, today: date) -> date | None:
    """Return where the week before `first` begins, today at the earliest; nothing before that."""
    return max(first - timedelta(days=WEEK_DAYS), today) if first > today else None


async def _slots(
    visit: Visit, offering: Offering, starts: datetime, ends: datetime
) -> list[Slot] | None:
    found = await visit.try_read(
        Service.BOOKING,
        f"/v1/offerings/{offering.offering_id}/slots",
        Page[Slot],
        **{"from": instant_text(starts), "until": instant_text(ends)},
    )
    return found.items if found else None


def instant_text(instant: datetime) -> str:
    """Return a UTC instant as the services write it."""
    return instant.isoformat().replace("+00:00", "Z")


def by_day(
    slots: Iterable[Slot], first: date, zone: str
) -> Iterable[tuple[date, tuple[Slot, ...]]]:
    """Return the seven days from `first` in a zone, each with the slots that begin on it."""
    place = ZoneInfo(zone)
    found = [(slot.starts_at.astimezone(place).date(), slot) for slot in slots]
    for number in range(WEEK_DAYS):
        day = first + timedelta(days=number)
        yield day, tuple(slot for begins, slot in found if begins == day)


ROUTES: tuple[Row, ...] = (open_to_all(f"/mentors/{{mentor_id:{ID}}}", mentor),)
