"""Promotion codes: what they take off, who pays, how often, and what comes back of a discount."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain.promotions import Attempt, Discount, Promotion, Why, apply
from shared.auth import Role
from shared.contracts.booking import (
    BookingCancelled,
    BookingExpired,
    BookingLost,
    SessionCompleted,
)
from shared.contracts.payments import PaymentSucceeded
from shared.ids import new_id
from shared.money import Money, charge_step, smallest_charge
from shared.web import Page
from tests.payments.conftest import DELAY, NOON, Bought, World
from tests.payments.shop import LIST, UNIT, WHOLE, Shop

CODES = "/v1/operator/promotions"
CROWD, FOR_SALE = 50, 10
ID = new_id()


def promotion(**more: Any) -> Promotion:
    """Return a quarter off, for everybody and everything."""
    if "amount_minor" not in more:
        more = {"percent_basis_points": 2_500, **more}
    return Promotion(ID, "QUARTER", more.pop("paid_by", "platform"), ID, NOON, **more)


@given(
    st.sampled_from(["USD", "JPY", "KWD", "HUF", "ISK", "UGX"]),
    st.lists(st.integers(0, 30_000), min_size=1, max_size=6),
    st.integers(1, 10_000) | st.none(),
    st.integers(1, 10**7),
)
def test_what_is_left_can_be_charged(
    currency: str, steps: list[int], percent: int | None, amount: int
) -> None:
    """Nothing, or at least what a card can be charged; never more off than the code says."""
    step = charge_step(currency)
    prices = [Money(each * step, currency) for each in steps]
    fixed = {"amount_minor": amount, "currency": currency}
    said = promotion(**fixed) if percent is None else promotion(percent_basis_points=percent)
    found = apply(said, Attempt(ID, ID, prices), NOON)
    if not isinstance(found, Discount):
        assert found == "nothing_off"
        return
    price = sum(each.minor for each in prices)
    left = price - found.whole.minor
    assert left == 0 or left >= smallest_charge(currency)
    assert found.whole.minor <= (amount if percent is None else price * percent // 10_000 + 0)
    for part, whole in zip(found.parts, prices, strict=True):
        assert 0 <= part.minor <= whole.minor
        assert part.minor % step == 0


@pytest.mark.parametrize(
    ("limits", "more", "why"),
    [
        ({"paused_at": NOON}, {}, "paused"),
        ({"starts_at": NOON + timedelta(seconds=1)}, {}, "not_begun"),
        ({"ends_at": NOON}, {}, "over"),
        ({"at_most": 3, "used": 3}, {}, "used_up"),
        ({"mentor_id": UUID(int=1)}, {}, "other_offering"),
        ({"offering_id": UUID(int=1)}, {}, "other_offering"),
        ({"amount_minor": 500, "currency": "EUR"}, {}, "other_currency"),
        ({"first_purchase_only": True}, {"bought_before": True}, "not_first_purchase"),
        ({"per_person": 1}, {"used_before": 1}, "used_by_you"),
    ],
)
def test_each_limit_has_its_word(limits: Any, more: Any, why: Why) -> None:
    """So that whoever typed the code learns what is the matter."""
    attempt = Attempt(ID, ID, [Money(10_000, "USD")], **more)
    assert apply(promotion(**limits), attempt, NOON) == why
    assert apply(None, attempt, NOON) == "unknown"


async def make(world: World, code: str = "SPRING-25", **said: Any) -> Any:
    """Let an operator make a code; a quarter off if nothing else is said."""
    if "amount_minor" not in said:
        said.setdefault("percent_basis_points", 2_500)
    body = {"code": code, "reason": "Spring.", **said}
    status, answer = await world.call("POST", CODES, new_id(), Role.OPERATOR, body=body)
    assert status == 201, answer
    return answer


async def used(world: World, code: str = "SPRING-25") -> int:
    """Return how often a code counts as used."""
    return await world.pool.fetchval("SELECT used FROM promotions WHERE code = $1", code)


async def checkout(world: World, order: Bought) -> Any:
    """Return what the mentee is shown before paying."""
    return (await world.call("GET", f"/v1/checkouts/{order.order_id}", order.mentee_id))[1]


async def test_the_platform_gives_a_quarter(world: World) -> None:
    """The card pays less, the mentor earns of the whole price, half back is half of each."""
    await make(world)
    bought = await world.buy(promotion_code="SPRING-25")
    shown = await checkout(world, bought)
    amounts = [shown[f"{name}_minor"] for name in ("price", "discount", "to_pay")]
    assert amounts == [12_000, 3_000, 9_000]
    assert shown["promotion_refused"] is None
    assert await used(world) == 1
    assert (await world.told(PaymentSucceeded))[0].amount_minor == 9_000
    assert (await world.balances())["promotions"] == 3_000
    preview = f"/v1/orders/{bought.order_id}/refund-preview?refund_basis_points=5000"
    _, sides = await world.call("GET", preview, bought.mentee_id)
    assert (sides["mentee_minor"], sides["mentor_minor"], sides["platform_minor"]) == (
        4_500, 5_100, 900,
    )  # fmt: skip
    await world.say(BookingCancelled, bought, by="mentee", refund_basis_points=5_000)
    await world.connect(bought.mentor_id)
    await world.advance(DELAY + timedelta(days=3, hours=2))
    assert [row["amount"] for row in await world.movements("refund")] == [-4_500]
    balances = await world.balances()
    assert (balances["promotions"], balances["platform_revenue"]) == (1_500, -900)
    assert [row["amount"] for row in await world.movements("transfer")] == [-5_100]
    await world.check_books()


@pytest.mark.parametrize(
    ("currency", "price", "off"),
    [("JPY", 5_001, 1_250), ("KWD", 12_350, 3_080)],
)
async def test_odd_amounts_go_back_to_where_they_came_from(
    world: World, currency: str, price: int, off: int
) -> None:
    """A third back and then all of it: the card has what it paid, the platform what it gave."""
    await make(world)
    await world.buy(price, currency)  # So that there is more than Stripe's fee left for the refund.
    bought = await world.buy(price, currency, promotion_code="SPRING-25")
    assert (await world.balances())["promotions"] == off
    await world.say(SessionCompleted, bought, by="mentee", completed_at=world.clock.now())
    path = f"/v1/operator/orders/{bought.order_id}/refund"
    for share in (3_333, 10_000):
        wanted = f"{path}-preview?refund_basis_points={share}"
        _, sides = await world.call("GET", wanted, new_id(), Role.OPERATOR)
        body = {
            "reason": "Too short.",
            # As the page does: what was shown, as an amount of the price and not of what was paid.
            "amount_minor": sides["price_back_minor"],
            **{
                f"shown_{side}_minor": sides[f"{side}_minor"]
                for side in ("mentee", "mentor", "platform")
            },
        }
        status, answer = await world.call("POST", path, new_id(), Role.OPERATOR, body=body)
        assert status == 202, answer
    await world.advance(timedelta(days=3))
    assert sum(row["amount"] for row in await world.movements("refund")) == off - price
    assert "promotions" not in await world.balances()
    await world.check_books()


async def test_the_mentor_gives_a_quarter(world: World) -> None:
    """The price itself is lower, and nobody but the mentor may use or pause the code."""
    mentor_id, other = new_id(), new_id()
    body = {"code": "MINE-25", "percent_basis_points": 2_500}
    mine = "/v1/me/promotions"
    status, made = await world.call("POST", mine, mentor_id, Role.MENTOR, body=body)
    assert (status, made["paid_by"], made["mentor_id"]) == (201, "mentor", str(mentor_id))
    status, problem = await world.call("POST", mine, other, Role.MENTOR, body=body)
    assert (status, problem["code"]) == (409, "promotion_code_taken")
    elsewhere = await world.hold(promotion_code="MINE-25")
    assert (await checkout(world, elsewhere))["promotion_refused"] == "other_offering"
    bought = await world.buy(mentor_id=mentor_id, promotion_code="MINE-25")
    shown = await checkout(world, bought)
    assert [shown[f"{name}_minor"] for name in ("price", "discount", "to_pay")] == [
        12_000, 3_000, 9_000,
    ]  # fmt: skip
    assert "promotions" not in await world.balances()
    order = await world.order(bought)
    assert (order.price.minor, order.sessions[0].price.minor) == (9_000, 9_000)
    pause = f"{mine}/{made['promotion_id']}/pause"
    assert (await world.call("POST", pause, other, Role.MENTOR))[0] == 404
    assert (await world.call("POST", pause, mentor_id, Role.MENTOR))[1]["paused_at"]
    late = await world.hold(mentor_id=mentor_id, promotion_code="MINE-25")
    assert (await checkout(world, late))["promotion_refused"] == "paused"
    _, listed = await world.call("GET", mine, mentor_id, Role.MENTOR)
    assert [(each["code"], each["used"]) for each in listed["items"]] == [("MINE-25", 1)]


async def test_what_operators_paused_only_they_take_up_again(world: World) -> None:
    """A mentor pauses and takes up an own code, but not where an operator stands in between."""
    mentor_id, mine = new_id(), "/v1/me/promotions"
    body = {"code": "MINE-25", "percent_basis_points": 2_500}
    _, made = await world.call("POST", mine, mentor_id, Role.MENTOR, body=body)

    async def turn(verb: str, *, by_mentor: bool) -> tuple[int, Any]:
        who, role, said = (new_id(), Role.OPERATOR, {"reason": "Fraud."})
        if by_mentor:
            who, role, said = (mentor_id, Role.MENTOR, None)
        path = f"{mine if by_mentor else CODES}/{made['promotion_id']}/{verb}"
        return await world.call("POST", path, who, role, body=said)

    assert (await turn("pause", by_mentor=True))[1]["paused_by"] == "mentor"
    assert (await turn("resume", by_mentor=True))[1]["paused_by"] is None
    for first in ("operator", "mentor"):
        await turn("pause", by_mentor=first == "mentor")
        await turn("pause", by_mentor=first != "mentor")
        status, problem = await turn("resume", by_mentor=True)
        assert (status, problem["code"]) == (409, "paused_by_operators")
        _, again = await turn("resume", by_mentor=False)
        assert (again["paused_at"], again["paused_by"]) == (None, None)


async def test_no_code_is_made_whose_time_is_over(world: World) -> None:
    """Its end is still to come, whoever makes it."""
    mentor_id = new_id()
    over = {"code": "LATE", "percent_basis_points": 2_500, "ends_at": NOON.isoformat()}
    for path, role in (("/v1/me/promotions", Role.MENTOR), (CODES, Role.OPERATOR)):
        reason = {"reason": "Spring."} if role is Role.OPERATOR else {}
        status, problem = await world.call("POST", path, mentor_id, role, body=over | reason)
        assert (status, problem["code"]) == (422, "promotion_shape")


async def test_everything_off_needs_no_card(world: World) -> None:
    """Nothing is asked of Stripe; the mentor is paid all the same, out of the balance."""
    await make(world, "WHOLE", percent_basis_points=10_000)
    await world.buy()
    given = await world.hold(promotion_code="WHOLE")
    await world.rest()
    assert (await world.order(given)).state == "paid"
    assert (await world.order(given)).checkout_id is None
    assert (await world.told(PaymentSucceeded))[-1].amount_minor == 0
    await world.connect(given.mentor_id)
    await world.say(SessionCompleted, given, by="mentee", completed_at=world.clock.now())
    await world.advance(DELAY + timedelta(days=1))
    balances = await world.balances()
    assert (balances["promotions"], balances["platform_revenue"]) == (12_000, -1_800)
    assert [row["amount"] for row in await world.movements("transfer")] == [-10_200]
    await world.check_books()


async def test_everything_off_goes_back_without_a_refund(world: World) -> None:
    """A mentor's whole gift and the platform's: no money moved, none moves back."""
    await make(world, "WHOLE", percent_basis_points=10_000)
    mentor_id = new_id()
    body = {"code": "FROM-ME", "percent_basis_points": 10_000}
    await world.call("POST", "/v1/me/promotions", mentor_id, Role.MENTOR, body=body)
    for code in ("WHOLE", "FROM-ME"):
        given = await world.hold(mentor_id=mentor_id, promotion_code=code)
        await world.rest()
        assert (await world.order(given)).state == "paid"
        await world.say(BookingLost, given, reason="time_sold")
    await world.rest()
    assert await world.balances() == {}
    assert await world.movements("refund") == []
    assert [await used(world, code) for code in ("WHOLE", "FROM-ME")] == [0, 0]
    await world.check_books()


async def test_a_code_for_ten_is_used_ten_times(world: World) -> None:
    """Fifty at once: forty are told why, and pay the full price only after they have read it."""
    await make(world, at_most=FOR_SALE)
    held = await asyncio.gather(*(world.hold(promotion_code="SPRING-25") for _ in range(CROWD)))
    whys = [(await world.order(each)).promotion_refused for each in held]
    assert sorted(whys, key=str) == [None] * FOR_SALE + ["used_up"] * (CROWD - FOR_SALE)
    assert await used(world) == FOR_SALE


async def test_one_person_uses_it_once(world: World) -> None:
    """Also in two windows at the same moment; a newcomers' code ends with the first purchase."""
    await make(world, per_person=1)
    await make(world, "WELCOME", first_purchase_only=True)
    mentee = new_id()
    for code, why in (("SPRING-25", "used_by_you"), ("WELCOME", "not_first_purchase")):
        held = await asyncio.gather(
            *(world.hold(promotion_code=code, mentee_id=mentee) for _ in range(4))
        )
        whys = [(await world.order(each)).promotion_refused for each in held]
        assert sorted(whys, key=str) == [None, why, why, why]


async def test_a_newcomers_code_that_takes_everything_off_is_used_once(world: World) -> None:
    """Nothing was paid with it, and still its user is no newcomer any more."""
    mentor_id, mentee = new_id(), new_id()
    body = {"code": "TRY-ME", "percent_basis_points": 10_000, "first_purchase_only": True}
    await world.call("POST", "/v1/me/promotions", mentor_id, Role.MENTOR, body=body)
    for why in (None, "not_first_purchase"):
        held = await world.hold(mentor_id=mentor_id, mentee_id=mentee, promotion_code="TRY-ME")
        await world.rest()
        assert (await world.order(held)).promotion_refused == why


async def test_a_code_that_was_not_paid_with_is_given_back(world: World) -> None:
    """Once its page is closed somebody else may use it; money that came counts for good."""
    await make(world, at_most=1)
    unpaid = await world.hold(promotion_code="SPRING-25")
    late = await world.hold(promotion_code="SPRING-25")
    assert (await checkout(world, late))["promotion_refused"] == "used_up"
    await world.rest()
    await world.say(BookingExpired, unpaid)
    await world.rest()
    assert (await world.order(unpaid)).state == "closed"
    assert await used(world) == 0
    await world.buy(promotion_code="SPRING-25")
    assert await used(world) == 1


async def test_a_quote_says_every_amount(world: World) -> None:
    """Before anything is held, with the shares for those they concern; nothing is counted."""
    await make(world, at_most=1)
    mentor_id = new_id()
    body = {
        "mentor_id": str(mentor_id),
        "offering_id": str(new_id()),
        "price_minor": 12_000,
        "currency": "USD",
        "sessions": 3,
        "promotion_code": "SPRING-25",
        "refund_basis_points": [10_000, 5_000, 0],
    }
    status, quote = await world.call("POST", "/v1/quotes", new_id(), body=body)
    assert status == 200, quote
    assert (quote["price_minor"], quote["discount_minor"], quote["to_pay_minor"]) == (
        36_000, 9_000, 27_000,
    )  # fmt: skip
    assert [each["mentee_minor"] for each in quote["back"]] == [9_000, 4_500, 0]
    assert quote["shares"] is None
    _, own = await world.call("POST", "/v1/quotes", mentor_id, Role.MENTOR, body=body)
    assert own["shares"] == {"mentor_minor": 30_600, "platform_minor": 5_400}
    assert await used(world) == 0
    _, wrong = await world.call(
        "POST", "/v1/quotes", new_id(), body=body | {"promotion_code": "NOBODYS"}
    )
    assert (wrong["promotion_refused"], wrong["to_pay_minor"]) == ("unknown", 36_000)
    odd = body | {"currency": "KWD", "price_minor": 12_001}
    status, problem = await world.call("POST", "/v1/quotes", new_id(), body=odd)
    assert (status, problem["code"]) == (422, "price_not_quotable")


async def test_credits_pay_before_a_code_takes_off(world: World) -> None:
    """The quote, and the purchase after it: two sessions by credits, a quarter off the third."""
    await make(world)
    shop = await Shop(world).open()
    await shop.buy(2)
    body = {
        "mentor_id": str(shop.mentor_id), "offering_id": str(shop.offering_id), "minutes": 60,
        "price_minor": LIST, "currency": "USD", "sessions": 3, "promotion_code": "SPRING-25",
        "refund_basis_points": [WHOLE, 5_000, 0],
    }  # fmt: skip
    status, quote = await world.call("POST", "/v1/quotes", shop.buyer_id, body=body)
    assert status == 200, quote
    assert [quote[f"{name}_minor"] for name in ("price", "credits", "discount", "to_pay")] == [
        36_000, 24_000, 3_000, 9_000,
    ]  # fmt: skip
    back = [(each["mentee_minor"], each["back_to"], each["sessions"]) for each in quote["back"]]
    assert back == [
        (UNIT, "credit", 2), (9_000, "card", 1), (UNIT // 2, "card", 2), (4_500, "card", 1),
        (0, "card", 3),
    ]  # fmt: skip
    held = await shop.hold(LIST, LIST, LIST, promotion_code="SPRING-25")
    shown = await checkout(world, held)
    assert [shown[name] for name in ("credits_used", "discount_minor", "to_pay_minor")] == [
        2, 3_000, 9_000,
    ]  # fmt: skip
    await world.rest()
    await world.pay(held)
    await world.rest()
    await shop.check()


async def test_a_code_says_clearly_what_it_does(world: World) -> None:
    """Two kinds of discount, none, or an end before the beginning are refused, or no such day."""
    for said in (
        {},
        {"percent_basis_points": 100, "amount_minor": 100, "currency": "USD"},
        {"amount_minor": 100},
        {"percent_basis_points": 100, "paid_by": "mentor"},
        {"percent_basis_points": 100, "starts_at": "2030-06-01T00:00:00Z",
         "ends_at": "2030-06-01T00:00:00Z"},
    ):  # fmt: skip
        body = {"code": "ODD", "reason": "Try.", **said}
        status, problem = await world.call("POST", CODES, new_id(), Role.OPERATOR, body=body)
        assert (status, problem["code"]) == (422, "promotion_shape"), said
    odd = {"code": "ODD", "percent_basis_points": 100, "starts_at": "0001-01-01T00:00:00+14:00"}
    status, problem = await world.call("POST", "/v1/me/promotions", new_id(), Role.MENTOR, body=odd)
    assert (status, problem["code"]) == (422, "shape_invalid")
    page = "/v1/me/payouts?cursor=" + Page.cursor(odd["starts_at"], "x")
    status, problem = await world.call("GET", page, new_id(), Role.MENTOR)
    assert (status, problem["code"]) == (422, "cursor_invalid")
