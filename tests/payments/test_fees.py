"""What the platform takes: rules by volume and by mentor, frozen, divided to the last unit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain.fees import (
    FeeRule,
    FeeTerms,
    Tier,
    TiersDisordered,
    check_rule,
    divide,
)
from services.payments.domain.splits import fraction
from shared.auth import Role
from shared.contracts.booking import SessionCompleted
from shared.ids import new_id
from shared.money import Money, charge_step, payout_step, spread
from tests.payments.conftest import DELAY, World

CURRENCIES = st.sampled_from(["USD", "JPY", "KWD", "HUF", "ISK", "TWD", "UGX", "BHD", "KRW"])
STEPS = st.integers(0, 999_999)
POINTS = st.integers(0, 10_000)
RULES = "/v1/operator/fees"


@given(STEPS, CURRENCIES, POINTS, st.builds(FeeTerms, POINTS, st.integers(0, 10**7)), STEPS)
def test_whatever_the_rule_the_parts_sum_to_the_price(
    steps: int, currency: str, back: int, terms: FeeTerms, borne: int
) -> None:
    """Nothing is lost or made up, nobody gets less than nothing, mentors get what can be paid."""
    price = Money(steps * charge_step(currency), currency)
    split = divide(price, fraction(price, back), terms, borne)
    parts = (split.mentee.minor, split.mentor.minor, split.platform.minor)
    assert sum(parts) == price.minor
    assert min(parts) >= 0
    assert split.mentor.minor % payout_step(currency) == 0
    assert split.mentee.minor % charge_step(currency) == 0
    assert split.mentee.minor * 10_000 <= price.minor * back
    assert split.mentor.minor * 10_000 <= split.retained.minor * (10_000 - terms.share_basis_points)


@given(STEPS, CURRENCIES, POINTS, POINTS, st.builds(FeeTerms, POINTS, st.integers(0, 10**7)))
def test_more_back_is_never_more_for_the_mentor(
    steps: int, currency: str, one: int, other: int, terms: FeeTerms
) -> None:
    """So that what is asked back after a further refund is never less than nothing."""
    price = Money(steps * charge_step(currency), currency)
    less, more = sorted((one, other))
    kept = [divide(price, fraction(price, each), terms).mentor.minor for each in (less, more)]
    assert kept[0] >= kept[1]


@given(st.lists(STEPS, min_size=1, max_size=8), CURRENCIES, POINTS)
def test_an_amount_is_spread_exactly(parts: list[int], currency: str, share: int) -> None:
    """In whole steps, none larger than what it is a part of, and in sum what was to be spread."""
    step = charge_step(currency)
    prices = [Money(each * step, currency) for each in parts]
    whole = Money(sum(parts) * share // 10_000 * step, currency)
    found = spread(whole, prices, step)
    assert sum(each.minor for each in found) == whole.minor
    assert all(
        0 <= part.minor <= price.minor and part.minor % step == 0
        for part, price in zip(found, prices, strict=True)
    )


def test_by_hand() -> None:
    """12.5 % of 100.01 after a third; a minimum shrinks with it; a mentor bears a fee."""
    price = Money(10_001, "USD")
    third = fraction(price, 3_333)
    split = divide(price, third, FeeTerms(1_250))
    assert (split.mentee.minor, split.mentor.minor, split.platform.minor) == (3_333, 5_834, 834)
    assert divide(price, Money(0, "USD"), FeeTerms(1_250, 5_000)).platform.minor == 5_000
    assert divide(price, third, FeeTerms(1_250, 5_000)).platform.minor == 3_334
    assert divide(price, third, FeeTerms(1_250), borne_minor=320).mentor.minor == 5_514
    assert divide(price, price, FeeTerms(1_250), borne_minor=320).platform.minor == 0


def test_tiers_go_by_volume_in_their_currency() -> None:
    """The highest that is reached counts; volume in another currency reaches nothing."""
    rule = FeeRule(1_500, (Tier("USD", 100_000, 1_200), Tier("USD", 500_000, 1_000)), {"USD": 100})
    shares = [rule.terms(Money(n, "USD")).share_basis_points for n in (0, 99_999, 100_000, 10**9)]
    assert shares == [1_500, 1_500, 1_200, 1_000]
    assert rule.terms(Money(10**9, "EUR")) == FeeTerms(1_500)
    check_rule(rule)
    for wrong in (
        rule.tiers[::-1],
        (Tier("USD", 5, 1_500),),
        (Tier("USD", 5, 9), Tier("USD", 5, 8)),
    ):
        with pytest.raises(TiersDisordered):
            check_rule(replace(rule, tiers=tuple(wrong)))


async def set_rule(world: World, **said: Any) -> tuple[int, Any]:
    body = {"share_basis_points": 1_500, "reason": "A new rule.", **said}
    return await world.call("POST", RULES, new_id(), Role.OPERATOR, body=body)


async def test_a_purchase_keeps_the_terms_it_began_with(world: World) -> None:
    """A mentor's own rule, then none: what was held before stays; all is logged."""
    before = await world.hold()
    status, answer = await set_rule(
        world, mentor_id=str(before.mentor_id), share_basis_points=1_000,
        minimums=[{"currency": "USD", "minimum_minor": 2_000}],
    )  # fmt: skip
    assert status == 202, answer
    now = await world.hold(mentor_id=before.mentor_id)
    assert (await world.order(before)).fees == FeeTerms(1_500)
    version = answer["details"]["version"]
    assert (await world.order(now)).fees == FeeTerms(1_000, 2_000, rule=version)
    mentor = (before.mentor_id, Role.MENTOR)
    _, mine = await world.call("GET", "/v1/me/fees?currency=USD", *mentor)
    assert (mine["share_basis_points"], mine["minimum_minor"]) == (1_000, 2_000)
    status, problem = await set_rule(world, mentor_id=str(before.mentor_id))
    assert (status, problem["code"]) == (412, "fees_outdated")
    path = f"{RULES}/mentors/{before.mentor_id}/end"
    ended = await world.call("POST", path, new_id(), Role.OPERATOR, body={"reason": "Over."})
    assert ended[0] == 202
    again = await world.call("POST", path, new_id(), Role.OPERATOR, body={"reason": "Over."})
    assert again[1]["code"] == "no_own_fees"
    _, mine = await world.call("GET", "/v1/me/fees?currency=USD", *mentor)
    assert mine["share_basis_points"] == 1_500
    _, log = await world.call("GET", "/v1/operator/log", new_id(), Role.OPERATOR)
    assert [deed["action"] for deed in log["items"]] == ["end_own_fees", "set_fees"]


async def test_volume_lowers_the_share_and_the_mentor_may_bear_stripes_fee(world: World) -> None:
    """The release waits for the fee; the next purchase is in the tier that this one reached."""
    tiers = [{"currency": "USD", "from_minor": 12_000, "share_basis_points": 1_000}]
    assert (await set_rule(world, tiers=tiers, stripe_fee="mentor"))[0] == 202
    first = await world.buy()
    await world.connect(first.mentor_id)
    order = await world.order(first)
    fee = order.stripe_fee_minor
    assert fee is not None
    assert order.borne_fee_minor == fee
    await world.say(SessionCompleted, first, by="mentee", completed_at=world.clock.now())
    await world.advance(DELAY + timedelta(hours=1))
    balances = await world.balances()
    assert balances["platform_revenue"] == -(1_800 + fee)
    assert len(await world.movements("transfer")) == 1
    assert -(await world.movements("transfer"))[0]["amount"] == 10_200 - fee
    await world.check_books()
    _, money = await world.call(
        "GET", f"/v1/orders/{first.order_id}/money", first.mentor_id, Role.MENTOR
    )
    assert {each["kind"]: each["amount_minor"] for each in money["items"]}["stripe_fee"] == fee
    second = await world.hold(mentor_id=first.mentor_id)
    assert (await world.order(second)).fees.share_basis_points == 1_000


async def test_a_release_waits_until_the_fee_is_known(world: World) -> None:
    """Nobody is given what may not be theirs, not even by an operator's word."""
    assert (await set_rule(world, stripe_fee="mentor"))[0] == 202
    bought = await world.buy()
    unknown = "UPDATE orders SET borne_fee_minor = NULL, stripe_fee_minor = NULL"
    await world.pool.execute(unknown)
    await world.say(SessionCompleted, bought, by="mentee", completed_at=world.clock.now())
    path = f"/v1/operator/orders/{bought.order_id}/release"
    early = await world.call("POST", path, new_id(), Role.OPERATOR, body={"reason": "Now."})
    assert early[1]["code"] == "nothing_to_release"
    await world.advance(DELAY + timedelta(minutes=30))
    assert "mentor_payable" not in await world.balances()
    await world.pool.execute("UPDATE orders SET borne_fee_minor = 378, stripe_fee_minor = 378")
    await world.advance(timedelta(hours=1))
    assert (await world.balances())["platform_revenue"] < 0
