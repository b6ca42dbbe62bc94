"""Mentors add calendars; a worker reads them, and their busy times are not for sale."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from services.booking.commands.calendars import claim_calendars, record
from services.booking.domain.calendars import Finding, Marks, Reach, Reading
from services.booking.gateway.fetching import Feed, Fetcher
from services.booking.gateway.reading import Reader
from services.booking.slots import Interval
from services.booking.workers import Librarian
from shared.clock import SystemInstant, system_now
from shared.db import in_transaction
from shared.ids import OfferingId
from tests.booking.calendar_server import EMPTY, SECRET, CalendarServer, busy_at
from tests.booking.conftest import NOW, SLOT, WEEK, Marketplace, Person

pytestmark = pytest.mark.usefixtures("_calendars_are_here")
LOCAL = Reach((ip_network("127.0.0.1/32"),))
IS_DUE = "UPDATE calendars SET next_fetch_at = attempted_at"
WAITS = """
SELECT (extract(epoch FROM next_fetch_at - attempted_at) / 60)::int FROM calendars
"""
TOLD = """
SELECT string_agg(t.t, '') FROM (
    SELECT convert_from(value, 'UTF8') AS t FROM outbox UNION ALL
    SELECT convert_from(answer, 'UTF8') FROM idempotency WHERE answer IS NOT NULL
) AS t
"""
AT_SLOT = "20260306T140000Z"


@pytest.fixture
def _calendars_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKING_CALENDAR_NETWORKS", "127.0.0.1/32")


@pytest.fixture
async def server() -> AsyncGenerator[CalendarServer]:
    """Give a server of calendars on this machine; Friday at two is taken."""
    made = CalendarServer(text=busy_at(AT_SLOT))
    async with made.server:
        yield made


@pytest.fixture(scope="module")
async def reader() -> AsyncGenerator[Reader]:
    """Give the process that reads feeds."""
    made = Reader()
    yield made
    await made.close()


@dataclass
class Scene:
    """A mentor with an offering, and the worker that reads calendars."""

    market: Marketplace
    mentor: Person
    offering_id: OfferingId
    librarian: Librarian

    async def call(self, method: str, path: str = "", **options: Any) -> tuple[int, Any]:
        return await self.market.call(method, f"/v1/me/calendars{path}", self.mentor, **options)

    async def add(self, url: str, name: str = "Work") -> Any:
        status, made = await self.call("POST", json={"name": name, "url": url})
        assert status == 201, made
        return made

    async def read(self) -> int:
        """Let the worker read what is due."""
        return await self.librarian.read_calendars()

    async def read_again(self) -> Any:
        """Let the only calendar be read once more; return how it looks then."""
        await self.market.pool.execute(IS_DUE)
        assert await self.read() == 1
        return await self.only()

    async def only(self) -> Any:
        _, found = await self.call("GET")
        (calendar,) = found["items"]
        return calendar

    async def starts(self) -> set[str]:
        """Return which starts of Friday are free."""
        window = {"from": "2026-03-06T00:00:00Z", "until": "2026-03-07T00:00:00Z"}
        path = f"/v1/offerings/{self.offering_id}/slots"
        _, found = await self.market.call("GET", path, params=window)
        return {slot["starts_at"][11:16] for slot in found["items"]}


@pytest.fixture
async def scene(market: Marketplace, reader: Reader) -> Scene:
    """Give a mentor who sells hours around the clock."""
    mentor = await market.mentor()
    librarian = Librarian(market.pool, market.clock, Fetcher(LOCAL), reader)
    return Scene(market, mentor, await market.offer(mentor), librarian)


async def test_what_a_calendar_takes_is_not_for_sale(scene: Scene, server: CalendarServer):
    """It is read in the background; nobody holds what overlaps it, and others hear of it."""
    added = await scene.add(server.url())
    assert (added["fetched_at"], added["busy_count"], added["failure"]) == (None, 0, None)
    assert server.asked == []
    assert "14:00" in await scene.starts()
    await scene.market.pool.execute("DELETE FROM openings_to_do")
    assert await scene.read() == 1
    assert await scene.read() == 0
    calendar = await scene.only()
    assert (calendar["busy_count"], calendar["failure"]) == (1, None)
    assert calendar["fetched_at"] == NOW.isoformat().replace("+00:00", "Z")
    taken = {"13:30", "14:00", "14:30"}
    assert not taken & await scene.starts()
    assert await scene.market.pool.fetchval("SELECT count(*) FROM openings_to_do") == 1
    status, refusal = await scene.market.ask(scene.market.person(), scene.offering_id, SLOT)
    assert (status, refusal["code"]) == (409, "slot_not_offered")
    await scene.call("DELETE", f"/{calendar['calendar_id']}")
    assert taken <= await scene.starts()


async def test_a_calendar_that_fails_keeps_what_it_said(scene: Scene, server: CalendarServer):
    """Its owner sees why and since when; it is asked ever more rarely, and recovers by itself."""
    await scene.add(server.url())
    await scene.read()
    scene.market.advance(timedelta(minutes=5))
    failing_since = scene.market.clock.now()
    server.status, server.etag = 500, None
    for minutes in (15, 30):
        calendar = await scene.read_again()
        scene.market.advance(timedelta(minutes=5))
        assert (calendar["failure"], calendar["busy_count"]) == ("server_failed", 1)
        assert datetime.fromisoformat(calendar["failing_since"]) == failing_since
        assert calendar["fetched_at"] == NOW.isoformat().replace("+00:00", "Z")
        assert await scene.market.pool.fetchval(WAITS) == minutes
    server.status, server.text = 200, "<html>Sign in</html>"
    assert (await scene.read_again())["failure"] == "not_a_calendar"
    assert "14:00" not in await scene.starts()
    server.text = busy_at("20260306T160000Z", more="REFRESH-INTERVAL:PT2H\r\n")
    calendar = await scene.read_again()
    assert (calendar["failure"], calendar["failing_since"]) == (None, None)
    assert await scene.market.pool.fetchval(WAITS) == 120
    assert {"14:00", "16:00"} & await scene.starts() == {"14:00"}


async def test_an_unchanged_feed_is_read_anew_when_our_view_of_it_changes(
    scene: Scene, server: CalendarServer
):
    """Else not: but floating times move with the mentor's zone, and the horizon with the days."""
    server.text = busy_at("20260306T140000")
    await scene.add(server.url())
    await scene.read()
    assert "14:00" not in await scene.starts()
    await scene.read_again()
    assert server.asked[-1].headers["If-None-Match"] == server.etag
    home = WEEK | {"zone": "America/New_York"}
    await scene.market.call("PUT", "/v1/me/availability", scene.mentor, version=1, json=home)
    await scene.read_again()
    assert {"14:00", "19:00"} & await scene.starts() == {"14:00"}
    scene.market.advance(timedelta(days=8))
    await scene.read_again()
    assert "If-None-Match" not in server.asked[-1].headers


async def test_who_moves_to_another_zone_has_calendars_read_at_once(
    scene: Scene, server: CalendarServer
):
    """Otherwise the day off of a day ago would be sold for up to a day."""
    await scene.add(server.url())
    await scene.read()
    home = WEEK | {"zone": "Asia/Kathmandu"}
    await scene.market.call("PUT", "/v1/me/availability", scene.mentor, version=1, json=home)
    assert await scene.market.pool.fetchval(WAITS) == 1


async def test_the_button_asks_a_server_once_a_minute_at_most(scene: Scene, server: CalendarServer):
    """However often it is pressed; the answer is the calendar as it is known now."""
    added = await scene.add(server.url())
    await scene.read()
    for _ in range(3):
        status, calendar = await scene.call("POST", f"/{added['calendar_id']}/refresh")
        assert (status, calendar["busy_count"]) == (200, 1)
    assert await scene.market.pool.fetchval(WAITS) == 1
    assert await scene.read() == 0


async def test_ten_calendars_each_once(scene: Scene, server: CalendarServer):
    """The same address is one calendar, and nobody needs more than ten."""
    for number in range(10):
        await scene.add(f"{server.url()}?{number}")
    for url, code in ((f"{server.url()}?1", "too_many_calendars"), ("ftp://x", None)):
        status, refusal = await scene.call("POST", json={"name": "Work", "url": url})
        assert (status, refusal["code"]) == (
            409 if code else 422,
            code or "calendar_address_refused",
        )
    first = (await scene.call("GET"))[1]["items"][0]
    assert (await scene.call("DELETE", f"/{first['calendar_id']}"))[0] == 204
    status, refusal = await scene.call("POST", json={"name": "W", "url": f"{server.url()}?1"})
    assert (status, refusal["code"]) == (409, "calendar_known")


class Garbled(Fetcher):
    """Fetches feeds; one of them comes with a mark that no database keeps."""

    async def fetch(self, url: str, marks: Marks) -> Feed | None:
        """Return a feed, the garbled one at once."""
        if url.endswith("?garbled"):
            return Feed(EMPTY.encode(), Marks("\udcff"))
        return await super().fetch(url, marks)


async def test_a_calendar_that_cannot_be_kept_keeps_no_other_back(
    scene: Scene, server: CalendarServer
):
    """The others are read to their end before the mistake is told."""
    await scene.add(f"{server.url()}?garbled", name="A")
    await scene.add(server.url(), name="B")
    librarian = replace(scene.librarian, fetcher=Garbled(LOCAL))
    with pytest.raises(asyncpg.DataError):
        await librarian.read_calendars()
    found = (await scene.call("GET"))[1]["items"]
    assert {each["name"]: bool(each["fetched_at"]) for each in found} == {"A": False, "B": True}


async def test_a_calendar_is_its_owners_alone(scene: Scene, server: CalendarServer):
    """Somebody else neither sees nor refreshes nor removes it."""
    added = await scene.add(server.url())
    other = await scene.market.mentor()
    path = f"/v1/me/calendars/{added['calendar_id']}"
    assert (await scene.market.call("POST", f"{path}/refresh", other))[0] == 404
    assert (await scene.market.call("DELETE", path, other))[0] == 404
    assert (await scene.market.call("GET", "/v1/me/calendars", other))[1]["items"] == []


async def test_the_address_is_shown_to_nobody(
    scene: Scene, server: CalendarServer, capfd: pytest.CaptureFixture[str]
):
    """Not in answers, events, kept answers or logs, whatever goes wrong: its host alone."""
    answers = [
        await scene.add(server.url(), name="One"),
        await scene.add(server.url() + "?2", "Two"),
    ]
    answers.append(await scene.call("POST", json={"name": "Again", "url": server.url()}))
    answers.append(await scene.call("POST", json={"name": "", "url": f"gopher://{SECRET}"}))
    await scene.read()
    await server.server.close()
    await scene.market.pool.execute(IS_DUE)
    assert await scene.read() == 2
    answers.append(await scene.call("GET"))
    assert answers[-1][1]["items"][0]["failure"] == "unreachable"
    assert answers[-1][1]["items"][0]["host"] == "127.0.0.1"
    written = capfd.readouterr()
    assert "calendar_unusable" in written.out
    told = f"{answers}{await scene.market.pool.fetchval(TOLD)}{written.out}{written.err}"
    assert SECRET not in told


async def test_what_came_of_an_errand_that_was_lost_is_left_alone(
    scene: Scene, server: CalendarServer
):
    """Removed meanwhile, or claimed by somebody else after the lease: nothing is kept."""
    pool, clock = scene.market.pool, scene.market.clock
    added = await scene.add(server.url())
    found = Finding(Reading((Interval(SLOT, SLOT + timedelta(hours=1)),), None), Marks())

    async def claim(now: SystemInstant) -> Any:
        return await in_transaction(
            pool, lambda conn: claim_calendars(conn, today=clock.now(), now=now)
        )

    now = system_now()
    (first,) = await claim(now)
    assert await claim(now) == []
    (second,) = await claim(SystemInstant(first.lease_until))
    for errand, count in ((first, 0), (second, 1)):
        await in_transaction(
            pool, lambda conn, e=errand: record(conn, e, found, read_at=clock.now(), now=now)
        )
        assert (await scene.only())["busy_count"] == count
    await pool.execute(IS_DUE)
    (third,) = await claim(SystemInstant(second.lease_until + timedelta(hours=1)))
    assert (await scene.call("DELETE", f"/{UUID(added['calendar_id'])}"))[0] == 204
    await in_transaction(
        pool, lambda conn: record(conn, third, found, read_at=clock.now(), now=now)
    )
    assert await pool.fetchval("SELECT count(*) FROM calendar_busy") == 0
