"""What the mentor's clocks show, at home and away.

Between two changes of a zone its offset from UTC is constant. In each such stretch a wall-clock
time becomes an instant by plain subtraction: a time that a change skips lies in no stretch, a time
that comes twice lies in two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from whenever import Instant

from services.booking.slots.interval import Interval
from services.booking.slots.rules import Rules, zone_on

_ZONE_REACH = timedelta(days=2)
"""A day of any zone lies within this distance of the same day in UTC."""
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class WallClock:
    """A day of the mentor's calendar, and minutes after its midnight as clocks show them."""

    day: date
    minute: int


@dataclass(frozen=True)
class Stretch:
    """A time during which a zone's offset from UTC does not change."""

    during: Interval
    offset: timedelta

    def midnight(self, day: date) -> datetime:
        """Return the instant of a day's midnight by this offset, in the stretch or not."""
        return datetime.combine(day, time(), UTC) - self.offset

    def days(self) -> Iterator[date]:
        """Return the days that it touches."""
        day = (self.during.starts_at + self.offset).date()
        last = (self.during.ends_at + self.offset).date()
        while day <= last:
            yield day
            day += timedelta(days=1)


def stretches(zone: str, reach: Interval) -> Iterator[Stretch]:
    """Return the stretches of a zone that make up `reach`."""
    begins = reach.starts_at
    at = Instant(begins).to_tz(zone)
    while begins < reach.ends_at:
        change = at.next_transition()
        ends = change.to_instant().to_stdlib() if change else reach.ends_at
        yield Stretch(Interval(begins, min(ends, reach.ends_at)), at.offset.to_stdlib())
        if change is None:
            return
        begins, at = ends, change


def wall_clock(rules: Rules, instant: datetime) -> WallClock:
    """Return what the mentor's clocks show at an instant.

    On the way from zone to zone a date may come twice or an hour belong to no date; the zone
    travelled to then goes first, and home is the last.
    """
    for travel in rules.travels:
        shown = instant.astimezone(ZoneInfo(travel.zone))
        if travel.covers(shown.date()):
            return _wall_clock(shown)
    return _wall_clock(instant.astimezone(ZoneInfo(rules.zone)))


def instants_at(rules: Rules, at: WallClock) -> list[datetime]:
    """Return when the mentor's clocks show this: never, once, or twice when they are put back."""
    noon = datetime.combine(at.day, time(12), UTC)
    reach = Interval(noon - _ZONE_REACH, noon + _ZONE_REACH)
    found = (
        (stretch.during, stretch.midnight(at.day) + at.minute * _MINUTE)
        for stretch in stretches(zone_on(rules, at.day), reach)
    )
    return [instant for during, instant in found if during.starts_at <= instant < during.ends_at]


def _wall_clock(shown: datetime) -> WallClock:
    return WallClock(shown.date(), shown.hour * 60 + shown.minute)
