"""What a mentor says about their time, and what an offering asks of a start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

MINUTES_PER_DAY = 24 * 60


@dataclass(frozen=True)
class Hours:
    """Hours of a day in minutes after midnight; 1440 is the day's end."""

    starts_minute: int
    ends_minute: int


@dataclass(frozen=True)
class WeeklyHours:
    """Hours of one weekday (Monday is 0) in minutes after midnight; 1440 is the day's end."""

    weekday: int
    starts_minute: int
    ends_minute: int

    @property
    def hours(self) -> Hours:
        """Return them without the weekday."""
        return Hours(self.starts_minute, self.ends_minute)


@dataclass(frozen=True)
class Travel:
    """Days on which the mentor's clocks show another zone; `until_on` is the last of them."""

    zone: str
    from_on: date
    until_on: date

    def covers(self, day: date) -> bool:
        """Return whether the mentor is away on that day."""
        return self.from_on <= day <= self.until_on


@dataclass(frozen=True)
class Override:
    """The hours of one date in place of those of its weekday; without any it is a day off."""

    on: date
    hours: tuple[Hours, ...]
    name: str | None = None


@dataclass(frozen=True)
class Rules:
    """When a mentor works: hours on the clocks of `zone`, or of the zone they travel to.

    Travels do not overlap, and a date has one override at most.
    """

    zone: str
    weekly: tuple[WeeklyHours, ...]
    travels: tuple[Travel, ...] = ()
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True)
class Caps:
    """How many sessions of an offering begin on a day or in a week of the mentor's calendar."""

    daily: int | None = None
    weekly: int | None = None

    def __bool__(self) -> bool:
        return self.daily is not None or self.weekly is not None


UNCAPPED = Caps()


@dataclass(frozen=True)
class SlotPolicy:
    """What an offering asks of a start; `horizon_days` are days of 24 hours."""

    minutes: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    minimum_notice_minutes: int
    horizon_days: int
    caps: Caps = UNCAPPED


def zone_on(rules: Rules, day: date) -> str:
    """Return the zone whose clocks the mentor goes by on that day."""
    away = (travel.zone for travel in rules.travels if travel.covers(day))
    return next(away, rules.zone)
