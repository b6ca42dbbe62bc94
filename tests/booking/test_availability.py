"""When a mentor works, over HTTP: weekly hours, travels, single dates and public holidays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.auth import Role
from tests.booking.conftest import SLOT, WEEK, Marketplace

HOURS = "/v1/me/availability"
FRIDAY = f"{SLOT:%Y-%m-%d}"
TOKYO = {"zone": "Asia/Tokyo", "from_on": "2026-03-03", "until_on": "2026-03-06"}
DAY_OFF = {"on": FRIDAY, "hours": []}
FIVE_TO_NINE = {"starts": "17:00", "ends": "09:00"}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"zone": "Mars/Olympus"}, "shape_invalid"),
    ({"zone": "../../etc/passwd"}, "shape_invalid"),
    ({"room_url": "http://meet.example.test/room"}, "shape_invalid"),
    ({"room_url": "https://"}, "shape_invalid"),
    ({"room_url": "https://[broken"}, "shape_invalid"),
    ({"room_url": "javascript:alert(1)"}, "shape_invalid"),
    ({"room_url": "https://meet.example.test/a b"}, "shape_invalid"),
    ({"weekly": [{"weekday": 7, "starts": "09:00", "ends": "17:00"}]}, "shape_invalid"),
    ({"weekly": [{"weekday": 0, "starts": "9:00", "ends": "17:00"}]}, "shape_invalid"),
    ({"weekly": [{"weekday": 0, "starts": "24:00", "ends": "24:00"}]}, "shape_invalid"),
    ({"weekly": [{"weekday": 0, **FIVE_TO_NINE}]}, "hours_overlap"),
    ({"weekly": [{"weekday": 0, "starts": "09:00", "ends": "09:00"}]}, "hours_overlap"),
    ({"weekly": WEEK["weekly"] * 2}, "hours_overlap"),
    ({"travels": [TOKYO | {"zone": "Moon/Sea"}]}, "shape_invalid"),
    ({"travels": [TOKYO | {"from_on": "1999-12-31"}]}, "shape_invalid"),
    ({"travels": [TOKYO | {"until_on": "2026-02-30"}]}, "shape_invalid"),
    ({"travels": [TOKYO | {"until_on": "2026-03-02"}]}, "travels_overlap"),
    ({"travels": [TOKYO, TOKYO | {"from_on": "2026-03-06"}]}, "travels_overlap"),
    ({"overrides": [DAY_OFF, DAY_OFF]}, "overridden_twice"),
    ({"overrides": [DAY_OFF | {"hours": [FIVE_TO_NINE]}]}, "hours_overlap"),
    ({"overrides": [DAY_OFF | {"name": ""}]}, "shape_invalid"),
]


async def starts_on(market: Marketplace, offering_id: object, day: datetime) -> list[str]:
    """Return what is offered within a day of UTC."""
    window = f"from={day:%Y-%m-%dT00:00:00Z}&until={day + timedelta(days=1):%Y-%m-%dT00:00:00Z}"
    status, answer = await market.call("GET", f"/v1/offerings/{offering_id}/slots?{window}")
    assert status == 200, answer
    return [slot["starts_at"] for slot in answer["items"]]


async def test_wrong_hours_are_refused(market: Marketplace):
    """And the ones before stay."""
    mentor = await market.mentor()
    for change, code in WRONG:
        status, problem = await market.call("PUT", HOURS, mentor, version=1, json=WEEK | change)
        assert (status, problem["code"]) == (422 if code == "shape_invalid" else 409, code), change
    status, kept = await market.call("GET", HOURS, mentor)
    assert (kept["version"], kept["weekly"], kept["zone"]) == (1, WEEK["weekly"], "UTC")


async def test_hours_begin_at_version_zero_and_rise(market: Marketplace):
    """Nobody overwrites what they have not seen, the first time included."""
    mentor = market.person(Role.MENTOR)
    status, nothing = await market.call("GET", HOURS, mentor)
    empty = {"zone": "UTC", "weekly": [], "travels": [], "overrides": [], "room_url": None}
    assert (status, nothing) == (200, empty | {"version": 0})
    assert (await market.call("PUT", HOURS, mentor, version=1, json=WEEK))[0] == 412
    assert (await market.call("PUT", HOURS, mentor, version=0, json=WEEK))[0] == 200
    assert (await market.call("PUT", HOURS, mentor, version=0, json=WEEK))[0] == 412
    status, second = await market.call("PUT", HOURS, mentor, version=1, json=WEEK)
    assert (status, second["version"]) == (200, 2)


async def test_travels_and_single_dates_come_back_as_they_were_set(market: Marketplace):
    """And decide what is offered: Tokyo's evening on the days there, two windows, a day off."""
    mentor = await market.mentor()
    offering_id = await market.offer(mentor)
    said = {
        "zone": "UTC",
        "weekly": [{"weekday": day, "starts": "18:00", "ends": "19:00"} for day in range(7)],
        "room_url": WEEK["room_url"],
        "travels": [TOKYO],
        "overrides": [
            {"on": "2026-03-05", "hours": [], "name": "Hina's day"},
            {
                "on": "2026-03-08",
                "hours": [
                    {"starts": "09:00", "ends": "10:00"}, {"starts": "22:30", "ends": "24:00"},
                ],
                "name": None,
            },
        ],
    }  # fmt: skip
    status, kept = await market.call("PUT", HOURS, mentor, version=1, json=said)
    assert (status, kept) == (200, said | {"version": 2})
    assert await market.call("GET", HOURS, mentor) == (200, kept)

    async def starts(day: int) -> list[str]:
        found = await starts_on(market, offering_id, datetime(2026, 3, day, tzinfo=UTC))
        return [start[11:16] for start in found]

    shown = [await starts(day) for day in range(4, 9)]
    assert shown == [["09:00"], [], ["09:00"], ["18:00"], ["09:00", "22:30", "23:00"]]


async def test_a_day_off_ends_no_session_that_is_sold(market: Marketplace):
    """It only takes the day off sale."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    day_off = WEEK | {"overrides": [DAY_OFF]}
    assert (await market.call("PUT", HOURS, mentor, version=1, json=day_off))[0] == 200
    assert await market.state(order) == "confirmed"
    status, problem = await market.ask(
        market.person(), order["offering_id"], SLOT + timedelta(hours=3)
    )
    assert (status, problem["code"]) == (409, "slot_not_offered")


async def test_public_holidays_can_be_picked(market: Marketplace):
    """A country's days in order, by their English names; an unknown country is refused."""
    mentor = market.person(Role.MENTOR)
    status, listed = await market.call("GET", "/v1/holidays/countries", mentor)
    assert status == 200
    assert {"code": "DE", "name": "Germany"} in listed["items"]
    status, days = await market.call("GET", "/v1/holidays?country=DE&year=2026", mentor)
    assert status == 200
    assert days["items"][:3] == [
        {"on": "2026-01-01", "name": "New Year's Day"},
        {"on": "2026-04-03", "name": "Good Friday"},
        {"on": "2026-04-06", "name": "Easter Monday"},
    ]
    status, problem = await market.call("GET", "/v1/holidays?country=XX&year=2026", mentor)
    assert (status, problem["code"]) == (422, "country_unknown")
    status, problem = await market.call("GET", "/v1/holidays?country=DE&year=1999", mentor)
    assert (status, problem["code"]) == (422, "shape_invalid")
