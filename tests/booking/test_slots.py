"""Slots against a slow and obvious definition, in zones with every kind of surprise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise, starmap
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from pydantic import TypeAdapter

from services.booking.slots import (
    Caps,
    Hours,
    Interval,
    Override,
    Rules,
    SlotPolicy,
    Travel,
    WallClock,
    WeeklyHours,
    free_slots,
    instants_at,
    is_offered,
    leave_room,
    wall_clock,
    zone_on,
)
from shared.web import InstantUtc

FIVE_MINUTES = timedelta(minutes=5)
DAY = timedelta(days=1)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
ANY_TIME = SlotPolicy(60, 0, 0, 0, 400 * 365)
AROUND_A_CHANGE = (
    ("America/New_York", datetime(2026, 3, 8, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, tzinfo=UTC)),
    ("Europe/London", datetime(2026, 3, 29, tzinfo=UTC)),
    ("Europe/London", datetime(2026, 10, 25, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, tzinfo=UTC)),
    ("Asia/Kathmandu", datetime(2026, 6, 1, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 2, 15, tzinfo=UTC)),
    ("Africa/Casablanca", datetime(2026, 3, 22, tzinfo=UTC)),
)
"""Summer time both ways, by half an hour too, a zone without it at :45, one that skipped
30 December 2011, and one that puts its clocks back for Ramadan."""
VIEWERS = some.integers(-12 * 4, 14 * 4).map(lambda n: timezone(timedelta(minutes=15 * n)))

MINUTES = some.tuples(some.integers(0, 287), some.integers(1, 120)).map(
    lambda at: Hours(at[0] * 5, min(1440, (at[0] + at[1]) * 5))
)
WEEKLY = some.tuples(some.integers(0, 6), MINUTES).map(
    lambda at: WeeklyHours(at[0], at[1].starts_minute, at[1].ends_minute)
)
TIMES = some.lists(
    some.tuples(some.integers(-600, 600), some.integers(1, 60)).map(
        lambda at: (at[0] * FIVE_MINUTES, at[1] * FIVE_MINUTES)
    ),
    max_size=8,
)
POLICIES = some.builds(
    SlotPolicy,
    minutes=some.sampled_from([30, 45, 60, 90]),
    buffer_before_minutes=some.integers(0, 40),
    buffer_after_minutes=some.integers(0, 40),
    minimum_notice_minutes=some.integers(0, 1440),
    horizon_days=some.integers(1, 3),
    caps=some.builds(
        Caps, daily=some.none() | some.integers(1, 3), weekly=some.none() | some.integers(1, 6)
    ),
)


@dataclass(frozen=True)
class Case:
    """A mentor's rules around a day on which clocks somewhere change, and what is sold."""

    rules: Rules
    change: datetime
    busy: list[Interval]

    @property
    def window(self) -> Interval:
        return day_around(self.change)

    @property
    def sold(self) -> list[datetime]:
        return [each.starts_at for each in self.busy]


@some.composite
def cases(draw: some.DrawFn) -> Case:
    zone, change = draw(some.sampled_from(AROUND_A_CHANGE))
    near = some.integers(-2, 3).map(lambda days: (change + days * DAY).date())
    away = draw(some.none() | some.sampled_from(AROUND_A_CHANGE).map(lambda at: at[0]))
    first, last = sorted((draw(near), draw(near)))
    overrides = some.builds(Override, near, some.lists(MINUTES, max_size=2).map(tuple))
    rules = Rules(
        zone,
        tuple(draw(some.lists(WEEKLY, min_size=1, max_size=6))),
        (Travel(away, first, last),) if away else (),
        tuple(draw(some.lists(overrides, max_size=2, unique_by=lambda each: each.on))),
    )
    times = draw(TIMES)
    busy = [Interval(change + at, change + at + length) for at, length in times]
    return Case(rules, change, busy)


def day_around(instant: datetime) -> Interval:
    return Interval(instant - timedelta(days=1), instant + timedelta(days=2))


def shown_by_clocks(rules: Rules, instant: datetime) -> Iterator[tuple[Hours, int]]:
    """Give the hours that an instant lies in, at home or away, and the minute shown there."""
    for zone in {rules.zone, *(travel.zone for travel in rules.travels)}:
        wall = instant.astimezone(ZoneInfo(zone))
        day, minute = wall.date(), wall.hour * 60 + wall.minute
        away = [travel.zone for travel in rules.travels if travel.from_on <= day <= travel.until_on]
        if zone != (away or [rules.zone])[0]:
            continue
        of_day = [each.hours for each in rules.weekly if each.weekday == day.weekday()]
        for override in rules.overrides:
            if override.on == day:
                of_day = list(override.hours)
        yield from (
            (each, minute) for each in of_day if each.starts_minute <= minute < each.ends_minute
        )


def by_definition(rules: Rules, minutes: int, window: Interval) -> list[datetime]:
    """Ask of every fifth minute, on the mentor's wall clock, whether a session may start then."""
    count = (window.ends_at - window.starts_at) // FIVE_MINUTES + minutes // 5
    instants = [window.starts_at + n * FIVE_MINUTES for n in range(count)]
    shown = [list(shown_by_clocks(rules, instant)) for instant in instants]
    return [
        start
        for n, start in enumerate(instants[: -(minutes // 5)])
        if any((minute - hours.starts_minute) % 30 == 0 for hours, minute in shown[n])
        and all(shown[n : n + minutes // 5])
    ]


def day_shown(rules: Rules, instant: datetime) -> date:
    """Return the day on the mentor's clocks: away if they are away on it, else at home."""
    days = {each: instant.astimezone(ZoneInfo(each.zone)).date() for each in rules.travels}
    away = [day for travel, day in days.items() if travel.from_on <= day <= travel.until_on]
    return (away or [instant.astimezone(ZoneInfo(rules.zone)).date()])[0]


def week_of(day: date) -> tuple[int, int]:
    return day.isocalendar()[:2]


@settings(max_examples=60, deadline=None)
@given(case=cases(), minutes=some.sampled_from([30, 45, 60, 90]))
def test_slots_are_the_starts_at_which_the_mentors_clock_shows_working_hours(
    case: Case, minutes: int
):
    """At home or away, a skipped hour is never offered, a repeated one once per instant."""
    policy = replace(ANY_TIME, minutes=minutes)
    slots = free_slots(case.rules, (), policy, LONG_AGO, case.window)
    assert [slot.starts_at for slot in slots] == by_definition(case.rules, minutes, case.window)
    assert all(slot.ends_at - slot.starts_at == timedelta(minutes=minutes) for slot in slots)


@settings(max_examples=80, deadline=None)
@given(case=cases(), policy=POLICIES)
def test_a_slot_is_free_when_nothing_that_is_sold_and_no_limit_forbids_it(
    case: Case, policy: SlotPolicy
):
    """Busy times with buffers, notice, horizon, and the caps of its day and week; no more."""
    now, rules, caps = case.change - DAY, case.rules, policy.caps
    hours = replace(ANY_TIME, minutes=policy.minutes)
    days = Counter(day_shown(rules, start) for start in case.sold)
    weeks = Counter(week_of(day_shown(rules, start)) for start in case.sold)

    def is_free(slot: Interval) -> bool:
        day, ahead = day_shown(rules, slot.starts_at), slot.starts_at - now
        wide = slot.widened(policy.buffer_before_minutes, policy.buffer_after_minutes)
        return (
            not any(wide.overlaps(each) for each in case.busy)
            and ahead >= timedelta(minutes=policy.minimum_notice_minutes)
            and ahead < timedelta(days=policy.horizon_days)
            and (caps.daily is None or days[day] < caps.daily)
            and (caps.weekly is None or weeks[week_of(day)] < caps.weekly)
        )

    offered = free_slots(rules, (), hours, LONG_AGO, case.window)
    free = free_slots(rules, case.busy, policy, now, case.window, sold=case.sold)
    assert free == list(filter(is_free, offered))


@settings(max_examples=60, deadline=None)
@given(case=cases(), policy=POLICIES, viewer=VIEWERS, cut=some.integers(1, 72 * 12 - 1))
def test_everybody_sees_the_same_slots(case: Case, policy: SlotPolicy, viewer: timezone, cut: int):
    """Instants written in any zone, and any days on which the viewer turns the page."""
    whole = case.window
    seen = free_slots(case.rules, case.busy, policy, LONG_AGO, whole, sold=case.sold)
    middle = whole.starts_at + cut * FIVE_MINUTES
    instants = TypeAdapter(InstantUtc)
    edges = [
        instants.validate_python(edge.astimezone(viewer).isoformat())
        for edge in (whole.starts_at, middle, whole.ends_at)
    ]
    pages = [
        slot
        for page in starmap(Interval, pairwise(edges))
        for slot in free_slots(case.rules, case.busy, policy, LONG_AGO, page, sold=case.sold)
    ]
    assert pages == seen


@settings(max_examples=80, deadline=None)
@given(case=cases(), policy=POLICIES, more=WEEKLY, extra=TIMES)
def test_more_hours_give_and_more_sessions_take(
    case: Case, policy: SlotPolicy, more: WeeklyHours, extra: list[tuple[timedelta, timedelta]]
):
    """Never fewer slots for more hours, never more for more that is busy or sold."""
    now, window = case.change - DAY, case.window

    def slots(rules: Rules, busy: list[Interval]) -> set[Interval]:
        sold = [each.starts_at for each in busy]
        return set(free_slots(rules, busy, policy, now, window, sold=sold))

    few = slots(case.rules, case.busy)
    longer = replace(case.rules, weekly=(*case.rules.weekly, more))
    busier = [Interval(case.change + at, case.change + at + length) for at, length in extra]
    assert few <= slots(longer, case.busy)
    assert few >= slots(case.rules, case.busy + busier)


@settings(max_examples=30, deadline=None)
@given(case=cases(), day=some.integers(-2, 3), minute=some.integers(0, 1439))
def test_clocks_show_what_instants_say(case: Case, day: int, minute: int):
    """A time of day has no instant, one or two, and each of them shows it."""
    at = WallClock((case.change + day * DAY).date(), minute)
    zone = ZoneInfo(zone_on(case.rules, at.day))
    found = instants_at(case.rules, at)
    start = datetime.combine(at.day, time(), UTC) - DAY
    naive = [
        instant
        for instant in (start + n * timedelta(minutes=1) for n in range(3 * 1440))
        if (wall := instant.astimezone(zone)).date() == at.day
        and wall.hour * 60 + wall.minute == minute
    ]
    assert found == naive
    home = replace(case.rules, travels=())
    assert all(wall_clock(home, instant) == at for instant in instants_at(home, at))


ALL_WEEK = tuple(WeeklyHours(day, 0, 1440) for day in range(7))
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def starts(policy: SlotPolicy, **window: datetime) -> list[datetime]:
    whole = Interval(window.get("since", NOON), window.get("until", NOON + timedelta(days=3)))
    return [slot.starts_at for slot in free_slots(Rules("UTC", ALL_WEEK), (), policy, NOON, whole)]


def test_the_minimum_notice_is_enough_to_the_minute():
    """A start exactly that far away is offered, one a step sooner is not."""
    policy = replace(ANY_TIME, minimum_notice_minutes=90)
    assert starts(policy)[0] == NOON + timedelta(minutes=90)
    assert starts(replace(policy, minimum_notice_minutes=91))[0] == NOON + timedelta(minutes=120)


def test_the_horizon_is_half_open():
    """The last start lies before the horizon, never on it."""
    policy = replace(ANY_TIME, horizon_days=1)
    assert starts(policy)[-1] == NOON + timedelta(days=1) - timedelta(minutes=30)


def test_the_window_is_half_open():
    """A start at its beginning is shown, one at its end belongs to the next window."""
    shown = starts(ANY_TIME, since=NOON, until=NOON + timedelta(hours=1))
    assert shown == [NOON, NOON + timedelta(minutes=30)]
    assert starts(ANY_TIME, since=NOON, until=NOON) == []


@pytest.mark.parametrize(("minutes", "free"), [(60, True), (61, False)])
def test_sessions_may_touch(minutes: int, free: bool):
    """What ends at ten leaves ten o'clock free; a minute more does not."""
    sold = Interval(
        NOON - timedelta(hours=1), NOON - timedelta(hours=1) + timedelta(minutes=minutes)
    )
    found = free_slots(
        Rules("UTC", ALL_WEEK), [sold], ANY_TIME, LONG_AGO, Interval(NOON, NOON + FIVE_MINUTES)
    )
    assert bool(found) is free


def test_a_session_may_run_over_midnight():
    """Hours that end at 24:00 and go on at 00:00 are one."""
    weekly = (WeeklyHours(0, 23 * 60, 1440), WeeklyHours(1, 0, 60))
    window = Interval(NOON, NOON + timedelta(days=1))
    found = free_slots(Rules("UTC", weekly), (), ANY_TIME, NOON, window)
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    assert [slot.starts_at - midnight for slot in found] == [
        timedelta(minutes=minutes) for minutes in (-60, -30, 0)
    ]


def test_the_hour_after_the_spring_change_follows_the_one_before():
    """In New York 01:30 is followed by 03:00 on 8 March 2026; 02:00 and 02:30 do not exist."""
    rules = Rules("America/New_York", (WeeklyHours(6, 60, 240),))
    change = datetime(2026, 3, 8, tzinfo=UTC)
    found = free_slots(rules, (), ANY_TIME, LONG_AGO, day_around(change))
    zone = ZoneInfo("America/New_York")
    walls = [slot.starts_at.astimezone(zone).strftime("%H:%M") for slot in found]
    assert walls == ["01:00", "01:30", "03:00"]


def test_the_hour_that_comes_twice_is_offered_twice():
    """In London 01:00 and 01:30 are two instants each on 25 October 2026."""
    rules = Rules("Europe/London", (WeeklyHours(6, 60, 150),))
    change = datetime(2026, 10, 25, tzinfo=UTC)
    found = free_slots(rules, (), ANY_TIME, LONG_AGO, day_around(change))
    assert [slot.starts_at.strftime("%H:%MZ") for slot in found] == [
        "00:00Z", "00:30Z", "01:00Z", "01:30Z",
    ]  # fmt: skip


def test_a_day_that_was_skipped_offers_nothing():
    """Apia had no Friday 30 December 2011, so Friday hours open nowhere near it."""
    rules = Rules("Pacific/Apia", (WeeklyHours(4, 0, 1440),))
    window = Interval(datetime(2011, 12, 29, tzinfo=UTC), datetime(2012, 1, 1, tzinfo=UTC))
    assert free_slots(rules, (), ANY_TIME, LONG_AGO, window) == []


def test_a_start_off_the_grid_is_not_offered():
    """What is not in the list cannot be held."""
    rules = Rules("UTC", ALL_WEEK)
    assert is_offered(rules, ANY_TIME, LONG_AGO, NOON)
    assert not is_offered(rules, ANY_TIME, LONG_AGO, NOON + timedelta(minutes=1))
    assert not is_offered(rules, ANY_TIME, LONG_AGO, NOON + timedelta(microseconds=1))


def test_abroad_the_same_hours_are_read_on_the_clocks_there():
    """Ten o'clock in Berlin, in Tokyo on the days of the travel, and in Berlin again."""
    berlin, tokyo = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")
    travel = Travel("Asia/Tokyo", date(2026, 3, 3), date(2026, 3, 4))
    weekly = tuple(WeeklyHours(day, 600, 660) for day in range(5))
    rules = Rules("Europe/Berlin", weekly, (travel,))
    found = free_slots(rules, (), ANY_TIME, LONG_AGO, Interval(NOON - DAY, NOON + 4 * DAY))
    ten = [datetime(2026, 3, day, 10, tzinfo=UTC).replace(tzinfo=None) for day in range(2, 7)]
    zones = (berlin, tokyo, tokyo, berlin, berlin)
    assert [slot.starts_at for slot in found] == [
        wall.replace(tzinfo=zone).astimezone(UTC) for wall, zone in zip(ten, zones, strict=True)
    ]


def test_a_date_has_hours_of_its_own_or_none():
    """An override replaces the weekday's hours, several windows included."""
    days = [(NOON + n * DAY).date() for n in range(2)]
    overrides = (
        Override(days[0], (Hours(780, 840), Hours(900, 960))),
        Override(days[1], (), "New Year's Day"),
    )
    window = Interval(NOON - DAY / 2, NOON + 3 * DAY / 2)
    found = free_slots(Rules("UTC", ALL_WEEK, (), overrides), (), ANY_TIME, LONG_AGO, window)
    assert [slot.starts_at - NOON for slot in found] == [timedelta(hours=1), timedelta(hours=3)]


def test_caps_count_the_days_and_weeks_of_the_mentor():
    """Sunday evening in New York is Monday in UTC, yet belongs to the week that ends."""
    rules = Rules("America/New_York", ALL_WEEK)
    sunday, monday = (datetime(2026, 3, day, 23, tzinfo=UTC) for day in (1, 2))
    late = sunday + timedelta(hours=4)
    assert not leave_room(rules, Caps(weekly=1), [sunday], [late])
    assert not leave_room(rules, Caps(daily=1), [sunday], [late])
    assert leave_room(rules, Caps(daily=1, weekly=1), [sunday], [monday])
    assert not leave_room(rules, Caps(daily=2, weekly=2), [monday], [monday, monday + 2 * DAY])
    assert not leave_room(rules, Caps(daily=1), [], [monday, monday + timedelta(hours=1)])
