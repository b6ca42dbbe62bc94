"""What a feed's address cannot make us do, and what a feed cannot do to the one who reads it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from services.booking.domain.calendars import (
    HORIZON,
    CalendarAddressRefused,
    FeedUnusable,
    Marks,
    Reach,
    normal_address,
    refresh_after,
    retry_after,
)
from services.booking.gateway.fetching import LARGEST_BYTES, Fetcher
from services.booking.gateway.reading import Reader
from services.booking.slots import Interval
from tests.booking.calendar_server import EMPTY, HERE, CalendarServer, Names, busy_at

PUBLIC = Reach()
LOCAL = Reach((ip_network("127.0.0.1/32"),))
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
WINDOW = Interval(NOW, NOW + HORIZON)
NOT_ALLOWED = """
127.0.0.1 127.8.9.1 0.0.0.0 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1
100.127.255.254 169.254.169.254 169.254.170.2 192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.1
203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16 192.88.99.1
:: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::8.8.8.8 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1
fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1 2001::1 2001:db8::1 2002:7f00:1::1
3fff::1 100::1 127.1 2130706433 0x7f000001 017700000001 localhost 1.2.3
""".split()
NO_ADDRESSES = (
    "http://calendar.example.com/a.ics",
    "https://calendar.example.com:8443/a.ics",
    "https://ada:secret@calendar.example.com/a.ics",
    "webcal://ada@calendar.example.com/",
    "ftp://example.com/a",
    "file:///etc/passwd",
    "https:///a.ics",
    "https:calendar.example.com",
    "https://exa\tmple.com/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com/a\r\nHost: inside",
    "https://b\u00fccher.example/",
    "https://127.0.0.1/a.ics",
    "https://127.1/a.ics",
    "https://2130706433/",
    "https://[::1]/a.ics",
    "https://[::ffff:127.0.0.1]/",
    "https://169.254.169.254/latest",
    "https://example.com:99999/",
)


@pytest.fixture
async def server() -> AsyncGenerator[CalendarServer]:
    """Give a server of calendars on this machine."""
    made = CalendarServer()
    async with made.server:
        yield made


@pytest.fixture(scope="module")
async def reader() -> AsyncGenerator[Reader]:
    """Give the process that reads feeds."""
    made = Reader()
    yield made
    await made.close()


async def failure_of(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(FeedUnusable) as unusable:
        await fetcher.fetch(url, Marks())
    assert "127.0.0.1" not in str(unusable.value)
    return unusable.value.failure.value


@pytest.mark.parametrize("address", NOT_ALLOWED)
def test_only_public_addresses_are_connected_to(address: str):
    """Private, loopback, link-local, metadata, mapped, NAT64, CGNAT, multicast, odd spellings."""
    assert not PUBLIC.allows(address, 443)
    # What is allowed beside them in development opens nothing else.
    assert address == "127.0.0.1" or not LOCAL.allows(address, 443)


def test_public_addresses_are_reached_at_the_ports_of_the_web():
    """Ports of other protocols are not, so nothing is said to a mail server or a database."""
    for address in ("8.8.8.8", "142.250.185.78", "2a00:1450:4001:80f::200e", "2606:4700::1111"):
        assert PUBLIC.allows(address, 443)
        assert PUBLIC.allows(address, 80)
        assert not PUBLIC.allows(address, 25)
        assert not LOCAL.allows(address, 5432)
    assert LOCAL.allows(HERE, 5432)


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_addresses_that_are_none_are_refused_at_the_door(url: str):
    """No plain http, no names and passwords, nothing two programs could read differently."""
    with pytest.raises(CalendarAddressRefused):
        PUBLIC.check(normal_address(url))


def test_addresses_as_products_give_them_out_are_taken():
    """Also those that begin with webcal."""
    for url in (
        "https://calendar.google.com/calendar/ical/a%40example.com/private-1f/basic.ics",
        "webcal://p01-caldav.icloud.com/published/2/MTI_x-y",
        "https://outlook.office365.com:443/owa/calendar/1@x/2/reachcalendar.ics?a=b&c=%20",
    ):
        PUBLIC.check(normal_address(url))


async def test_a_name_that_leads_inside_is_not_followed(server: CalendarServer):
    """Whatever is first or among the answers, no connection is made but to what is allowed."""
    for answer in ([HERE], ["10.0.0.1", "::1"], ["::ffff:127.0.0.1"], ["169.254.169.254"]):
        fetcher = Fetcher(PUBLIC, Names(answer))
        failure = await failure_of(fetcher, "https://calendar.example.com/a.ics")
        assert failure == "address_not_allowed"
    assert await failure_of(Fetcher(PUBLIC), server.url()) == "address_not_allowed"
    fetcher = Fetcher(LOCAL, Names(["127.0.0.2", HERE]))
    assert await fetcher.fetch(server.url("calendar.test"), Marks())
    assert len(server.asked) == 1


async def test_a_name_that_changes_its_mind_is_refused(server: CalendarServer):
    """DNS rebinding: what was allowed a moment ago is asked about again at each connection."""
    server.redirects, server.location = 1, server.url("calendar.test")
    names = Names([HERE], ["127.0.0.2"])
    assert await failure_of(Fetcher(LOCAL, names), server.location) == "address_not_allowed"
    assert (names.resolved, len(server.asked)) == (2, 1)


async def test_redirects_are_followed_three_times_and_never_inside(server: CalendarServer):
    """Each step is judged like the first address; no name and password is taken along."""
    server.redirects = 3
    assert await Fetcher(LOCAL).fetch(server.url(), Marks())
    server.asked.clear()
    server.redirects = 4
    assert await failure_of(Fetcher(LOCAL), server.url()) == "too_many_redirects"
    for location in (
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.2/",
        f"http://ada:secret@{HERE}:{server.port}/",
        "ftp://example.com/a.ics",
        "file:///etc/passwd",
        "//[::1]/",
    ):
        server.asked.clear()
        server.redirects, server.location = 1, location
        assert await failure_of(Fetcher(LOCAL), server.url()) == "address_not_allowed"
        assert len(server.asked) == 1


async def test_nothing_of_ours_is_sent_along(
    server: CalendarServer, monkeypatch: pytest.MonkeyPatch
):
    """No cookie, no password, no Referer; and no proxy stands between the check and the server."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.redirects = 1
    assert await Fetcher(LOCAL).fetch(server.url(), Marks())
    sent = {name.lower() for request in server.asked for name in request.headers}
    assert sent == {"host", "connection", "accept", "accept-encoding", "user-agent"}


async def test_a_feed_that_did_not_change_is_not_sent_again(server: CalendarServer):
    """The server's marks come back with the next question."""
    feed = await Fetcher(LOCAL).fetch(server.url(), Marks())
    assert feed
    assert feed.content == EMPTY.encode()
    assert await Fetcher(LOCAL).fetch(server.url(), feed.marks) is None


async def test_marks_that_are_no_plain_text_are_done_without(server: CalendarServer):
    """They could neither be kept nor sent back; the feed itself is read as any other."""
    server.etag = '"\u00e4"'
    feed = await Fetcher(LOCAL).fetch(server.url(), Marks())
    assert feed
    assert not feed.marks.etag


@pytest.mark.parametrize(
    ("status", "failure"),
    [(401, "not_permitted"), (403, "not_permitted"), (404, "not_found"), (410, "not_found"),
     (500, "server_failed"), (429, "server_failed"), (204, "server_failed")],
)  # fmt: skip
async def test_answers_without_a_feed_have_a_stable_word(
    server: CalendarServer, status: int, failure: str
):
    """The mentor reads what to do about it."""
    server.status = status
    assert await failure_of(Fetcher(LOCAL), server.url()) == failure


async def test_servers_that_send_too_much_too_slowly_or_nothing(server: CalendarServer):
    """Size by the declared length and by what comes; one deadline for everything."""
    endless = server.url().rsplit("/", 2)[0] + "/endless"
    assert await failure_of(Fetcher(LOCAL), endless) == "too_large"
    server.text = "x" * (LARGEST_BYTES + 1)
    assert await failure_of(Fetcher(LOCAL), server.url()) == "too_large"
    assert await failure_of(Fetcher(LOCAL, seconds=0.0), server.url()) == "timed_out"
    assert await failure_of(Fetcher(LOCAL), server.url(scheme="https")) == "tls_failed"
    assert await failure_of(Fetcher(LOCAL, Names([])), server.url("no.test")) == "host_unknown"
    url = server.url()
    await server.server.close()
    assert await failure_of(Fetcher(LOCAL), url) == "unreachable"


async def test_a_feed_that_never_ends_is_given_up_and_the_next_one_is_read(reader: Reader):
    """A meeting each second for ever ends the process that counts them, and nothing else."""
    feed = busy_at("20260306T140000Z").encode()
    bomb = feed.replace(b"DURATION", b"RRULE:FREQ=SECONDLY\r\nDURATION")
    expected = await reader.read(feed, "UTC", WINDOW)
    assert [busy.starts_at for busy in expected.busy] == [datetime(2026, 3, 6, 14, tzinfo=UTC)]
    reader.seconds, allowed = 1.0, reader.seconds
    with pytest.raises(FeedUnusable) as unusable:
        await reader.read(bomb, "UTC", WINDOW)
    reader.seconds = allowed
    assert unusable.value.failure.value == "too_complex"
    assert await reader.read(feed, "UTC", WINDOW) == expected


async def test_the_process_that_reads_says_what_is_wrong_with_a_feed(reader: Reader):
    """A page that asks to sign in is no empty calendar."""
    with pytest.raises(FeedUnusable) as unusable:
        await reader.read(b"<html>Sign in</html>", "UTC", WINDOW)
    assert unusable.value.failure.value == "not_a_calendar"


def test_feeds_are_read_again_within_bounds():
    """A quarter of an hour at the soonest, a day at the latest, ever later while they fail."""
    minute = 60
    wishes = [None, *(timedelta(minutes=wish) for wish in (1, 120, 90_000))]
    spans = [refresh_after(wish).total_seconds() / minute for wish in wishes]
    assert spans == [60, 15, 120, 1440]
    pauses = [retry_after(failures).total_seconds() / minute for failures in (1, 2, 3, 7, 8, 5000)]
    assert pauses == [15, 30, 60, 960, 1440, 1440]
