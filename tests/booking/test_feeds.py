"""Private calendar feeds: what they show to whoever has the address, and to nobody else."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar, Event

from services.booking.domain.feeds import LINE_OCTETS, Entry, calendar
from services.booking.domain.orders import OrderState
from shared.ids import OrderId, SessionId
from tests.booking.conftest import NOW, SLOT, STANDARD, Marketplace, Person

WEB = "https://web.test"
CONTENT_LINE = re.compile(
    r"[A-Z0-9-]+(;[A-Z0-9-]+=[^\x00-\x08\x0a-\x1f\x7f\";:,]+)*:[^\x00-\x08\x0a-\x1f\x7f]*"
)
"""RFC 5545 §3.1, without quoted parameters, which feeds do not have."""
TABLES = "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'booking'"
KEPT = "SELECT t::text AS kept FROM {} AS t"
INSERT_SESSION = """
INSERT INTO sessions (session_id, order_id, starts_at, ends_at, price_minor, state, completes_at)
SELECT gen_random_uuid(), $1, at, at + interval '1 hour', 0, 'confirmed', at + interval '1 day'
FROM (SELECT $2::timestamptz + number * interval '2 hours' AS at
      FROM generate_series(1, $3) AS number) AS times
"""
ENTRY = Entry(
    SessionId(UUID(int=1)),
    OrderId(UUID(int=2)),
    "Career talk",
    SLOT,
    SLOT + timedelta(hours=1),
    OrderState.CONFIRMED,
    0,
    NOW,
)


def lines_of(content: str) -> list[str]:
    """Return the content lines by the letter of RFC 5545: CRLF, 75 octets, unfolded."""
    assert content.endswith("\r\n")
    physical = content.removesuffix("\r\n").split("\r\n")
    assert all(len(line.encode()) <= LINE_OCTETS for line in physical)
    assert not any("\r" in line or "\n" in line for line in physical)
    return content.replace("\r\n ", "").removesuffix("\r\n").split("\r\n")


def events_of(content: str) -> list[Event]:
    """Return the entries as a parser that is not ours reads them."""
    parsed = Calendar.from_ical(content)
    assert not parsed.errors
    events = cast("list[Event]", parsed.walk("VEVENT"))
    assert not any(event.errors for event in events)
    return events


async def feed_of(market: Marketplace, who: Person) -> str:
    """Make somebody's feed and return its path."""
    status, made = await market.call("POST", "/v1/me/calendar-feed", who)
    assert status == 201, made
    return str(made["url_path"])


async def read(market: Marketplace, path: str, **headers: str) -> tuple[int, str, Any]:
    """Read a feed as a calendar program does: without a token of anybody."""
    async with market.client.get(path, headers=headers) as answer:
        return answer.status, (await answer.read()).decode(), answer.headers


@given(st.text(max_size=200) | st.text("aä—😀;", min_size=60), st.integers(0, 2**31 - 1))
@settings(max_examples=80)
def test_any_title_becomes_a_calendar_that_others_read(title: str, sequence: int):
    """Lines are folded at 75 octets between characters, and what was escaped comes back."""
    content = calendar([replace(ENTRY, title=title, calendar_sequence=sequence)], WEB)
    assert all(CONTENT_LINE.fullmatch(line) for line in lines_of(content))
    (event,) = events_of(content)
    shown = re.sub(r"[\x00-\x09\x0b-\x1f\x7f]", " ", title.replace("\r\n", "\n"))
    assert str(event["SUMMARY"]) == shown
    assert event["SEQUENCE"] == sequence


def test_an_entry_says_when_where_to_look_and_nothing_of_people():
    """Every property of RFC 5545 and RFC 7986 that calendars use, in UTC."""
    content = calendar([ENTRY, replace(ENTRY, state=OrderState.CANCELLED)], WEB)
    head = lines_of(content)[:8]
    assert "NAME:Mentorium" in head
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT1H" in head
    going, cancelled = events_of(content)
    assert str(going["UID"]) == f"{UUID(int=1)}@mentorium"
    assert str(going["URL"]) == f"{WEB}/sessions/{UUID(int=2)}"
    assert (going.start, going.end, going.stamp) == (ENTRY.starts_at, ENTRY.ends_at, NOW)
    assert "DTSTART:20260306T140000Z" in lines_of(content)
    assert [str(event["STATUS"]) for event in (going, cancelled)] == ["CONFIRMED", "CANCELLED"]
    assert set(going) == {"UID", "SEQUENCE", "STATUS", "TRANSP", "DTSTAMP", "DTSTART", "DTEND",
                          "SUMMARY", "DESCRIPTION", "URL"}  # fmt: skip


async def test_a_feed_shows_the_sessions_of_both_roles(market: Marketplace):
    """Confirmed ones, not those that are only held; to whoever has the address."""
    one, other = await market.mentor(), await market.mentor()
    teaches = await market.confirmed(one, other)
    _, learns = await market.ask(one, await market.offer(other), SLOT + timedelta(hours=3))
    await market.pay(learns)
    await market.ask(market.person(), await market.offer(one), SLOT + timedelta(hours=6))
    status, content, headers = await read(market, await feed_of(market, one))
    assert (status, headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert headers["Cache-Control"] == "private, no-cache"
    uids = [str(event["UID"]).removesuffix("@mentorium") for event in events_of(content)]
    assert uids == [teaches["session_id"], learns["session_id"]]
    assert str(other.person_id) not in content
    assert lines_of(content)[0] == "BEGIN:VCALENDAR"


async def test_an_unchanged_feed_is_not_sent_again(market: Marketplace):
    """If-None-Match gives 304 until something changes, also as a weak tag or one of several."""
    mentor, mentee = await market.mentor(), market.person()
    path = await feed_of(market, mentee)
    _, _, headers = await read(market, path)
    tag = headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        status, content, again = await read(market, path, **{"If-None-Match": known})
        assert (status, content, again["ETag"]) == (304, "", tag)
    assert (await read(market, path, **{"If-None-Match": '"other"'}))[0] == 200
    await market.confirmed(mentor, mentee)
    status, _, headers = await read(market, path, **{"If-None-Match": tag})
    assert status == 200
    assert headers["ETag"] != tag


async def test_what_was_called_off_stays_for_thirty_days_with_a_higher_sequence(
    market: Marketplace,
):
    """So that calendars that were away strike it out too; then it goes."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    path = await feed_of(market, mentor)
    (before,) = events_of((await read(market, path))[1])
    body = {"shown_refund_basis_points": 10_000}
    await market.call("POST", f"/v1/orders/{order['order_id']}/cancel", mentee, json=body)
    market.advance(timedelta(days=30))
    (after,) = events_of((await read(market, path))[1])
    assert (str(after["STATUS"]), after["UID"]) == ("CANCELLED", before["UID"])
    assert (before["SEQUENCE"], after["SEQUENCE"]) == (0, 1)
    market.advance(timedelta(seconds=1))
    assert events_of((await read(market, path))[1]) == []


async def test_a_feed_reaches_ninety_days_back_and_holds_a_thousand(market: Marketplace):
    """Of more it shows the last ones."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    path = await feed_of(market, mentee)
    market.clock.instant = SLOT + timedelta(days=90)
    assert len(events_of((await read(market, path))[1])) == 1
    market.advance(timedelta(seconds=1))
    assert events_of((await read(market, path))[1]) == []
    await market.pool.execute(INSERT_SESSION, UUID(order["order_id"]), market.clock.now(), 1_001)
    status, content, _ = await read(market, path)
    starts = [line for line in lines_of(content) if line.startswith("DTSTART")]
    assert (status, len(starts)) == (200, 1_000)
    assert starts == sorted(starts)
    last = market.clock.now() + 1_001 * timedelta(hours=2)
    assert starts[-1] == f"DTSTART:{last:%Y%m%dT%H%M%SZ}"


async def test_a_new_address_ends_the_old_one_and_one_can_have_none(market: Marketplace):
    """Revoked, unknown and mistyped addresses look the same."""
    person = market.person()
    _, none = await market.call("GET", "/v1/me/calendar-feed", person)
    assert none == {"exists": False, "created_at": None, "last_read_at": None}
    old, new = await feed_of(market, person), await feed_of(market, person)
    assert [(await read(market, path))[0] for path in (old, new)] == [404, 200]
    assert (await read(market, "/v1/feeds/no-such-secret/calendar.ics"))[0] == 404
    assert (await market.call("DELETE", "/v1/me/calendar-feed", person))[0] == 204
    assert (await read(market, new))[0] == 404
    assert (await market.call("GET", "/v1/me/calendar-feed", person))[1]["exists"] is False


async def test_the_secret_is_kept_nowhere_and_written_into_no_log(
    market: Marketplace, capsys: pytest.CaptureFixture[str]
):
    """Not in the database (not under a key of idempotency either), not in what is logged."""
    capsys.readouterr()
    path = await feed_of(market, market.person())
    assert (await read(market, path))[0] == 200
    token = path.split("/")[3]
    assert len(token) >= 43
    logged = capsys.readouterr()
    assert "/v1/feeds/{token}/calendar.ics" in logged.out
    assert token not in logged.out + logged.err
    kept = [
        str(row["kept"])
        for table in await market.pool.fetch(TABLES)
        for row in await market.pool.fetch(KEPT.format(table["name"]))
    ]
    assert len(kept) > 1
    # Columns of bytes are shown in hexadecimal.
    assert not any(token in row or token.encode().hex() in row for row in kept)


async def test_when_a_feed_was_read_is_noted_once_an_hour(market: Marketplace):
    """A calendar program that asks every minute writes nothing."""
    person = market.person()
    path = await feed_of(market, person)
    noted = list[str | None]()
    for minutes in (0, 59, 1):
        market.advance(timedelta(minutes=minutes))
        await read(market, path)
        noted.append((await market.call("GET", "/v1/me/calendar-feed", person))[1]["last_read_at"])
    first, later = (instant.isoformat().replace("+00:00", "Z")
                    for instant in (NOW, NOW + timedelta(hours=1)))  # fmt: skip
    assert noted == [first, first, later]


async def test_one_session_is_a_file_for_its_two_people(market: Marketplace):
    """The same entry as in the feed; for strangers and before it is confirmed there is none."""
    mentor, mentee = await market.mentor(), market.person()
    order = await market.confirmed(mentor, mentee)
    path = f"/v1/sessions/{order['session_id']}/calendar.ics"
    for who in (mentor, mentee):
        status, content, _ = await read(market, path, Authorization=f"Bearer {who.token}")
        assert status == 200
        (event,) = events_of(content)
        assert event.start == SLOT
    stranger = market.person()
    assert (await read(market, path, Authorization=f"Bearer {stranger.token}"))[0] == 404
    assert (await read(market, path))[0] == 401
    _, held = await market.ask(mentee, await market.offer(mentor), SLOT + timedelta(hours=3))
    path = f"/v1/sessions/{held['session_id']}/calendar.ics"
    assert (await read(market, path, Authorization=f"Bearer {mentee.token}"))[0] == 404


async def test_a_series_stands_in_the_feed_session_by_session(market: Marketplace):
    """Each with a UID of its own; calling one off changes that one alone."""
    mentor, mentee = await market.mentor(), market.person()
    starts = [SLOT + timedelta(weeks=number) for number in range(3)]
    body = {
        "offering_id": str(await market.offer(mentor)),
        "starts": [start.isoformat() for start in starts],
        "accepted_policy": STANDARD,
    }
    _, order = await market.call("POST", "/v1/series", mentee, json=body)
    await market.pay(order)
    cancelled = {
        "session_id": order["sessions"][1]["session_id"],
        "shown_refund_basis_points": 10_000,
    }
    await market.call("POST", f"/v1/orders/{order['order_id']}/cancel", mentee, json=cancelled)
    events = events_of((await read(market, await feed_of(market, mentee)))[1])
    assert [event.start for event in events] == starts
    assert len({str(event["UID"]) for event in events}) == 3
    assert [str(event["STATUS"]) for event in events] == ["CONFIRMED", "CANCELLED", "CONFIRMED"]
    assert [event["SEQUENCE"] for event in events] == [0, 1, 0]
