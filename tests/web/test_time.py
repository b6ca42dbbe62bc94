"""A mentor's time: the week, single days, holidays, travel, calendars; and clocks that change."""

from __future__ import annotations

from datetime import date

import pytest

from services.booking.domain.calendars import Failure
from tests.web.conftest import MENTOR, OFFERING, ORDER, STARTS, Browser, Services, problem
from tests.web.filling import fill
from tests.web.pages import Page
from web.clocks import clock_changes
from web.forms import as_day, as_instant
from web.pages.calendars import FAILURES

HOURS = "/v1/me/availability"
WEEK = "/mentor/hours"
DAYS = "/mentor/hours/days"
TRAVEL = "/mentor/hours/travel"
CALENDARS = "/mentor/calendars"
CHRISTMAS = {"on": "2030-12-25", "hours": [], "name": "Christmas <Day>"}
BETWEEN = {"on": "2030-12-27", "hours": [{"starts": "10:00", "ends": "12:00"}], "name": None}
TOKYO = {"zone": "Asia/Tokyo", "from_on": "2030-04-01", "until_on": "2030-04-14"}


@pytest.fixture
async def mentor(browser: Browser, services: Services) -> Browser:
    """Give the browser of a mentor with hours, days, a travel and calendars."""
    fill(services)
    services.tell("PUT", HOURS, (200, {}))
    await browser.sign_in(services, "mentor")
    return browser


def saved(services: Services) -> dict[str, object]:
    body = services.of("PUT", HOURS)[-1].body
    assert isinstance(body, dict)
    return dict(body)


async def test_a_day_has_several_hours(mentor: Browser, services: Services) -> None:
    """Windows are kept as they were, midnight as an end included; what else was set stays."""
    sent = {"zone": "Europe/Berlin", "starts_4_0": "08:00", "ends_4_0": "09:30"}
    answer, text = await mentor.submit(WEEK, WEEK, **sent, starts_4_3="18:00", ends_4_3="20:00")
    assert answer.status == 303, text
    body = saved(services)
    assert body["weekly"] == [
        {"weekday": 0, "starts": "09:00", "ends": "12:00"},
        {"weekday": 0, "starts": "14:00", "ends": "24:00"},
        {"weekday": 4, "starts": "08:00", "ends": "09:30"},
        {"weekday": 4, "starts": "18:00", "ends": "20:00"},
    ]
    assert (body["overrides"], body["travels"]) == ([CHRISTMAS, BETWEEN], [TOKYO])
    assert services.of("PUT", HOURS)[-1].headers["If-Match"] == '"7"'


async def test_what_was_set_elsewhere_is_kept(mentor: Browser, services: Services) -> None:
    """A day with more windows than the form has room for, and an older name of a zone."""
    spans = [{"weekday": 1, "starts": f"{h:02}:00", "ends": f"{h:02}:30"} for h in range(8, 14)]
    hours = {"zone": "Japan", "room_url": "https://meet.example", "weekly": spans}
    services.tell("GET", HOURS, (200, hours))
    form = (await mentor.page(WEEK)).form(WEEK).fields
    page = await mentor.page(WEEK)
    chosen = [found["value"] for tag, found in page.tags if tag == "option" and "selected" in found]
    assert chosen == ["Japan"]
    await mentor.post(WEEK, {**form, "zone": chosen[0]})
    assert (saved(services)["weekly"], saved(services)["zone"]) == (spans, "Japan")


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31", "1999-12-31", "2200-01-01"])
def test_days_at_the_ends_of_the_calendar_are_none(text: str) -> None:
    """There is nothing before or after them to reckon with, in any zone."""
    assert as_day(text) is None
    assert as_instant(f"{text}T00:00:00+14:00") is None
    assert as_instant(f"{text}T23:59:59-14:00") is None


async def test_wrong_hours_are_shown_where_they_stand(mentor: Browser) -> None:
    """The field is marked, and windows that were opened to type into stay open."""
    answer, text = await mentor.submit(
        WEEK, WEEK, zone="Europe/Berlin", starts_2_2="10:00", ends_2_2="09:00"
    )
    page = Page(text)
    assert answer.status == 422
    assert page.problems == []
    field = next(found for _, found in page.tags if found.get("id") == "ends_2_2")
    assert (field["value"], field["aria-invalid"]) == ("09:00", "true")


async def test_several_days_off_at_once(mentor: Browser, services: Services) -> None:
    """A holiday from its first to its last day; a day that was noted before is replaced."""
    await mentor.submit(DAYS, DAYS, first="2030-12-26", last="2030-12-27", name="Skiing")
    off = [{"on": f"2030-12-{day}", "hours": [], "name": "Skiing"} for day in (26, 27)]
    assert saved(services)["overrides"] == [CHRISTMAS, *off]
    await mentor.submit(DAYS, DAYS, first="2030-12-28", starts_day_0="10:00", ends_day_0="00:00")
    other = {"on": "2030-12-28", "hours": [{"starts": "10:00", "ends": "24:00"}], "name": None}
    assert saved(services)["overrides"] == [CHRISTMAS, BETWEEN, other]


@pytest.mark.parametrize("last", ["2030-12-01", "2031-12-01", "soon"])
async def test_wrong_days_are_refused(mentor: Browser, services: Services, last: str) -> None:
    """Neither backwards nor for years, and what was typed stays."""
    answer, text = await mentor.submit(DAYS, DAYS, first="2030-12-20", last=last, name="Skiing")
    assert answer.status == 422
    assert Page(text).form(DAYS).fields["name"] == "Skiing"
    assert services.of("PUT", HOURS) == []


async def test_public_holidays_are_picked(mentor: Browser, services: Services) -> None:
    """What is chosen of a country and a year becomes days off by their names."""
    path = f"{DAYS}?country=DE&year=2030"
    form = (await mentor.page(path)).form("/mentor/hours/holidays").fields
    asked = services.of("GET", "/v1/holidays")[-1].query
    assert dict(asked) == {"country": "DE", "year": "2030"}
    answer, text = await mentor.post("/mentor/hours/holidays", form)
    assert answer.status == 422
    assert "Choose at least one day" in text
    await mentor.post("/mentor/hours/holidays", {**form, "holiday": "2030-10-03"})
    unity = {"on": "2030-10-03", "hours": [], "name": "Unity"}
    assert saved(services)["overrides"] == [unity, CHRISTMAS, BETWEEN]


async def test_a_day_is_taken_back(mentor: Browser, services: Services) -> None:
    """Removed, it is like its weekday again; the week itself is as it was."""
    await mentor.submit(DAYS, f"{DAYS}/remove", on="2030-12-25")
    body = saved(services)
    assert body["overrides"] == [BETWEEN]
    assert body["room_url"] == "https://meet.example"


async def test_travel_is_added_and_removed(mentor: Browser, services: Services) -> None:
    """Two travels on one day are refused at the field; what is removed is gone."""
    lima = {"zone": "America/Lima", "from_on": "2030-05-01", "until_on": "2030-05-02"}
    await mentor.submit(TRAVEL, TRAVEL, **lima)
    assert saved(services)["travels"] == [TOKYO, lima]
    answer, text = await mentor.submit(TRAVEL, TRAVEL, **{**lima, "from_on": "2030-04-14"})
    assert answer.status == 422
    assert "Change those first" in text
    await mentor.submit(TRAVEL, f"{TRAVEL}/remove", from_on="2030-04-01")
    assert saved(services)["travels"] == []


async def test_single_days_come_after_the_week(mentor: Browser, services: Services) -> None:
    """Who has no hours yet is led to them."""
    services.tell("GET", HOURS, (404, problem(404, "not_found")))
    for path in (DAYS, TRAVEL):
        assert "Begin with your weekly hours" in (await mentor.page(path)).text


async def test_calendars_say_how_they_are(mentor: Browser, services: Services) -> None:
    """Trouble is told with what to do and what still counts; each can be read anew or removed."""
    text = (await mentor.page(CALENDARS)).text
    for words in ("Up to date", "About to be read", "There is no calendar at this address",
                  "Copy the address again", "still count", "calendar.example.com"):  # fmt: skip
        assert words in text
    services.tell("POST", f"/v1/me/calendars/{ORDER}/refresh", (200, {}))
    services.tell("DELETE", f"/v1/me/calendars/{ORDER}", (204, None))
    for deed in ("refresh", "remove"):
        answer, _ = await mentor.submit(CALENDARS, f"{CALENDARS}/{ORDER}/{deed}")
        assert answer.headers["Location"] == CALENDARS
    assert len(services.of("DELETE", f"/v1/me/calendars/{ORDER}")) == 1


async def test_a_calendar_is_added(mentor: Browser, services: Services) -> None:
    """The address is sent once and never shown, except again to who mistyped it."""
    sent = {"name": "Work", "url": "https://calendar.example.com/1f3a.ics"}
    refused = problem(422, "calendar_address_refused", "Give the public https address.")
    services.tell("POST", "/v1/me/calendars", (422, refused), (201, {}))
    answer, text = await mentor.submit(CALENDARS, CALENDARS, **sent)
    assert answer.status == 422
    assert Page(text).form(CALENDARS).fields["url"] == sent["url"]
    answer, _ = await mentor.submit(CALENDARS, CALENDARS, **sent)
    assert services.of("POST", "/v1/me/calendars")[-1].body == sent
    assert "1f3a" not in (await mentor.page(CALENDARS)).html


def test_every_failure_of_a_calendar_has_words() -> None:
    """No reason that booking gives is told as a code."""
    assert FAILURES.keys() == {failure.value for failure in Failure}


@pytest.mark.parametrize(
    ("zone", "since", "until", "changes"),
    [
        ("Europe/Berlin", "2030-10-20", "2030-10-28", [("2030-10-27", "back by 1 hour")]),
        ("Europe/Berlin", "2030-10-28", "2031-03-01", []),
        ("Australia/Lord_Howe", "2030-10-01", "2030-10-10",
         [("2030-10-06", "forward by 30 minutes")]),
        ("Asia/Kathmandu", "2030-01-01", "2030-12-31", []),
        ("Pacific/Apia", "2011-12-25", "2012-01-02", [("2011-12-31", "forward by 24 hours")]),
    ],
)  # fmt: skip
def test_clock_changes(zone: str, since: str, until: str, changes: list[tuple[str, str]]) -> None:
    """Each change is found on its local day, half hours and skipped days too."""
    for clock in ("00:30", "12:00", "23:30"):
        begin, end = (as_instant(f"{each}T{clock}:00Z") for each in (since, until))
        assert begin is not None
        assert end is not None
        found = clock_changes(zone, begin, end)
        assert [(each.on, each.words) for each in found] == [
            (date.fromisoformat(on), words) for on, words in changes
        ]


async def test_a_picker_says_whose_clock_it_shows(mentor: Browser, services: Services) -> None:
    """Another zone than the profile's is said, with the way back; so is a change until then."""
    here = f"/mentors/{MENTOR}"
    text = (await mentor.page(f"{here}?zone=Europe/Berlin&offering={OFFERING}")).html
    assert "Your profile says Asia/Kathmandu, and these times are in Europe/Berlin" in text
    assert f"?offering={OFFERING}&amp;zone=Asia/Kathmandu" in text
    assert "Your profile says" not in (await mentor.page(here)).text
    slots = services.of("GET", f"/v1/offerings/{OFFERING}/slots")
    assert slots
    held = await mentor.page(f"/hold?offering={OFFERING}&starts_at={STARTS}&zone=Europe/Berlin")
    assert "Your clocks (Europe/Berlin) go" in held.text
    calm = await mentor.page(f"/hold?offering={OFFERING}&starts_at={STARTS}")
    assert "Your clocks" not in calm.text
