"""Every page: well-formed, labelled, without inline code, and showing what the services say."""

from __future__ import annotations

from datetime import date

import pytest

from tests.web import plans
from tests.web.conftest import (
    ME,
    MENTOR,
    OFFERING,
    ORDER,
    SESSION,
    STARTS,
    Browser,
    Services,
    order,
    problem,
)
from tests.web.filling import CODE_NOT_TAKEN, OWN, PROFILE, PUBLIC, every, fill
from tests.web.pages import Page
from tests.web.prepaid import PACKAGE
from web.display import exact_share, money, offset_words, percent
from web.forms import as_instant, midnight
from web.pages.mentors import by_day
from web.pages.progress import progress
from web.price_shapes import Checkout
from web.shapes import Order, Slot


@pytest.fixture
def filled(services: Services) -> Services:
    """Give services that have something for every page."""
    fill(services)
    return services


@pytest.mark.parametrize("path", every(PUBLIC))
async def test_public_page_is_sound(browser: Browser, filled: Services, path: str) -> None:
    """Tags are balanced, every field has a label, ids are unique, no code stands in the page."""
    page = await browser.page(path)
    assert page.problems == []
    assert page.inline_code() == []


async def test_own_pages_are_sound(browser: Browser, filled: Services) -> None:
    """The same for every page of signed-in people, in all their roles."""
    await browser.sign_in(filled, "mentor", "operator")
    for path in every(OWN):
        page = await browser.page(path)
        assert (path, page.problems, page.inline_code()) == (path, [], [])
        for form in page.forms:
            if form.method == "post":
                assert {"csrf", "idempotency_key"} <= set(form.fields), path


async def test_what_people_wrote_is_text(browser: Browser, filled: Services) -> None:
    """Names and headlines never become tags."""
    _, text = await browser.get(f"/mentors/{MENTOR}")
    assert "Maya &lt;Mentor&gt;" in text
    assert "<Mentor>" not in text


async def test_slots_stand_on_the_days_of_the_viewers_zone(
    browser: Browser, filled: Services
) -> None:
    """A chosen zone rules times and days, is remembered, and is asked for as whole days of it."""
    page = await browser.page(f"/mentors/{MENTOR}?zone=Asia/Kathmandu&week=2030-03-04")
    assert "19:45" in page.text
    asked = filled.of("GET", f"/v1/offerings/{OFFERING}/slots")[-1].query
    assert dict(asked) == {"from": "2030-03-03T18:15:00Z", "until": "2030-03-10T18:15:00Z"}
    later = await browser.page(f"/mentors/{MENTOR}?week=2030-03-04")
    assert "19:45" in later.text


async def test_profile_zone_is_used_when_signed_in(browser: Browser, filled: Services) -> None:
    """A signed-in person reads times in the zone of the account."""
    await browser.sign_in(filled)
    page = await browser.page(f"/sessions/{ORDER}")
    assert "19:45" in page.text
    assert "Asia/Kathmandu (UTC+5:45)" in page.text


async def test_holding_a_slot_leads_to_paying(browser: Browser, filled: Services) -> None:
    """The form sends what was shown and accepted, and leads to the waiting page."""
    filled.tell("POST", "/v1/orders", (201, order("held")))
    await browser.sign_in(filled)
    path = f"/hold?offering={OFFERING}&starts_at={STARTS}"
    refused, text = await browser.submit(path, "/hold")
    assert refused.status == 422
    assert "Accept these terms" in text
    answer, _ = await browser.submit(path, "/hold", accept="yes")
    assert answer.headers["Location"] == f"/orders/{ORDER}/pay?shown=USD9000"
    assert [each.body for each in filled.of("POST", "/v1/orders")] == [
        {
            "offering_id": OFFERING,
            "starts_at": STARTS,
            "accepted_policy": {"preset": "standard", "policy_version": 1},
            "answers": [],
        }
    ]


async def test_a_code_is_shown_before_it_is_used(browser: Browser, filled: Services) -> None:
    """Asking for the amounts with a code keeps what was typed, and every amount is there."""
    await browser.sign_in(filled)
    path = f"/hold?offering={OFFERING}&starts_at={STARTS}"
    typed = {"promotion_code": "spring-25", "show": "1", "accept": "yes"}
    answer, text = await browser.submit(path, "/hold", **typed)
    assert answer.status == 200
    for words in ("Code SPRING-25", "−$30.00", "Keep this time and pay $90.00", "($29.99)"):
        assert words in text, words
    assert Page(text).form("/hold").fields["accept"] == "yes"
    assert filled.of("POST", "/v1/quotes")[-1].body["promotion_code"] == "SPRING-25"
    filled.tell("POST", "/v1/orders", (201, order("held")))
    await browser.submit(path, "/hold", accept="yes", promotion_code="spring-25")
    assert filled.of("POST", "/v1/orders")[0].body["promotion_code"] == "SPRING-25"
    answer, text = await browser.submit(path, "/hold", accept="yes", promotion_code="!")
    assert (answer.status, "There is no such code." in text) == (422, True)


async def test_nobody_pays_more_unknowingly(browser: Browser, filled: Services) -> None:
    """Where a code was not taken the page says so and why, and does not lead on by itself."""
    await browser.sign_in(filled)
    text = (await browser.page(f"/orders/{CODE_NOT_TAKEN}/pay")).text
    assert "This code was used as often as it may be." in text
    assert "$120.00" in text
    answer, _ = await browser.get(f"/orders/{CODE_NOT_TAKEN}/pay?look=1")
    assert answer.status == 200
    answer, text = await browser.get(f"/orders/{CODE_NOT_TAKEN}/status?seen=preparing")
    assert "HX-Redirect" not in answer.headers
    assert "hx-get" not in text


@pytest.mark.parametrize(
    ("minor", "currency", "words"),
    [
        (12_000, "USD", "$120.00"), (5_000, "JPY", "¥5,000"), (1_234, "KWD", "KWD\xa01.234"),
        (17_550, "HUF", "HUF\xa0175.50"), (50_000, "ISK", "ISK\xa0500"),
        (199, "LBP", "LBP\xa01.99"),
        (-1_050, "EUR", "−€10.50"), (50_000, "UGX", "UGX\xa0500"),
    ],
)  # fmt: skip
def test_amounts_are_shown_to_their_last_digit(minor: int, currency: str, words: str) -> None:
    """Never rounded to what shops of a country use, never with digits that cannot be charged."""
    assert money(minor, currency) == words


async def test_payment_page_is_waited_for(browser: Browser, filled: Services) -> None:
    """While payments prepares, nothing new is said; then script and no-script both lead on."""
    filled.tell("GET", f"/v1/orders/{ORDER}", (200, order("held")))
    filled.tell("GET", f"/v1/checkouts/{ORDER}", (404, problem(404, "not_found")))
    await browser.sign_in(filled)
    page = await browser.page(f"/orders/{ORDER}/pay")
    assert "being prepared" in page.text
    status = f"/orders/{ORDER}/status?returned=0&seen=preparing"
    answer, _ = await browser.get(status)
    assert answer.status == 204
    opened = {"state": "open", "url": "https://stripe.example/pay"}
    filled.tell("GET", f"/v1/checkouts/{ORDER}", (200, opened))
    answer, _ = await browser.get(status)
    assert answer.headers["HX-Redirect"] == opened["url"]
    answer, _ = await browser.get(f"/orders/{ORDER}/pay?look=1")
    assert answer.headers["Location"] == opened["url"]


async def test_only_who_pays_may_pay_more(browser: Browser, filled: Services) -> None:
    """Of a plan that ends the mentor sees how to end it at once, and not how to go on."""
    await browser.sign_in(filled, "mentor")
    for state, deeds in (("ending", {"resume", "end"}), ("mentoring", {"end"})):
        here = f"/subscriptions/{plans.OF_STATE[state]}/"
        actions = [each.action for each in (await browser.page(here[:-1])).forms]
        assert {each.removeprefix(here) for each in actions if each.startswith(here)} == deeds


async def test_what_is_dearer_than_alone_is_not_sold(browser: Browser, filled: Services) -> None:
    """Its page says why and leads to single sessions; who has such a plan reads it as well."""
    await browser.sign_in(filled)
    dear = {"dearer_than_alone": True}
    here = f"/subscriptions/{plans.OF_STATE['active']}"
    subscribed = plans.subscription("active") | {"next_plan": plans.PLAN | dear}
    filled.tell("GET", f"/v1/packages/{ORDER}", (200, PACKAGE | dear))
    filled.tell("GET", f"/v1/plans/{ORDER}", (200, plans.PLAN | dear))
    filled.tell("GET", f"/v1{here}", (200, subscribed))
    for path in (f"/packages/{ORDER}", f"/plans/{ORDER}"):
        page = await browser.page(path)
        assert "a single session costs less" in page.text
        assert not [each for each in page.forms if each.action == path]
    assert "goes on at the price that was agreed" in (await browser.page(here)).text


async def test_what_nobody_can_book_is_not_sold(browser: Browser, filled: Services) -> None:
    """Its page says why, a plan of it says that it rests, and neither leads to a time."""
    await browser.sign_in(filled)
    gone = {"bookable": False}
    filled.tell("GET", f"/v1/packages/{ORDER}", (200, PACKAGE | gone))
    filled.tell("GET", f"/v1/plans/{ORDER}", (200, plans.PLAN | gone))
    for path in (f"/packages/{ORDER}", f"/plans/{ORDER}"):
        page = await browser.page(path)
        assert "cannot be booked at the moment" in page.text
        assert not [each for each in page.forms if each.action == path]
    rests = (await browser.page(f"/subscriptions/{plans.OF_STATE['resting']}")).text
    assert "The plan rests" in rests
    assert "Pick a time" not in rests
    ended = (await browser.page(f"/subscriptions/{plans.OF_STATE['ended']}")).html
    assert f'<a href="/purchases/{ORDER}">' in ended  # Where what is unused is paid back.


@pytest.mark.parametrize(
    ("verb", "route", "more"),
    [
        ("pause", "pause", {}),
        ("end", "end", {"at": "period_end"}),
        ("end-now", "end", {"at": "now", "shown_minor": 30_000}),
    ],
)
async def test_operators_stop_plans_with_a_reason(
    browser: Browser, filled: Services, verb: str, route: str, more: dict[str, object]
) -> None:
    """They see no button of the people's; theirs says what goes back, and asks why."""
    its = f"/subscriptions/{plans.OF_STATE['active']}"
    here = f"/operator{its}"
    theirs = {"mentor_id": MENTOR, "mentee_id": ORDER}
    filled.tell("GET", f"/v1{its}", (200, plans.subscription("active") | theirs))
    filled.tell("POST", f"/v1{here}/{route}", (202, {}))
    await browser.sign_in(filled, "operator")
    answer, _ = await browser.get(its)
    assert answer.headers["Location"] == here
    page = await browser.page(here)
    _, text = await browser.get(here)
    for shown in ("sub_1", "in_1", f'href="/operator/orders/{ORDER}"'):
        assert shown in text
    actions = {each.action for each in page.forms if its in each.action}
    assert actions == {f"{here}/{each}" for each in ("pause", "end", "end-now")}
    await browser.submit(here, f"{here}/{verb}", reason="The mentor is ill")
    (sent,) = filled.of("POST", f"/v1{here}/{route}")
    assert sent.body == {"reason": "The mentor is ill"} | more


async def test_payment_page_is_never_a_script(browser: Browser, filled: Services) -> None:
    """Only a web address is led to."""
    filled.tell("GET", f"/v1/orders/{ORDER}", (200, order("held")))
    bad = {"state": "open", "url": "javascript:alert(1)"}
    filled.tell("GET", f"/v1/checkouts/{ORDER}", (200, bad))
    await browser.sign_in(filled)
    answer, text = await browser.get(f"/orders/{ORDER}/pay?look=1")
    assert answer.status == 200
    assert "javascript:" not in text


async def test_coming_back_asks_payments_to_look(browser: Browser, filled: Services) -> None:
    """The return page asks for a look at Stripe, and says when the session is confirmed."""
    filled.tell("GET", f"/v1/orders/{ORDER}", (200, order("held")), (200, order("confirmed")))
    filled.tell("POST", f"/v1/checkouts/{ORDER}/look-up", (202, {}))
    await browser.sign_in(filled)
    await browser.page(f"/orders/{ORDER}/return")
    assert len(filled.of("POST", f"/v1/checkouts/{ORDER}/look-up")) == 1
    _, text = await browser.get(f"/orders/{ORDER}/status?returned=1&seen=returned")
    assert "Your session is confirmed" in text
    assert "hx-get" not in text


async def test_cancelling_confirms_what_was_shown(browser: Browser, filled: Services) -> None:
    """The share that was shown is sent; if it no longer holds, the fresh one is shown."""
    path = f"/v1/orders/{ORDER}"
    filled.tell("POST", f"{path}/cancel", (409, problem(409, "preview_outdated", "It changed.")))
    await browser.sign_in(filled)
    shown = f"/sessions/{ORDER}/cancel"
    page = await browser.page(shown)
    assert "$60.00" in page.text
    assert "$51.00" in page.text
    fresh = {"by": "mentee", "refund_basis_points": 0}
    filled.tell("GET", f"{path}/cancellation-preview", (200, fresh))
    answer, text = await browser.post(shown, {**page.form(shown).fields, "reason": "Ill"})
    assert answer.status == 409
    assert "It changed." in text
    assert Page(text).form(shown).fields["shown_refund_basis_points"] == "0"
    sent = filled.of("POST", f"{path}/cancel")[0].body
    assert sent == {"shown_refund_basis_points": 5000, "reason": "Ill", "session_id": SESSION}


async def test_room_opens_only_over_https(browser: Browser, filled: Services) -> None:
    """A room whose address is no https link is not linked to."""
    filled.tell("GET", f"/v1/orders/{ORDER}", (200, order()))
    join = f"/v1/sessions/{SESSION}/join"
    filled.tell("POST", join, (200, {"room_url": "https://meet.example/x"}))
    await browser.sign_in(filled)
    path = f"/sessions/{ORDER}"
    _, text = await browser.submit(path, f"{path}/join")
    assert 'href="https://meet.example/x"' in text
    filled.tell("POST", join, (200, {"room_url": "javascript:alert(1)"}))
    _, text = await browser.submit(path, f"{path}/join")
    assert "javascript:" not in text


async def test_first_profile_brings_the_role(browser: Browser, filled: Services) -> None:
    """After the first profile the tokens are renewed, so that the mentor's pages open."""
    filled.tell("PUT", "/v1/me/mentor-profile", (200, PROFILE))
    await browser.sign_in(filled)
    renewed = {"access_token": "a2", "refresh_token": "r2", "expires_in": 600, "person_id": ME,
               "roles": ["mentee", "mentor"]}  # fmt: skip
    filled.tell("POST", "/v1/sign-ins/refresh", (200, renewed))
    page = await browser.page("/mentor/profile")
    assert "Become a mentor" in page.text
    await browser.post("/mentor/profile", page.form("/mentor/profile").fields)
    assert filled.of("PUT", "/v1/me/mentor-profile")[0].headers["If-Match"] == '"7"'
    assert "Earnings" in (await browser.page("/")).text


def test_instants_fall_on_local_days() -> None:
    """A slot just after local midnight belongs to the new day, whatever the day is in UTC."""
    begins = as_instant("2030-03-04T18:20:00Z")
    assert begins is not None
    slot = Slot(starts_at=begins, ends_at=begins)
    days = dict(by_day([slot], date(2030, 3, 4), "Asia/Kathmandu"))
    assert days[date(2030, 3, 4)] == ()
    assert days[date(2030, 3, 5)] == (slot,)
    assert midnight(date(2030, 3, 31), "Europe/Berlin").hour == 23
    assert midnight(date(2030, 4, 1), "Europe/Berlin").hour == 22


def test_amounts_are_written_in_their_currency() -> None:
    """Digits follow the currency; a share is shown only when it is exact."""
    assert [money(12000, "USD"), money(5000, "JPY")] == ["$120.00", "¥5,000"]
    assert money(1250, "KWD").endswith("1.250")
    assert (exact_share(12000, 5000), exact_share(12001, 5000)) == (6000, None)
    assert percent(5000).startswith("50")
    instant = as_instant(STARTS)
    assert instant is not None
    assert offset_words("America/St_Johns", instant) == "America/St Johns (UTC−3:30)"


@pytest.mark.parametrize(
    ("state", "checkout", "name", "waiting"),
    [("held", None, "preparing", True), ("held", "being_prepared", "preparing", True),
     ("held", "open", "returned", True), ("held", "paid", "paid", True),
     ("held", "closing", "closed", True), ("confirmed", "paid", "confirmed", False),
     ("expired", "closed", "expired", False), ("lost", "refunding", "lost", False),
     ("cancelled", "refunded", "cancelled", False), ("completed", None, "completed", False),
     ("declined", None, "declined", False), ("lapsed", None, "lapsed", False),
     ("no_show", None, "no_show", False)],
)  # fmt: skip
def test_progress(state: str, checkout: str | None, name: str, waiting: bool) -> None:
    """Every pair of states has words, and only what changes by itself is waited for."""
    page = Checkout(state=checkout, url="https://stripe.example") if checkout else None
    found = progress(Order.model_validate(order(state)), page, returned=True)
    assert (found.name, found.waiting) == (name, waiting)
