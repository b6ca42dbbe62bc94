"""The operators' pages for mending: the story, what is stuck, dead letters, the log, the deeds."""

from __future__ import annotations

import pytest

from tests.web.conftest import ME, MENTOR, ORDER, SESSION, STARTS, Browser, Services, order, problem
from tests.web.pages import Page
from tests.web.prepaid import GIFT, bought

EVENT = "0190a000-0000-7000-8000-00000000000e"
CALL = "0190a000-0000-7000-8000-00000000000c"
HERE = f"/operator/orders/{ORDER}"
STEP = {"at": STARTS, "kind": "fact", "what": "BookingHeld", "state": "told", "details": {}}
POSTED = {
    "at": STARTS, "kind": "ledger", "what": "payment", "state": "stripe_balance",
    "details": {"amount_minor": 12000, "currency": "USD"},
}  # fmt: skip
WAIT = {
    "order_id": ORDER, "waits_for": "Stripe answers transfer.create", "since": STARTS,
    "due_at": None, "clock": "system", "needs_operator": True,
    "details": {"operation_id": CALL, "attempts": 3, "error": "Unfinished"},
}  # fmt: skip
FAILED = {"refund_id": "0190a000-0000-7000-8000-00000000000f", "amount_minor": 1000}
REFUND = f"{HERE}/refunds/{FAILED['refund_id']}"
PART = {
    "session_id": SESSION, "refund_minor": 7000, "refund_state": "failed", "failed": [FAILED],
    "can": {"release": True, "refund": True},
}  # fmt: skip
MONEY = {"state": "paid", "price_minor": 12000, "currency": "USD", "sessions": [PART]}
AMOUNTS = {"mentee_minor": 3000, "mentor_minor": 7650, "platform_minor": 1350, "currency": "USD"}
CONSEQUENCES = AMOUNTS | {
    "back_minor": 3000, "price_back_minor": 4000, "mentor_gives_minor": 2550,
    "platform_gives_minor": 450, "owed_minor": 2550, "reversible_minor": 2550,
}  # fmt: skip
OWING = {"mentor_id": MENTOR, "currency": "USD", "owed_minor": 2400, "since": STARTS,
         "refusal": "balance_insufficient"}  # fmt: skip
LETTER = {
    "event_id": EVENT, "topic": "booking.orders", "key": ORDER, "type": "BookingHeld",
    "error": "KeyError", "attempts": 3, "kept_at": STARTS, "behind": 2,
}  # fmt: skip
DEED = {
    "id": 1, "who": ME, "action": "release", "subject": ORDER, "order_id": ORDER,
    "reason": "Asked", "outcome": "done", "details": {}, "acted_at": STARTS,
}  # fmt: skip


@pytest.fixture
async def operating(browser: Browser, services: Services) -> Browser:
    """Give an operator's browser; the services have something for every page."""
    await browser.sign_in(services, "operator")
    services.tell("GET", f"/v1/orders/{ORDER}", (200, order("completed")))
    services.tell("GET", f"/v1{HERE}/steps", (200, {"steps": [POSTED, STEP], "waits": [WAIT]}))
    services.tell("GET", f"/v1{HERE}/money-state", (200, MONEY))
    services.tell("GET", f"/v1/orders/{ORDER}/refund-preview", (200, AMOUNTS))
    services.tell("GET", f"/v1{HERE}/refund-preview", (200, CONSEQUENCES))
    services.tell("GET", "/v1/operator/debts", (200, {"items": [OWING]}))
    services.tell("GET", "/v1/operator/stuck", (200, {"items": [WAIT]}))
    services.tell("GET", "/v1/operator/dead-letters", (200, {"items": [LETTER]}))
    services.tell("GET", "/v1/operator/log", (200, {"items": [DEED]}))
    return browser


@pytest.mark.parametrize(
    "path",
    [HERE, f"{HERE}/refund?percent=25", "/operator/stuck", "/operator/log"],
)
async def test_the_pages_are_sound(operating: Browser, path: str) -> None:
    """Tags are balanced, every field has a label, ids are unique, no code stands in the page."""
    page = await operating.page(path)
    # One server answers as all four services, so that a call to Stripe is shown four times.
    problems = [each for each in page.problems if CALL not in each]
    assert (problems, page.inline_code()) == ([], [])


async def test_the_story_is_told_from_all_services(operating: Browser, services: Services) -> None:
    """Each service's steps and waits are there, with amounts in words."""
    page = await operating.page(HERE)
    assert page.text.count("BookingHeld") == 4
    assert "$120.00" in page.text
    assert "Stripe answers transfer.create" in page.text
    services.tell("GET", f"/v1{HERE}/money-state", (404, problem(404, "not_found")))
    page = await operating.page(HERE)
    assert "Refund again" not in page.text


async def test_what_is_stuck_and_the_log_lead_to_the_purchase(operating: Browser) -> None:
    """From a line of either list one reaches the story."""
    for path in ("/operator/stuck", "/operator/log"):
        page = await operating.page(path)
        assert HERE in [found.get("href") for tag, found in page.tags if tag == "a"]


@pytest.mark.parametrize(
    ("action", "route", "more"),
    [
        (f"{HERE}/release", f"/v1{HERE}/release", {"session_id": SESSION}),
        (f"{REFUND}/retry", f"/v1{HERE}/refund/retry", FAILED),
        (f"{REFUND}/paid-otherwise", f"/v1{HERE}/refund/paid-otherwise", FAILED),
        (f"{HERE}/calls/{CALL}/retry", f"/v1/operator/operations/{CALL}/retry", {}),
    ],
)
async def test_a_deed_carries_its_reason_and_a_key(
    operating: Browser, services: Services, action: str, route: str, more: dict[str, object]
) -> None:
    """Without a reason nothing is sent; with one it is, once, under the form's key."""
    services.tell("POST", route, (202, {"action": "x", "subject": ORDER, "details": {}}))
    answer, text = await operating.submit(HERE, action, reason="  ")
    assert answer.status == 422
    assert "Say why" in text
    assert services.of("POST", route) == []
    answer, _ = await operating.submit(HERE, action, reason="The mentee asked")
    back = f"{HERE}?session={SESSION}" if more else HERE
    assert (answer.status, answer.headers["Location"]) == (303, back)
    (asked,) = services.of("POST", route)
    assert asked.body == {"reason": "The mentee asked", **more}
    assert asked.headers["Idempotency-Key"]


async def test_a_failed_refund_is_shown_as_it_is_now(
    operating: Browser, services: Services
) -> None:
    """Of 70 that went back 10 failed, and only that is named; outdated, the page shows anew."""
    text = (await operating.page(HERE)).text
    assert "The bank sent $10.00 back" in text
    assert "that $10.00 is paid from our own bank account" in text
    assert "$70.00" not in text
    outdated = problem(412, "amounts_outdated", "Look at the amounts as they are now.")
    services.tell("POST", f"/v1{HERE}/refund/paid-otherwise", (412, outdated))
    path = f"{REFUND}/paid-otherwise"
    sent = (await operating.page(HERE)).form(path).fields | {"reason": "Bank transfer"}
    less = MONEY | {"sessions": [PART | {"failed": [FAILED | {"amount_minor": 400}]}]}
    services.tell("GET", f"/v1{HERE}/money-state", (200, less))
    answer, text = await operating.post(path, sent)
    again = Page(text).form(path).fields
    assert (answer.status, "Look at the amounts" in text) == (412, True)
    assert (again["amount_minor"], again["reason"]) == ("400", "Bank transfer")
    assert again["idempotency_key"] != sent["idempotency_key"]


async def test_a_failed_refund_of_credits_is_mended_on_its_page(
    operating: Browser, services: Services
) -> None:
    """Also when nothing is left to pay back: it is sent again, or recorded as paid otherwise."""
    here = f"/operator/orders/{GIFT}"
    services.tell("GET", f"/v1/purchases/{GIFT}", (200, bought(GIFT, "gift", remaining=0)))
    services.tell("GET", f"/v1/orders/{GIFT}/money", (200, {"items": [], "totals": []}))
    state = MONEY | {"sessions": [], "failed": [FAILED]}
    services.tell("GET", f"/v1{here}/money-state", (200, state))
    services.tell("GET", f"/v1{here}/steps", (200, {"steps": [], "waits": []}))
    assert "The bank sent $10.00 back" in (await operating.page(here)).text
    for verb in ("retry", "paid-otherwise"):
        route, path = f"/v1{here}/refund/{verb}", f"{here}/refunds/{FAILED['refund_id']}/{verb}"
        services.tell("POST", route, (202, {}))
        answer, text = await operating.submit(here, path, reason="Bank transfer")
        assert (answer.status, answer.headers.get("Location")) == (303, here), text
        assert services.of("POST", route)[0].body == {"reason": "Bank transfer", **FAILED}


async def test_a_refund_carries_the_amounts_that_were_shown(
    operating: Browser, services: Services
) -> None:
    """What was shown goes along, as a part of the price; once outdated, those of now are shown."""
    outdated = problem(412, "amounts_outdated", "Look at the amounts as they are now.")
    services.tell("POST", f"/v1{HERE}/refund", (412, outdated), (202, {}))
    path = f"{HERE}/refund?percent=25"
    answer, text = await operating.submit(path, f"{HERE}/refund", reason="Complaint")
    assert answer.status == 412
    assert "Look at the amounts as they are now." in text
    answer, _ = await operating.submit(path, f"{HERE}/refund", reason="Complaint")
    assert answer.status == 303
    assert services.of("POST", f"/v1{HERE}/refund")[-1].body == {
        "reason": "Complaint",
        "session_id": SESSION,
        "amount_minor": 4000,
        "shown_mentee_minor": 3000,
        "shown_mentor_minor": 7650,
        "shown_platform_minor": 1350,
    }
    (preview, *_) = services.of("GET", f"/v1{HERE}/refund-preview")
    assert dict(preview.query) == {"refund_basis_points": "2500", "session_id": SESSION}


async def test_any_amount_can_be_refunded(operating: Browser, services: Services) -> None:
    """Typed as people write it; what it does to each side is shown before."""
    path = f"{HERE}/refund"
    form = (await operating.page(path)).form(path).fields
    _, text = await operating.post(path, form | {"amount": "12,34", "show": "1"})
    assert "asked back from the mentor" in Page(text).text
    asked = services.of("GET", f"/v1{HERE}/refund-preview")[-1]
    assert dict(asked.query) == {"amount_minor": "1234", "session_id": SESSION}


async def test_a_debt_is_asked_for_again(operating: Browser, services: Services) -> None:
    """With the reason, and in the currency it is in."""
    route = f"/v1/operator/mentors/{MENTOR}/debt/reverse"
    services.tell("POST", route, (202, {}))
    action = f"/operator/debts/{MENTOR}/USD/reverse"
    answer, _ = await operating.submit("/operator/debts", action, reason="Paid out too much")
    assert answer.status == 303
    (asked,) = services.of("POST", route)
    assert asked.body == {"reason": "Paid out too much", "currency": "USD"}


async def test_a_debt_is_written_off_in_part(operating: Browser, services: Services) -> None:
    """The amount is that of the field, which begins with all of it."""
    route = f"/v1/operator/debts/{MENTOR}/write-off"
    services.tell("POST", route, (202, {}))
    action = f"/operator/debts/{MENTOR}/USD/write-off"
    answer, _ = await operating.submit("/operator/debts", action, reason="Gone", amount="12,50")
    assert answer.status == 303
    (asked,) = services.of("POST", route)
    assert asked.body == {"reason": "Gone", "currency": "USD", "amount_minor": 1_250}


async def test_a_dead_letter_is_handed_back(operating: Browser, services: Services) -> None:
    """The reason goes to the service that could not handle the event."""
    route = f"/v1/operator/dead-letters/{EVENT}/replay"
    services.tell("POST", route, (202, {}))
    action = f"/operator/dead-letters/booking/{EVENT}/replay"
    answer, _ = await operating.submit("/operator/dead-letters", action, reason="Mended")
    assert answer.status == 303
    (asked,) = services.of("POST", route)
    assert asked.body == {"reason": "Mended"}
    assert MENTOR not in str(asked.body)


async def test_nothing_is_cancelled_unseen(operating: Browser, services: Services) -> None:
    """Without amounts the button is off; other amounts keep the reason; unpaid, it says so."""
    preview, path = f"/v1/orders/{ORDER}/refund-preview", f"{HERE}/cancel"
    services.tell("GET", preview, (503, problem(503, "away")))
    page = await operating.page(path)
    assert "disabled" in next(
        found for _, found in page.tags if found.get("class") == "button danger"
    )
    services.tell("GET", preview, (200, AMOUNTS))
    form = page.form(path).fields | {"chosen": "25", "reason": "Complaint", "show": "1"}
    answer, text = await operating.post(path, form)
    shown = Page(text)
    assert (answer.status, shown.problems) == (200, [])
    assert "Cancel and refund 25" in shown.text
    assert shown.form(path).fields["reason"].strip() == "Complaint"
    assert services.of("POST", f"/v1/orders/{ORDER}/cancel") == []
    services.tell("GET", f"/v1/orders/{ORDER}", (200, order("held")))
    assert "Nothing was paid" in (await operating.page(path)).text


@pytest.mark.parametrize("status", [503, 404])
async def test_a_refund_that_may_have_happened_keeps_its_key(
    operating: Browser, services: Services, status: int
) -> None:
    """Payments is away, then even for the amounts: the reason and the key stay, also after it."""
    path = f"{HERE}/refund"
    services.tell("POST", f"/v1{path}", (503, problem(503, "away")))
    sent = (await operating.page(f"{path}?percent=25")).form(path).fields | {"reason": "Complaint"}
    services.tell("GET", f"/v1{HERE}/refund-preview", (status, problem(status, "away")))
    _, text = await operating.post(path, sent)
    again = Page(text).form(path).fields
    services.tell("GET", f"/v1{HERE}/refund-preview", (200, CONSEQUENCES))
    _, text = await operating.post(path, {**again, "show": "1"})
    at_last = Page(text).form(path).fields
    assert "shown_mentee_minor" not in again
    for name in ("reason", "idempotency_key", "percent"):
        assert again[name] == at_last[name] == sent[name]
    assert at_last["shown_mentee_minor"] == "3000"


@pytest.mark.parametrize("path", ["/operator/stuck", "/operator/dead-letters", HERE])
async def test_silence_is_no_all_clear(operating: Browser, services: Services, path: str) -> None:
    """What did not answer may have something; only answers say that nothing is there."""
    route = f"/v1{HERE}/steps" if path == HERE else f"/v1{path}"
    clear = ("Nothing is stuck", "There are none", "Nothing is waited for")
    services.tell("GET", route, (200, {"items": [], "steps": [], "waits": []}))
    text = (await operating.page(path)).text
    assert any(words in text for words in clear)
    services.tell("GET", route, (503, problem(503, "away")))
    text = (await operating.page(path)).text
    assert "not known" in text or "Not everything is known" in text
    assert not any(words in text for words in clear)
