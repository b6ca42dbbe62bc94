"""The API of `payments`: who sees what, what is refused, and what a retry does (P14)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from shared.auth import Role
from shared.contracts import booking
from shared.contracts import payments as facts
from shared.ids import new_id
from tests.payments.conftest import DELAY, World
from tests.payments.shop import DAY, LIST, UNIT, WHOLE, Shop

ACCOUNT: dict[str, Any] = {
    "country": "US",
    "return_url": "https://web.test/back",
    "refresh_url": "https://web.test/again",
}


async def test_a_mentor_connects_an_account(world: World) -> None:
    """None, being prepared, onboarding, ready; the link is shown while it is good."""
    mentor = new_id()
    status, none = await world.call("GET", "/v1/me/account", mentor, Role.MENTOR)
    assert (status, none["state"]) == (200, "none")
    status, begun = await world.call("POST", "/v1/me/account", mentor, Role.MENTOR, body=ACCOUNT)
    assert (status, begun["state"]) == (202, "being_prepared")
    await world.rest()
    _, waiting = await world.call("GET", "/v1/me/account", mentor, Role.MENTOR)
    assert waiting["state"] == "onboarding"
    assert waiting["onboarding_url"].startswith("http")
    assert "A bank account for your payouts" in waiting["requirements"]
    await world.sim("POST", f"accounts/{waiting['account_id']}/complete", {})
    await world.rest()
    _, ready = await world.call("GET", "/v1/me/account", mentor, Role.MENTOR)
    assert (ready["state"], ready["can_receive"], ready["requirements"]) == ("ready", True, [])
    assert [fact.version for fact in await world.told(facts.AccountChanged)] == [2]


async def test_a_second_request_makes_no_second_account(world: World) -> None:
    """Asked twice, whether before or after Stripe answered, there is one account."""
    mentor = new_id()
    for _ in range(2):
        await world.call("POST", "/v1/me/account", mentor, Role.MENTOR, body=ACCOUNT)
    await world.rest()
    status, _ = await world.call("POST", "/v1/me/account", mentor, Role.MENTOR, body=ACCOUNT)
    assert status == 201
    await world.rest()
    accounts = (await world.sim("GET", "history"))[1]["objects"]["account"]
    assert len(accounts) == 1
    assert accounts[0]["email"] is None
    assert accounts[0]["metadata"] == {"person_id": str(mentor)}


async def test_a_fresh_link_is_made(world: World) -> None:
    """A used link is replaced; without an account there is none to make."""
    mentor = new_id()
    path = "/v1/me/account/onboarding-link"
    status, problem = await world.call("POST", path, mentor, Role.MENTOR)
    assert (status, problem["code"]) == (409, "account_missing")
    await world.call("POST", "/v1/me/account", mentor, Role.MENTOR, body=ACCOUNT)
    status, problem = await world.call("POST", path, mentor, Role.MENTOR)
    assert (status, problem["code"]) == (409, "account_being_prepared")
    await world.rest()
    _, before = await world.call("GET", "/v1/me/account", mentor, Role.MENTOR)
    status, _ = await world.call("POST", path, mentor, Role.MENTOR)
    assert status == 202
    await world.rest()
    _, after = await world.call("GET", "/v1/me/account", mentor, Role.MENTOR)
    assert after["onboarding_url"] not in (None, before["onboarding_url"])


@pytest.mark.parametrize(
    "change",
    [
        {"country": "usa"},
        {"country": None},
        {"return_url": "javascript:alert(1)"},
        {"return_url": "ftp://x.test/"},
        {"refresh_url": ""},
        {"surprise": 1},
    ],
)
async def test_bad_accounts_are_refused(world: World, change: dict[str, Any]) -> None:
    """A wrong shape is a 422 that names the field, and nothing is planned."""
    body = ACCOUNT | change
    status, problem = await world.call("POST", "/v1/me/account", new_id(), Role.MENTOR, body=body)
    assert (status, problem["code"]) == (422, "shape_invalid")
    assert await world.pool.fetchval("SELECT count(*) FROM operations") == 0


async def test_only_the_own_order_is_seen(world: World) -> None:
    """Mentee, mentor and operator each see their part; to everybody else it does not exist."""
    order = await world.buy()
    page, money = f"/v1/checkouts/{order.order_id}", f"/v1/orders/{order.order_id}/money"
    preview = f"/v1/orders/{order.order_id}/refund-preview?refund_basis_points=5000"
    mentee, mentor, operator, stranger = order.mentee_id, order.mentor_id, new_id(), new_id()
    seen = {
        (page, mentee): 200,
        (page, mentor): 404,
        (page, operator): 200,
        (page, stranger): 404,
        (money, mentee): 200,
        (money, mentor): 200,
        (money, operator): 200,
        (money, stranger): 404,
        (preview, mentee): 200,
        (preview, stranger): 404,
    }
    for (path, who), expected in seen.items():
        roles = [Role.OPERATOR] if who == operator else [Role.MENTOR]
        assert (await world.call("GET", path, who, *roles))[0] == expected, (path, who)
    look_up = f"{page}/look-up"
    assert (await world.call("POST", look_up, stranger))[0] == 404
    assert (await world.call("POST", look_up, mentee))[0] == 202


async def test_each_reader_gets_the_own_lines(world: World) -> None:
    """Stripe's fee is the platform's matter; the mentee sees charge and refund."""
    order = await world.buy()
    await world.say(booking.BookingCancelled, order, by="mentor", refund_basis_points=10_000)
    await world.rest()
    path = f"/v1/orders/{order.order_id}/money"
    kinds: dict[str, list[str]] = {}
    for name, who, role in (
        ("mentee", order.mentee_id, Role.MENTEE),
        ("mentor", order.mentor_id, Role.MENTOR),
        ("operator", new_id(), Role.OPERATOR),
    ):
        _, money = await world.call("GET", path, who, role)
        kinds[name] = [item["kind"] for item in money["items"]]
    assert kinds["mentee"] == ["charge", "refund", "refund_sent"]
    assert kinds["mentor"] == ["charge", "refund"]
    assert sorted(kinds["operator"]) == ["charge", "refund", "refund_sent", "stripe_fee"]


async def test_a_refund_is_previewed_to_the_cent(world: World) -> None:
    """The three amounts sum to the price; an impossible fraction is a 422."""
    order = await world.hold(price_minor=10_001)
    path = f"/v1/orders/{order.order_id}/refund-preview"
    _, shown = await world.call("GET", f"{path}?refund_basis_points=5000", order.mentee_id)
    assert shown == {
        "mentee_minor": 5_000,
        "mentor_minor": 4_250,
        "platform_minor": 751,
        "currency": "USD",
        "back_to": "card",
    }
    for query in ("", "?refund_basis_points=10001", "?refund_basis_points=x", "?other=1"):
        status, problem = await world.call("GET", path + query, order.mentee_id)
        assert (status, problem["code"]) == (422, "shape_invalid")


async def test_a_preview_counts_what_went_back_before(world: World) -> None:
    """Of a session of which half went back, no less than half is shown as going back."""
    order = await world.buy(price_minor=10_000)
    await world.say(booking.BookingCancelled, order, by="mentee", refund_basis_points=5_000)
    path = f"/v1/orders/{order.order_id}/refund-preview?refund_basis_points="
    shown = [
        (await world.call("GET", f"{path}{each}", order.mentee_id))[1] for each in (2_500, 7_500)
    ]
    assert [each["mentee_minor"] for each in shown] == [5_000, 7_500]
    assert [each["mentor_minor"] for each in shown] == [4_250, 2_125]


async def gift_of(shop: Shop) -> UUID:
    """Have two sessions given to a friend; return the friend."""
    gift, friend = await shop.give("gifts", 2), new_id()
    code = (await shop.ask("POST", f"/v1/gifts/{gift}/code", status=201))["code"]
    await shop.ask("POST", "/v1/gifts/redeem", {"code": code}, who=friend, status=201)
    return friend


async def test_a_preview_says_to_whom_it_goes_back(world: World) -> None:
    """All of what a credit paid is a credit, and a part is money on the card that bought it."""
    shop = await Shop(world).open()
    friend = await gift_of(shop)
    given = await shop.book(who=friend)
    await shop.buy(2)
    own, by_card = await shop.book(), await world.buy()
    for order, half in ((given, "giver"), (own, "card"), (by_card, "card")):
        path = f"/v1/orders/{order.order_id}/refund-preview?refund_basis_points="
        for points, where in ((5_000, half), (WHOLE, "card" if order is by_card else "credit")):
            shown = await shop.ask("GET", f"{path}{points}", who=order.mentee_id)
            assert shown["back_to"] == where, (half, points)
    path = f"/v1/orders/{own.order_id}/refund-preview?refund_basis_points="
    await shop.cancel(own, 5_000)
    assert (await shop.ask("GET", f"{path}{WHOLE}"))["back_to"] == "card", "Half is gone as money."


async def test_what_a_credit_paid_is_never_told_as_less_than_nothing(world: World) -> None:
    """Its owner reads that it was paid and what went back; who was given it, that it was given."""
    shop = await Shop(world).open()
    friend = await gift_of(shop)
    package = await shop.buy(3)
    given, half, whole = await shop.book(who=friend), await shop.book(), await shop.book()
    for order, back in ((given, 5_000), (half, 5_000), (whole, WHOLE)):
        await shop.cancel(order, back)
    late = await shop.book()
    await shop.complete(late)
    await world.advance(DELAY)
    now = world.clock.now()
    said = {"refund_basis_points": WHOLE, "settled_at": now}
    await world.say(booking.ObjectionSettled, late, **said)
    for order, theirs, all_of_it in (
        (given, [], LIST // 2), (half, [UNIT // 2], UNIT // 2), (whole, [0], 0), (late, [0], 0)
    ):  # fmt: skip
        path = f"/v1/orders/{order.order_id}/money"
        shown = await shop.ask("GET", path, who=order.mentee_id)
        assert [each["amount_minor"] for each in shown["totals"]] == theirs
        told = await shop.ask("GET", path, who=shop.mentor_id)
        sums = {each["whose"]: each["amount_minor"] for each in told["totals"]}
        assert sums.pop("mentee") == sum(sums.values()) == all_of_it
    words = [each["words"] for each in (await shop.ask("GET", path, who=late.mentee_id))["items"]]
    assert words == ["A credit paid for this session.", "The credit came back."]
    bought = await shop.ask("GET", f"/v1/orders/{package}/money")
    assert [each["amount_minor"] for each in bought["totals"]] == [3 * UNIT]
    path = f"/v1/orders/{given.order_id}/money"
    told = str(await shop.ask("GET", path, who=friend))
    assert "goes back to the card of whoever gave the session" in told


async def test_a_purchase_of_credits_says_what_became_of_it(world: World) -> None:
    """A gift that was paid back is no gift any more, and a fund whose time is over gives none."""
    shop = await Shop(world).open()
    gift, fund = await shop.give("gifts", 2), await shop.give("sponsorships", 1)

    async def became(purchase_id: UUID) -> tuple[int, int, bool]:
        shown = await shop.ask("GET", f"/v1/purchases/{purchase_id}")
        return shown["remaining"], shown["refunded_minor"], shown["expired"]

    assert await became(gift) == (2, 0, False)
    shown = {"shown_amount_minor": 2 * LIST}
    await shop.ask("POST", f"/v1/purchases/{gift}/refund", shown, status=202)
    assert await became(gift) == (0, 2 * LIST, False)
    await world.advance(400 * DAY)
    assert await became(fund) == (0, LIST, True)


async def test_the_return_page_brings_the_news(world: World) -> None:
    """With every notice lost, asking Stripe from the return page finds the payment, once."""
    await world.sim("POST", "webhooks", {"mode": "drop"})
    order = await world.hold()
    await world.rest()
    _, page = await world.call("GET", f"/v1/checkouts/{order.order_id}", order.mentee_id)
    assert page["state"] == "open"
    assert page["url"].startswith("http")
    await world.pay(order)
    for _ in range(2):
        path = f"/v1/checkouts/{order.order_id}/look-up"
        assert (await world.call("POST", path, order.mentee_id))[0] == 202
    await world.rest()
    _, page = await world.call("GET", f"/v1/checkouts/{order.order_id}", order.mentee_id)
    assert (page["state"], page["url"]) == ("paid", None)
    assert len(await world.told(facts.PaymentSucceeded)) == 1


async def test_lists_have_pages(world: World) -> None:
    """Earned orders come in pages; a cursor of somebody's own making is refused."""
    mentor = new_id()
    bought = [await world.buy(mentor_id=mentor) for _ in range(3)]
    path = "/v1/me/earnings/orders?limit=2"
    _, first = await world.call("GET", path, mentor, Role.MENTOR)
    _, second = await world.call(
        "GET", f"{path}&cursor={first['next_cursor']}", mentor, Role.MENTOR
    )
    found = [item["order_id"] for item in first["items"] + second["items"]]
    assert found == [str(order.order_id) for order in reversed(bought)]
    assert second["next_cursor"] is None
    for wrong in ("/v1/me/earnings/orders", "/v1/me/payouts"):
        status, problem = await world.call("GET", f"{wrong}?cursor=WyJ4Il0=", mentor, Role.MENTOR)
        assert (status, problem["code"]) == (422, "cursor_invalid")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/operator/ledger/trial-balance"),
        ("GET", "/v1/operator/operations"),
        ("POST", "/v1/operator/operations/01a20636-2926-7381-a2ab-ec01d91911be/retry"),
        ("GET", "/v1/me/account"),
        ("GET", "/v1/me/earnings"),
    ],
)
async def test_roles_are_asked_for(world: World, method: str, path: str) -> None:
    """Nobody without the role gets in, and nobody without a token."""
    status, problem = await world.call(method, path, new_id(), Role.MENTEE)
    assert (status, problem["code"]) == (403, "role_missing")
    async with world.client.request(method, path) as answer:
        assert answer.status == 401


async def test_the_trial_balance_sums_to_zero(world: World) -> None:
    """What operators see is the whole ledger."""
    await world.buy()
    await world.rest()
    _, shown = await world.call("GET", "/v1/operator/ledger/trial-balance", new_id(), Role.OPERATOR)
    assert {item["account"] for item in shown["items"]} == {
        "stripe_balance",
        "session_clearing",
        "stripe_fees",
    }
    assert sum(item["amount_minor"] for item in shown["items"]) == 0


async def test_a_paid_hold_without_an_answer_is_seen(world: World) -> None:
    """Until booking answers, a payment stands in the view that verification reads."""
    order = await world.hold()
    await world.rest()
    await world.pay(order)
    await world.rest()
    found = await world.pool.fetch("SELECT order_id FROM paid_without_outcome")
    assert [row["order_id"] for row in found] == [order.order_id]
    await world.say(booking.BookingConfirmed, order, title="Career talk")
    assert await world.pool.fetch("SELECT order_id FROM paid_without_outcome") == []
