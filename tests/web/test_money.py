"""What people read of their money: before they pay, while it is held, and what operators mend."""

from __future__ import annotations

import pytest

from tests.web.conftest import (
    MENTOR,
    OFFERING,
    ORDER,
    STARTS,
    Browser,
    Services,
    offering,
    order,
    problem,
)
from tests.web.filling import ASKED, BY_REQUEST, fill
from tests.web.prepaid import GIFT, bought
from web.shapes import Question

QUOTED = {
    "currency": "USD", "price_minor": 12000, "credits_minor": 12000, "credits_used": 1,
    "to_pay_minor": 0,
    "back": [{"refund_basis_points": 10000, "mentee_minor": 9500, "back_to": "credit"},
             {"refund_basis_points": 3333, "mentee_minor": 3166}],
}  # fmt: skip
MUST = Question.model_validate(ASKED[0]).field
WEEKS = {"week_0": STARTS, "week_1": STARTS.replace("-04T", "-11T")}
STORY = {
    "items": [{"at": STARTS, "kind": "charge", "amount_minor": 12000, "currency": "USD",
               "words": "The price was paid.", "whose": "mentee", "change_minor": 12000}],
    "totals": [{"whose": "nobody_yet", "amount_minor": 12000, "currency": "USD"}],
}  # fmt: skip


@pytest.fixture
async def person(browser: Browser, services: Services) -> Browser:
    """Give the browser of somebody who learns, mentors and operates."""
    fill(services)
    await browser.sign_in(services, "mentor", "operator")
    return browser


async def test_who_pays_with_a_credit_gets_the_credit_back(
    person: Browser, services: Services
) -> None:
    """The terms speak of the credit, a part of it is money, and nobody is sent to pay."""
    services.tell("GET", f"/v1/offerings/{OFFERING}", (200, offering()))
    services.tell("POST", "/v1/quotes", (200, QUOTED))
    text = (await person.page(f"/hold?offering={OFFERING}&starts_at={STARTS}")).text
    assert text.count("your credit back") == 2
    assert "33.33\N{NO-BREAK SPACE}% back ($31.66)" in text
    assert "Stripe’s page" not in text
    assert "Payment" not in text


async def test_terms_speak_of_each_kind_of_session(person: Browser, services: Services) -> None:
    """Of a series some are paid by credits, perhaps given ones, and some by the card."""
    back = [
        {"refund_basis_points": points, "mentee_minor": minor, "back_to": to, "sessions": sessions}
        for points, minor, to, sessions in (
            (10000, 9500, "credit", 1), (10000, 12000, "card", 2),
            (3333, 3166, "giver", 1), (3333, 3999, "card", 2),
        )
    ]  # fmt: skip
    services.tell("POST", "/v1/quotes", (200, QUOTED | {"to_pay_minor": 24000, "back": back}))
    text = (await person.page(f"/series?offering={BY_REQUEST}&starts_at={STARTS}")).text
    assert "100 % back (1 × your credit, 2 × $120.00)" in text
    assert "33.33 % back (1 × $31.66 to whoever gave it, 2 × $39.99)" in text


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("card", "Goes back to the mentee’s card$60.00"),
        ("credit", "Comes back to the mentee the credit that paid"),
        ("giver", "Goes back to the card of whoever gave this session$60.00"),
    ],
)
async def test_cancelling_says_to_whom_it_goes_back(
    person: Browser, services: Services, to: str, words: str
) -> None:
    """Nobody is promised money that a giver gets, or that comes as a credit."""
    amounts = {"mentee_minor": 6000, "mentor_minor": 5100, "currency": "USD", "back_to": to}
    services.tell("GET", f"/v1/orders/{ORDER}/refund-preview", (200, amounts))
    text = (await person.page(f"/sessions/{ORDER}/cancel")).text
    assert "".join(words.split()) in "".join(text.split())


@pytest.mark.parametrize(
    ("form", "sold", "what"), [("/hold", "orders", OFFERING), ("/series", "series", BY_REQUEST)]
)
async def test_nobody_is_led_to_pay_more_than_was_shown(
    person: Browser, services: Services, form: str, sold: str, what: str
) -> None:
    """The summary's amount goes along; if more is to be paid the page says both and waits."""
    services.tell("POST", f"/v1/{sold}", (201, order("held")))
    services.tell("GET", f"/v1/orders/{ORDER}", (200, order("held")))
    summary = f"{form}?offering={what}&starts_at={STARTS}"
    sent = next(each for each in (await person.page(summary)).forms if each.fields.get("shown"))
    answer, text = await person.post(form, {**sent.fields, "accept": "yes", MUST: "All", **WEEKS})
    assert answer.status == 303, text
    pay = answer.headers["Location"]
    assert pay == f"/orders/{ORDER}/pay?shown=USD9000"
    page = {"state": "open", "url": "https://stripe.example/pay", "currency": "USD"}
    for to_pay, dearer in ((9000, False), (8000, False), (12000, True)):
        services.tell("GET", f"/v1/checkouts/{ORDER}", (200, page | {"to_pay_minor": to_pay}))
        shown = await person.page(pay)
        assert ("It costs $120.00 now; you were shown $90.00." in shown.text) == dearer
        assert ("/status?" in shown.html) != dearer
        look, _ = await person.get(f"{pay}&look=1")
        assert ("Location" in look.headers) != dearer
        status, _ = await person.get(pay.replace("/pay?", "/status?seen=preparing&"))
        assert ("HX-Redirect" in status.headers) != dearer
    services.tell("GET", f"/v1/checkouts/{ORDER}", (404, problem(404, "not_found")))
    waiting = (await person.page(pay)).html.replace("&amp;", "&")
    for again in ("seen=preparing&shown=", "?look=1&shown=", "/pay?shown="):
        assert f"{again}USD9000" in waiting, again


async def test_receipts_are_of_who_paid(person: Browser, services: Services) -> None:
    """The mentee is led to them from the session; the mentor, who has none, is not."""
    here = f"/sessions/{ORDER}"
    services.tell("GET", f"/v1/orders/{ORDER}/money", (200, STORY))
    services.tell("GET", f"/v1/orders/{ORDER}", (200, order("completed")))
    text = (await person.page(here)).text
    assert "Your receipts" in text
    assert "Held until it is released or goes back$12" in text.replace("\n", "")
    mine = order("completed") | {"mentor_id": order()["mentee_id"], "mentee_id": MENTOR}
    services.tell("GET", f"/v1/orders/{ORDER}", (200, mine))
    assert "Your receipts" not in (await person.page(here)).text


@pytest.mark.parametrize(
    ("change", "words"),
    [(0, "The platform’s share and Stripe’s fee$21.78"), (-378, "The platform’s share$21.78")],
)
async def test_what_the_platform_has_is_said_with_what_is_in_it(
    person: Browser, services: Services, change: int, words: str
) -> None:
    """A mentor who bears Stripe's fee finds it there; for operators it is taken off already."""
    whose = "platform" if change else None
    fee = {"kind": "stripe_fee", "amount_minor": 378, "whose": whose, "change_minor": change}
    totals = [{"whose": "platform", "amount_minor": 2178, "currency": "USD"}]
    story = {"items": [STORY["items"][0] | fee], "totals": totals}
    services.tell("GET", f"/v1/orders/{ORDER}/money", (200, story))
    text = (await person.page(f"/sessions/{ORDER}")).text
    assert words in text.replace("\n", "")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"kind": "gift", "refunded_minor": 50000, "used": 0},
         "It was paid back $500.00 went back to the card you paid with. A code for it is void."),
        ({"kind": "sponsorship", "granted": 1, "refunded_minor": 40000, "expired": True},
         "gave 1 of 5 sessions to people who could not pay. $400.00 went back to the card"),
        ({"kind": "package", "expired": True}, "Its time is over 2 of 5 sessions were booked."),
    ],
)  # fmt: skip
async def test_what_is_over_promises_nothing(
    person: Browser, services: Services, more: dict[str, object], words: str
) -> None:
    """A purchase that was paid back or expired says so, and offers no code and no time."""
    ended = bought(GIFT, **(more | {"remaining": 0}))  # pyright: ignore[reportArgumentType]
    services.tell("GET", f"/v1/purchases/{GIFT}", (200, ended))
    text = " ".join((await person.page(f"/purchases/{GIFT}")).text.split())
    assert words in text
    for other in ("is ready", "Show a code", "gives these", "Pick a time"):
        assert other not in text


async def test_operators_see_and_pay_back_what_was_paid_ahead(
    person: Browser, services: Services
) -> None:
    """A purchase without a session has its page too, with the way of its money."""
    here = f"/operator/orders/{GIFT}"
    page = await person.page(here)
    for words in ("A gift, with Maya", "3 of 5", "BookingHeld", "The price was paid"):
        assert words in page.text, words
    path = f"/v1/operator/purchases/{GIFT}/refund"
    services.tell("POST", path, (202, {}))
    answer, text = await person.submit(here, f"{here}/refund-credits", reason="")
    assert (answer.status, "Say why" in text) == (422, True)
    answer, text = await person.submit(here, f"{here}/refund-credits", reason="Mistaken.")
    assert answer.headers["Location"] == here, text
    assert services.of("POST", path)[0].body == {"reason": "Mistaken."}


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("correct_bank", "Correct your bank details with Stripe"),
        ("give_details", "Give Stripe what it wants"),
    ],
)
@pytest.mark.parametrize("linked", [True, False])
async def test_the_button_to_stripe_says_what_is_to_be_done_there(
    person: Browser, services: Services, action: str, words: str, linked: bool
) -> None:
    """After a payout came back it is about the bank, with a link that works or a new one."""
    url = {"onboarding_url": "https://connect.example/1"} if linked else {}
    account = {"state": "ready", "can_receive": True, "next_action": action, **url}
    services.tell("GET", "/v1/me/account", (200, account))
    text = (await person.page("/mentor/account")).text
    assert words in text
    assert ("Get a new link" in text) is linked
