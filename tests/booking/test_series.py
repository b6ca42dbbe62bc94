"""Series: weekly dates on the mentor's clocks, sold as one purchase, all of them or none."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import asyncpg

from services.booking.commands.series import hold_series
from services.booking.domain.holds import SlotTaken, Start, Wish
from services.booking.domain.orders import Order, OrderState
from services.booking.domain.series import (
    ClockChange,
    clock_changes,
    series_dates,
)
from services.booking.slots import Interval, Rules, Travel
from shared.contracts.booking import (
    BookingCancelled,
    BookingConfirmed,
    BookingHeld,
    BookingLost,
    BookingRequested,
    FrozenPolicy,
    SessionCompleted,
)
from shared.db import in_transaction
from shared.ids import OfferingId, OrderId, PersonId, SessionId, new_id
from tests.booking.conftest import SLOT, STANDARD, TERMS, WEEK, Marketplace, Person
from tests.engines import Database

A_WEEK = timedelta(weeks=1)
CROWD = 50
DEADLINE_SECONDS = 60
SEED = 20260306
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
HALVES = """
SELECT o.order_id, o.state, count(DISTINCT s.session_id) AS sessions,
       count(p.participation_id) FILTER (WHERE p.active) AS seats
FROM orders AS o
JOIN sessions AS s ON s.order_id = o.order_id
LEFT JOIN participations AS p ON p.session_id = s.session_id
GROUP BY o.order_id
"""


def weekly(first: datetime = SLOT, weeks: int = 4) -> list[datetime]:
    return [first + n * A_WEEK for n in range(weeks)]


async def buy(
    market: Marketplace, mentee: Person, offering_id: UUID, starts: list[datetime]
) -> tuple[int, Any]:
    """Ask over HTTP for a series."""
    body = {
        "offering_id": str(offering_id),
        "starts": [start.isoformat() for start in starts],
        "accepted_policy": STANDARD,
    }
    return await market.call("POST", "/v1/series", mentee, json=body)


async def look(
    market: Marketplace,
    offering_id: UUID,
    who: Person | None = None,
    starts_at: datetime = SLOT,
    **query: Any,
) -> tuple[int, Any]:
    """Ask over HTTP what would become of a series."""
    asked = {"starts_at": starts_at.isoformat(), "weeks": "4", **query}
    return await market.call("GET", f"/v1/offerings/{offering_id}/series", who, params=asked)


async def try_to_hold(
    market: Marketplace, mentee_id: PersonId, offering_id: OfferingId, starts: list[datetime]
) -> Order | None:
    """Hold a series by command, or be told that one of its dates is taken."""
    wish = Wish(
        OrderId(new_id()),
        tuple(Start(SessionId(new_id()), start) for start in starts),
        mentee_id,
        FrozenPolicy.model_validate(STANDARD),
    )
    try:
        return await in_transaction(
            market.pool,
            lambda conn: hold_series(conn, offering_id, wish, terms=TERMS, now=market.clock.now()),
        )
    except SlotTaken:
        return None


def instants(rules: Rules, first: datetime, weeks: int) -> list[tuple[datetime, ...]]:
    return [week.instants for week in series_dates(rules, first, weeks)]


def test_a_series_keeps_the_mentors_wall_clock_over_a_change():
    """18:00 in New York is 23:00 UTC before 8 March 2026 and 22:00 UTC after it."""
    first = datetime(2026, 3, 5, 23, tzinfo=UTC)
    dates = instants(Rules("America/New_York", ()), first, 3)
    assert dates == [(first,), (datetime(2026, 3, 12, 22, tzinfo=UTC),),
                     (datetime(2026, 3, 19, 22, tzinfo=UTC),)]  # fmt: skip


def test_a_skipped_time_is_no_date_and_a_repeated_one_comes_twice():
    """02:30 in Berlin does not exist on 29 March 2026 and exists twice on 25 October."""
    berlin = Rules("Europe/Berlin", ())
    spring = instants(berlin, datetime(2026, 3, 22, 1, 30, tzinfo=UTC), 3)
    assert spring[1:] == [(), (datetime(2026, 4, 5, 0, 30, tzinfo=UTC),)]
    autumn = instants(berlin, datetime(2026, 10, 18, 0, 30, tzinfo=UTC), 2)
    twice = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert autumn[1] == (twice, twice + timedelta(hours=1))


def test_a_series_goes_by_the_clocks_of_where_the_mentor_is():
    """9:00 in London, and 9:00 in Tokyo in the week in which the mentor is there."""
    away = Travel("Asia/Tokyo", date(2026, 3, 9), date(2026, 3, 15))
    rules = Rules("Europe/London", (), (away,))
    dates = instants(rules, datetime(2026, 3, 6, 9, tzinfo=UTC), 3)
    assert [day[0].hour for day in dates] == [9, 0, 9]
    assert [day[0].day for day in dates] == [6, 13, 20]


def test_both_are_warned_before_their_clocks_change():
    """The mentor's zone and the viewer's, each on its own day; others' changes say nothing."""
    during = Interval(datetime(2026, 3, 6, 14, tzinfo=UTC), datetime(2026, 4, 10, 14, tzinfo=UTC))
    found = clock_changes(Rules("America/New_York", ()), during, "Australia/Lord_Howe")
    assert found == [
        ClockChange(date(2026, 3, 8), "America/New_York", 60),
        ClockChange(date(2026, 4, 5), "Australia/Lord_Howe", -30),
    ]
    travelling = Rules(
        "America/New_York", (), (Travel("Asia/Tokyo", date(2026, 3, 7), date(2026, 3, 20)),)
    )
    assert clock_changes(travelling, during, None) == []


async def test_a_preview_says_of_every_date_whether_it_is_free_and_what_is_near(
    market: Marketplace,
):
    """A sold date has the nearest starts of its day; price and clock changes are of the whole."""
    mentor = await market.mentor()
    offering_id = await market.offer(mentor)
    await market.hold(market.person().person_id, offering_id, SLOT + A_WEEK)
    status, planned = await look(market, offering_id, viewer_zone="Europe/Berlin")
    assert status == 200, planned
    assert [each["free"] for each in planned["dates"]] == [True, False, True, True]
    assert (planned["price_minor"], planned["currency"]) == (4 * 12_000, "USD")
    near = [each["starts_at"] for each in planned["dates"][1]["alternatives"]]
    assert near == ["2026-03-13T12:30:00Z", "2026-03-13T13:00:00Z", "2026-03-13T15:00:00Z"]
    assert planned["dates"][0]["alternatives"] == []
    assert planned["clock_changes"] == []
    _, longer = await look(market, offering_id, weeks="5", viewer_zone="Europe/Berlin")
    assert longer["clock_changes"] == [
        {"on": "2026-03-29", "zone": "Europe/Berlin", "shift_minutes": 60}
    ]


async def test_a_preview_offers_days_next_to_a_date_the_mentor_does_not_work(market: Marketplace):
    """Hours on Thursdays alone leave nothing but the day before for a series on Fridays."""
    mentor = await market.mentor()
    hours = [{"weekday": 3, "starts": "09:00", "ends": "11:00"}]
    await market.call(
        "PUT", "/v1/me/availability", mentor, version=1, json=WEEK | {"weekly": hours}
    )
    _, planned = await look(market, await market.offer(mentor), weeks="2")
    near = [[each["starts_at"] for each in day["alternatives"]] for day in planned["dates"]]
    assert near[0] == ["2026-03-05T09:00:00Z", "2026-03-05T09:30:00Z", "2026-03-05T10:00:00Z"]
    assert not any(day["free"] for day in planned["dates"])


async def test_a_date_in_the_gap_of_the_clocks_is_a_conflict_with_alternatives(
    market: Marketplace,
):
    """02:30 on 29 March is nowhere in Berlin: nothing is moved silently."""
    mentor = await market.mentor()
    await market.call(
        "PUT", "/v1/me/availability", mentor, version=1, json=WEEK | {"zone": "Europe/Berlin"}
    )
    first = datetime(2026, 3, 22, 1, 30, tzinfo=UTC)
    status, planned = await look(market, await market.offer(mentor), starts_at=first, weeks="2")
    assert status == 200, planned
    gap = planned["dates"][1]
    assert (gap["on"], gap["starts_at"], gap["free"]) == ("2026-03-29", None, False)
    near = [each["starts_at"] for each in gap["alternatives"]]
    assert near == ["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z"]
    assert planned["clock_changes"] == [
        {"on": "2026-03-29", "zone": "Europe/Berlin", "shift_minutes": 60}
    ]


async def test_a_preview_knows_the_viewers_own_sessions(market: Marketplace):
    """Who is signed in and busy then sees the date taken, others see it free."""
    mentee = market.person()
    await market.hold(mentee.person_id, await market.offer(await market.mentor()), SLOT + A_WEEK)
    offering_id = await market.offer(await market.mentor())
    _, own = await look(market, offering_id, mentee)
    _, others = await look(market, offering_id)
    assert [each["free"] for each in own["dates"]] == [True, False, True, True]
    assert all(each["free"] for each in others["dates"])


async def test_some_series_cannot_be_bought(market: Marketplace):
    """What is free of charge, beyond the horizon, too dear, not weekly, or not offered."""
    mentor, mentee = await market.mentor(), market.person()
    intro = await market.offer(mentor, price_minor=0)
    offering_id = await market.offer(mentor)
    dear = await market.offer(mentor, price_minor=60_000_000)
    assert (await look(market, intro))[1]["code"] == "series_not_for_free"
    assert (await buy(market, mentee, intro, weekly()))[1]["code"] == "series_not_for_free"
    _, refused = await look(market, offering_id, weeks="26")
    assert (refused["code"], refused["facts"]) == ("series_too_long", {"weeks_at_most": 8})
    assert (await buy(market, mentee, dear, weekly()))[1]["code"] == "series_too_dear"
    daily = [SLOT + timedelta(days=n) for n in range(2)]
    assert (await buy(market, mentee, offering_id, daily))[1]["code"] == "series_not_weekly"
    assert (await buy(market, mentee, offering_id, [SLOT, SLOT]))[1]["code"] == "series_not_weekly"
    odd = [SLOT, SLOT + A_WEEK + timedelta(minutes=1)]
    assert (await buy(market, mentee, offering_id, odd))[1]["code"] == "slot_not_offered"
    assert await market.pool.fetchval("SELECT count(*) FROM orders") == 0


async def test_a_series_is_held_and_paid_as_one(market: Marketplace):
    """One purchase, one hold of the three one may have, N times the price, one confirmation."""
    mentor, mentee = await market.mentor(), market.person()
    starts = weekly()
    starts[2] += timedelta(days=1)
    status, order = await buy(market, mentee, await market.offer(mentor), starts)
    assert (status, order["state"], order["price_minor"]) == (201, "held", 4 * 12_000)
    assert [datetime.fromisoformat(each["starts_at"]) for each in order["sessions"]] == starts
    (held,) = await market.facts(BookingHeld)
    assert (held.price_minor, held.session_id) == (48_000, held.sessions[0].session_id)
    assert [each.price_minor for each in held.sessions] == [12_000] * 4
    for n in range(2):
        other = await market.offer(await market.mentor())
        assert (await market.ask(mentee, other, SLOT + timedelta(hours=n + 2)))[0] == 201
    fourth = await market.offer(await market.mentor())
    _, refused = await market.ask(mentee, fourth, SLOT + timedelta(hours=8))
    assert refused["code"] == "too_many_holds"
    assert await market.pay(order) == "handled"
    (confirmed,) = await market.facts(BookingConfirmed)
    assert [each.starts_at for each in confirmed.sessions] == starts


async def test_a_taken_date_refuses_the_whole_series_and_is_named(market: Marketplace):
    """Nothing is held, and what is left out makes a series of the rest."""
    offering_id = await market.offer(await market.mentor())
    await market.hold(market.person().person_id, offering_id, SLOT + A_WEEK)
    await market.hold(market.person().person_id, offering_id, SLOT + 3 * A_WEEK)
    mentee = market.person()
    _, refused = await buy(market, mentee, offering_id, weekly())
    taken = [(SLOT + n * A_WEEK).isoformat() for n in (1, 3)]
    assert (refused["code"], refused["facts"]["taken"].split()) == ("series_taken", taken)
    assert await market.pool.fetchval("SELECT count(*) FROM orders") == 2
    status, _ = await buy(market, mentee, offering_id, [SLOT, SLOT + 2 * A_WEEK])
    assert status == 201


async def test_the_caps_of_an_offering_count_the_sessions_of_a_series(market: Marketplace):
    """A week that is full has no free date and no alternative, and refuses the whole series."""
    offering_id = await market.offer(await market.mentor(), weekly_cap=1)
    sold = SLOT + A_WEEK - timedelta(days=2)
    await market.hold(market.person().person_id, offering_id, sold)
    _, planned = await look(market, offering_id)
    assert [each["free"] for each in planned["dates"]] == [True, False, True, True]
    assert planned["dates"][1]["alternatives"] == []
    _, refused = await buy(market, market.person(), offering_id, weekly())
    assert refused["code"] == "slot_not_offered"
    status, _ = await buy(market, market.person(), offering_id, [SLOT, SLOT + 2 * A_WEEK])
    assert status == 201


async def test_a_series_of_an_offering_by_request_is_requested_as_one(market: Marketplace):
    """The mentor's yes holds all its dates."""
    mentor, mentee = await market.mentor(), market.person()
    offering_id = await market.offer(mentor, by_request=True)
    _, order = await buy(market, mentee, offering_id, weekly())
    assert {order["state"], *(each["state"] for each in order["sessions"])} == {"requested"}
    (asked,) = await market.facts(BookingRequested)
    assert (asked.price_minor, [each.starts_at for each in asked.sessions]) == (48_000, weekly())
    _, order = await market.call("POST", f"/v1/orders/{order['order_id']}/accept", mentor)
    assert {order["state"], *(each["state"] for each in order["sessions"])} == {"held"}


async def test_a_series_that_began_before_it_was_paid_is_lost_as_a_whole(market: Marketplace):
    """Its first session decides, and all its time is free again."""
    _, order = await buy(
        market, market.person(), await market.offer(await market.mentor()), weekly()
    )
    market.clock.instant = SLOT
    assert await market.pay(order) == "handled"
    (lost,) = await market.facts(BookingLost)
    assert lost.reason == "begun"
    (row,) = await market.pool.fetch(HALVES)
    assert (row["state"], row["sessions"], row["seats"]) == ("lost", 4, 0)


async def test_every_session_of_a_series_goes_its_own_way(market: Marketplace):
    """One is called off, the others complete one by one; the purchase stands where they do."""
    mentor, mentee = await market.mentor(), market.person()
    _, order = await buy(market, mentee, await market.offer(mentor), weekly(weeks=3))
    await market.pay(order)
    path = f"/v1/orders/{order['order_id']}"
    first, second, third = (each["session_id"] for each in order["sessions"])
    _, unnamed = await market.call(
        "POST", f"{path}/cancel", mentee, json={"shown_refund_basis_points": 10_000}
    )
    assert unnamed["code"] == "session_unnamed"
    body = {"session_id": second, "shown_refund_basis_points": 10_000}
    status, seen = await market.call("POST", f"{path}/cancel", mentee, json=body)
    assert (status, seen["state"]) == (200, "confirmed")
    (cancelled,) = await market.facts(BookingCancelled)
    assert (str(cancelled.session_id), cancelled.refund_basis_points) == (second, 10_000)
    market.clock.instant = SLOT + timedelta(hours=1)
    _, seen = await market.call("POST", f"{path}/complete", mentee, json={"session_id": first})
    assert [each["state"] for each in seen["sessions"]] == ["completed", "cancelled", "confirmed"]
    assert (seen["state"], seen["session_id"]) == ("confirmed", third)
    market.clock.instant = SLOT + 2 * A_WEEK + timedelta(hours=25)
    assert await market.work() == 1
    _, seen = await market.call("GET", path, mentee)
    assert seen["state"] == "completed"
    told = await market.facts(SessionCompleted)
    assert [(str(fact.session_id), fact.by) for fact in told] == [
        (first, "mentee"),
        (third, "system"),
    ]
    assert len({fact.version for fact in await market.facts(key=UUID(order["order_id"]))}) == 5


async def test_two_race_for_overlapping_series_and_one_has_it_whole(market: Marketplace):
    """Each wants the other's last date first: no half of a series is left, ten times over."""
    offering_id = await market.offer(await market.mentor())
    for round_number in range(10):
        first = SLOT + round_number * timedelta(hours=2)
        one, other = weekly(first, 3), weekly(first + A_WEEK, 3)
        async with asyncio.timeout(DEADLINE_SECONDS):
            held = await asyncio.gather(
                *(
                    try_to_hold(market, market.person().person_id, offering_id, starts)
                    for starts in (one, other)
                )
            )
        assert [order is None for order in held].count(True) == 1
    rows = await market.pool.fetch(HALVES)
    assert [(row["sessions"], row["seats"]) for row in rows] == [(3, 6)] * 10


async def test_a_crowd_wants_random_series_and_nobody_gets_half_of_one(
    market: Marketplace, own_database: Database
):
    """Fifty people who are mentors and mentees at once; PostgreSQL has no deadlock to break."""
    mentors = [await market.mentor() for _ in range(4)]
    offerings = [await market.offer(mentor, buffer_after_minutes=10) for mentor in mentors]
    own = {mentor.person_id: offering for mentor, offering in zip(mentors, offerings, strict=True)}
    people = [*own, *(market.person().person_id for _ in range(CROWD - len(mentors)))]
    chance = Random(SEED)

    async def client(mentee_id: PersonId) -> Order | None:
        offering_id = chance.choice([each for each in offerings if each != own.get(mentee_id)])
        first = SLOT + chance.randrange(6) * timedelta(minutes=30)
        starts = weekly(first + chance.randrange(3) * A_WEEK, chance.randrange(2, 5))
        return await try_to_hold(market, mentee_id, offering_id, starts)

    async with asyncio.timeout(DEADLINE_SECONDS):
        held = [order for order in await asyncio.gather(*map(client, people)) if order]
    rows = await market.pool.fetch(HALVES)
    assert len(rows) == len(held) > 5
    assert all(row["seats"] == 2 * row["sessions"] for row in rows)
    assert {order.state for order in held} == {OrderState.HELD}
    assert await market.overlaps() == 0
    conn = await asyncpg.connect(own_database.superuser_url)
    try:
        assert await conn.fetchval(DEADLOCKS) == 0
    finally:
        await conn.close()
