"""What forms carry and how what was typed is read."""

from __future__ import annotations

import pytest
from multidict import MultiDict

from shared.money import MAX_MINOR_OF_ALL
from tests.web.conftest import ME, Browser, Services, problem, tokens
from tests.web.pages import Page
from web.client import Refused
from web.forms import ZONES, Form, as_whole, safe_path, weekly_hours

GOAL = "/v1/goals"


async def at_goals(browser: Browser, services: Services) -> None:
    services.tell("GET", GOAL, (200, {"items": []}))
    services.tell("POST", GOAL, (201, {}))
    await browser.sign_in(services)


async def test_form_without_its_secret_is_refused(browser: Browser, services: Services) -> None:
    """A form that another site made changes nothing, whoever is signed in."""
    await at_goals(browser, services)
    fields = (await browser.page("/goals")).form("/goals").fields
    for forged in ({}, {"csrf": ""}, {"csrf": "x" * 32}, {"csrf": "ä"}):
        answer, text = await browser.post("/goals", {**fields, "title": "X", "csrf": "", **forged})
        assert answer.status == 403
        assert "load the page again" in text
    assert services.of("POST", GOAL) == []


@pytest.mark.parametrize(
    "kind",
    ["multipart/form-data; boundary=", "application/x-www-form-urlencoded; charset=nonsense"],
)
async def test_bytes_that_are_no_form_are_refused(browser: Browser, kind: str) -> None:
    """What no browser sends is the sender's mistake, not ours."""
    headers, url = {"Content-Type": kind}, f"{browser.url}/sign-in"
    async with browser.http.post(url, data=b"csrf=%ff", headers=headers) as answer:
        assert answer.status == 403


async def test_secret_of_before_sign_in_is_worth_nothing_after(
    browser: Browser, services: Services
) -> None:
    """Who planted a cookie before cannot send forms in the name of who signs in with it."""
    before = (await browser.page("/sign-in")).form("/sign-in").fields["csrf"]
    await at_goals(browser, services)
    answer, _ = await browser.post("/goals", {"csrf": before, "title": "X"})
    assert answer.status == 403


async def test_sign_in_itself_needs_the_secret(browser: Browser, services: Services) -> None:
    """Nobody can be signed in as somebody else by a foreign form."""
    services.tell("POST", "/v1/sign-ins", (201, tokens()))
    answer, _ = await browser.post("/sign-in", {"email": "a@example.com", "password": "x"})
    assert answer.status == 403
    assert services.of("POST", "/v1/sign-ins") == []


async def test_key_is_fresh_per_rendering_and_sent_as_it_was(
    browser: Browser, services: Services
) -> None:
    """Pressing the button of one rendering twice sends one key; another rendering has another."""
    await at_goals(browser, services)
    first = (await browser.page("/goals")).form("/goals").fields
    second = (await browser.page("/goals")).form("/goals").fields
    assert first["idempotency_key"] != second["idempotency_key"]
    for _ in range(2):
        answer, _ = await browser.post("/goals", {**first, "title": "Lead a team"})
        assert answer.status == 303
    keys = [each.headers["Idempotency-Key"] for each in services.of("POST", GOAL)]
    assert keys == [first["idempotency_key"]] * 2


async def test_refusal_is_shown_at_the_form_with_what_was_typed(
    browser: Browser, services: Services
) -> None:
    """The problem's words stand in the form, the wrong field is marked, and the key is new."""
    await at_goals(browser, services)
    error = {"pointer": "/title", "code": "too_long", "detail": "At most 200 characters."}
    refused = problem(422, "shape_invalid", errors=[error])
    services.tell("POST", GOAL, (422, refused))
    before = (await browser.page("/goals")).form("/goals").fields
    answer, text = await browser.post("/goals", {**before, "title": "<b>Lead", "measure": "5"})
    page = Page(text)
    assert answer.status == 422
    assert page.problems == []
    after = page.form("/goals").fields
    assert (after["title"], after["measure"]) == ("<b>Lead", "5")
    assert "At most 200 characters." in page.text
    assert "aria-invalid" in next(a for t, a in page.tags if a.get("id") == "title")
    assert after["idempotency_key"] != before["idempotency_key"]


async def test_password_is_never_shown_again(browser: Browser, services: Services) -> None:
    """A refused sign-in keeps the address, not the password."""
    services.tell("POST", "/v1/sign-ins", (401, problem(401, "sign_in_refused", "Not right.")))
    answer, text = await browser.submit(
        "/sign-in", "/sign-in", email="a@example.com", password="secret-words"
    )
    assert answer.status == 401
    assert "Not right." in text
    assert "a@example.com" in text
    assert "secret-words" not in text


async def test_verifying_needs_the_button(browser: Browser, services: Services) -> None:
    """A mail scanner that opens the link does not use up the token."""
    services.tell("POST", "/v1/accounts/verify", (200, {"person_id": ME}))
    page = await browser.page("/verify?token=abc")
    assert services.of("POST", "/v1/accounts/verify") == []
    fields = {**page.form("/verify").fields, "password": " as typed "}
    answer, _ = await browser.post("/verify", fields)
    assert answer.headers["Location"] == "/sign-in"
    assert services.of("POST", "/v1/accounts/verify")[0].body == {
        "token": "abc",
        "password": " as typed ",
    }


async def test_a_mistyped_password_keeps_the_link(browser: Browser, services: Services) -> None:
    """The form is shown again with the token, and says what to do for whoever did not sign up."""
    refused = problem(403, "password_mismatch", "Set one of your own.")
    services.tell("POST", "/v1/accounts/verify", (403, refused))
    answer, text = await browser.submit("/verify?token=abc", "/verify", password="mistyped")
    assert answer.status == 403
    assert "Set one of your own." in text
    assert "mistyped" not in text
    assert Page(text).form("/verify").fields["token"] == "abc"


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "evil",
     "/\tevil", "/a\r\nSet-Cookie: x=1", "/%0a b", "", "\\\\evil", "/ä"],
)  # fmt: skip
def test_way_back_never_leads_elsewhere(path: str) -> None:
    """Only a plain path of this site is taken as the way back."""
    assert safe_path(path) == "/"


def test_way_back_keeps_paths_of_ours() -> None:
    """An own path with its query is taken as it is."""
    assert safe_path("/hold?offering=1&starts_at=2030-01-01T00:00:00Z") != "/"


async def test_sign_in_does_not_redirect_elsewhere(browser: Browser, services: Services) -> None:
    """Neither the link to the sign-in page nor a changed field leads off the site."""
    services.tell("POST", "/v1/sign-ins", (201, tokens()))
    page = await browser.page("/sign-in?next=//evil.example/")
    fields = page.form("/sign-in").fields
    assert fields["next"] == "/"
    answer, _ = await browser.post(
        "/sign-in", {**fields, "next": "https://evil.example", "email": "a", "password": "b"}
    )
    assert answer.headers["Location"] == "/"


def form(**fields: str) -> Form:
    return Form(MultiDict(fields))


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("120", "USD", 12000), ("120.5", "USD", 12050), ("0,99", "EUR", 99), ("5000", "JPY", 5000),
     ("1.234", "KWD", 1234), ("0", "USD", 0)],
)  # fmt: skip
def test_amounts(text: str, currency: str, minor: int) -> None:
    """Amounts are read into the minor units of their currency."""
    assert form(price=text).minor("price", currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [("1.005", "USD"), ("1.5", "JPY"), ("-1", "USD"), ("", "USD"), ("NaN", "USD"),
     ("Infinity", "USD"), ("1e2000000", "USD"), ("12x", "USD"), ("1,000.00", "USD")],
)  # fmt: skip
def test_wrong_amounts_are_refused_at_their_field(text: str, currency: str) -> None:
    """What is no amount of that currency says so at the field."""
    with pytest.raises(Refused) as refused:
        form(price=text).minor("price", currency)
    assert [each.pointer for each in refused.value.problem.errors or ()] == ["/price"]


def test_the_largest_amount_can_be_confirmed() -> None:
    """What was shown comes back in a hidden field, of whatever currency it is."""
    largest = MAX_MINOR_OF_ALL
    assert form(shown=str(largest)).whole("shown", least=0, most=largest) == largest


@pytest.mark.parametrize("text", ["²", "٣", "1" * 5_000, "-1", "1_0", ""])
def test_odd_digits_are_no_number(text: str) -> None:
    """Neither those that Python takes for digits nor more of them than it reads."""
    assert as_whole(text) is None


def test_weekly_hours_are_read() -> None:
    """Empty days are left out; both spans of a day count."""
    found = weekly_hours(
        form(starts_0_0="09:00", ends_0_0="12:00", starts_0_1="13:00", ends_0_1="17:00")
    )
    assert found == [
        {"weekday": 0, "starts": "09:00", "ends": "12:00"},
        {"weekday": 0, "starts": "13:00", "ends": "17:00"},
    ]


@pytest.mark.parametrize(
    "fields",
    [{"starts_2_0": "09:00"}, {"ends_2_0": "9"}, {"starts_2_0": "10:00", "ends_2_0": "10:00"}],
)
def test_half_hours_are_refused(fields: dict[str, str]) -> None:
    """A span needs both ends, in order."""
    with pytest.raises(Refused):
        weekly_hours(form(**fields))


def test_zones_are_names_people_know() -> None:
    """The list holds places, and UTC."""
    assert {"UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"} < set(ZONES)
    assert not any(zone.startswith("Etc/") for zone in ZONES)
