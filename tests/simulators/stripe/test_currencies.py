"""Which amounts cards can move in which currency, and that our own rules of money say the same."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from shared import money as ours
from simulators.stripe import money as theirs
from tests.simulators.stripe.conftest import World, line_item

WHOLE = "invalid_charge_amount_no_decimal_compatible"
FRACTIONS = [
    ("isk", 50_010, WHOLE),
    ("ugx", 500_050, WHOLE),
    ("kwd", 5_124, "invalid_charge_amount"),
]


async def _refused(calling: Any) -> tuple[int | None, str | None, str | None]:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await calling
    return caught.value.http_status, caught.value.code, caught.value.param


def _intent(amount: int, currency: str) -> dict[str, Any]:
    return {
        "amount": amount,
        "currency": currency,
        "payment_method": "pm_card_visa",
        "confirm": True,
        "capture_method": "manual",
    }


def test_our_money_moves_in_the_steps_that_are_charged() -> None:
    """https://docs.stripe.com/currencies: what we offer, cards can be charged, and banks paid."""
    for currency in ours.CURRENCIES:
        code = currency.lower()
        most = theirs.LARGEST_CHARGES.get(code, theirs.LARGEST_CHARGE)
        assert ours.decimals(currency) == theirs.decimals(code)
        assert ours.charge_step(currency) == theirs.charge_step(code)
        assert ours.payout_step(currency) == theirs.payout_step(code)
        assert ours.largest_charge(currency) == most
        assert ours.SMALLEST_CHARGES.get(currency) == theirs.SMALLEST_CHARGE.get(code)


@pytest.mark.parametrize(("currency", "amount", "code"), FRACTIONS)
async def test_a_fraction_that_cards_cannot_move_is_not_charged(
    world: World, currency: str, amount: int, code: str
) -> None:
    """https://docs.stripe.com/currencies: «to charge 5 ISK, provide an amount value of 500».

    Of three decimals «these API calls require the least-significant (last) digit to be 0». And
    https://support.stripe.com/questions/deprecation-of-fractional-isk-charges-and-refunds: «the
    Stripe API will enforce that all amounts in ISK are stated in multiples of 100».
    """
    session = world.session(line_items=[line_item(amount, currency)])
    where = "line_items[0][price_data][unit_amount]"
    assert await _refused(session) == (400, code, where)
    intent = world.api.payment_intents.create_async(_intent(amount, currency))
    assert await _refused(intent) == (400, code, "amount")
    assert (await world.api.payment_intents.list_async()).data == []


@pytest.mark.parametrize(("currency", "amount", "code"), FRACTIONS)
async def test_nor_is_it_captured_refunded_or_disputed(
    world: World, currency: str, amount: int, code: str
) -> None:
    """https://docs.stripe.com/currencies: «including Payment Intents, Refunds, and Disputes».

    https://support.stripe.com/questions/deprecation-of-fractional-isk-charges-and-refunds:
    «refunding prior charges made in fractional króna will result in the same [code]».
    """
    whole = amount // 100 * 100
    intent = await world.api.payment_intents.create_async(_intent(whole, currency))
    part = whole - theirs.charge_step(currency) // 2
    capture = world.api.payment_intents.capture_async(intent.id, {"amount_to_capture": part})
    assert await _refused(capture) == (400, code, "amount_to_capture")
    await world.api.payment_intents.capture_async(intent.id)
    refund = world.api.refunds.create_async({"payment_intent": intent.id, "amount": part})
    assert await _refused(refund) == (400, code, "amount")
    order = {"charge": intent.latest_charge, "amount": part}
    async with world.http.post("/_sim/disputes", json=order) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, code)
    assert (await world.api.refunds.create_async({"payment_intent": intent.id})).amount == whole
    await world.books()


@pytest.mark.parametrize(
    ("currency", "most"), [("usd", 99_999_999), ("jpy", 9_999_999_999), ("huf", 999_999_999_999)]
)
async def test_the_largest_charge_depends_on_the_currency(
    world: World, currency: str, most: int
) -> None:
    """https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts; #amount-too-large."""
    charge = await world.paid(line_items=[line_item(most, currency)])
    assert charge.amount == most
    if most < 999_999_999_999:
        intent = world.api.payment_intents.create_async(_intent(most + 1, currency))
        assert await _refused(intent) == (400, "amount_too_large", "amount")
    await world.books()


async def test_whole_units_are_paid_out_and_the_rest_stays(world: World) -> None:
    """https://docs.stripe.com/currencies#special-cases: HUF is paid out in whole units.

    «If you have an available balance of HUF 10.45, you can pay out HUF 10 by submitting 1000».
    """
    charge, mentor = await world.paid(line_items=[line_item(40_000, "huf")]), await world.mentor()
    given = {"amount": 20_045, "currency": "huf", "destination": mentor.id}
    await world.api.transfers.create_async({**given, "source_transaction": charge.id})
    await world.advance(days=3)
    options = {"stripe_account": mentor.id}
    assert [each.amount for each in (await world.api.payouts.list_async({}, options)).data] == [
        20_000
    ]
    by_hand = world.api.payouts.create_async({"amount": 10, "currency": "huf"}, options)
    assert await _refused(by_hand) == (400, None, "amount")
    await world.books()
