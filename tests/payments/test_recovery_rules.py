"""What leaves a session's part and comes back to it: sums that are exact in every currency."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain import transfers
from services.payments.domain.mending import (
    WriteOffNotInSteps,
    WriteOffTooMuch,
    check_write_off,
)
from services.payments.domain.orders import Order, Session
from services.payments.domain.outcomes import Earnings, expect
from services.payments.domain.recovery import give, take
from services.payments.domain.transfers import Debt, Reversal, Transfer
from shared.errors import Refusal
from shared.money import Money

NOW = datetime(2030, 5, 6, 12, tzinfo=UTC)
ID = UUID(int=1)
CURRENCIES = st.sampled_from(["USD", "JPY", "KWD", "HUF"])
PRICES = st.integers(1, 999_999).map(lambda n: n * 10)
SHARES = st.integers(0, 10_000)
PARTS = st.lists(st.tuples(st.booleans(), st.integers(1, 5_000)), max_size=8)


def purchase(price: Money, share: int) -> tuple[Order, Session]:
    """Return a paid purchase of one session."""
    session = Session(ID, price, "completed")
    order = Order(
        order_id=ID,
        mentor_id=ID,
        mentee_id=ID,
        title="",
        price=price,
        platform_share_basis_points=share,
        release_delay=timedelta(),
        hold_until=NOW,
        close_at=NOW,
        state="paid",
        payment_intent_id="pi",
        charge_id="ch",
        paid_at=NOW,
        opened_at=NOW,
        version=1,
        sessions=(session,),
    )
    return order, session


def released(earnings: Earnings) -> Earnings:
    """Return earnings whose split is final."""
    return replace(earnings, released_at=NOW, payable=earnings.mentor)


@given(PRICES, CURRENCIES, SHARES, PARTS, st.booleans())
def test_whoever_moves_it_the_sides_come_to_the_amount(
    minor: int, currency: str, share: int, parts: list[tuple[bool, int]], out: bool
) -> None:
    """Takes and gives of any size: each is shared out exactly, and nobody's share is negative."""
    order, session = purchase(Money(minor, currency), share)
    earnings = expect(order, session)
    earnings = released(earnings) if out else earnings
    for takes, part in parts:
        amount = Money(part if takes else min(part, earnings.gone.minor), currency)
        move = take if takes else give
        earnings, sides = move(order, session, earnings, amount)
        assert abs(sides.total.minor) == amount.minor
        assert sides.debt.minor >= 0
        assert min(earnings.mentor.minor, earnings.platform.minor, earnings.payable.minor) >= 0
        left = max(0, minor - earnings.gone.minor)
        assert earnings.mentor.minor + earnings.platform.minor == left


@given(PRICES, CURRENCIES, SHARES, st.integers(0, 20_000_000), st.booleans())
def test_what_was_taken_and_comes_back_leaves_everything_as_it_was(
    minor: int, currency: str, share: int, amount: int, out: bool
) -> None:
    """A dispute that is won: whoever gave back gets the same again, even beyond the price."""
    order, session = purchase(Money(minor, currency), share)
    before = expect(order, session)
    before = released(before) if out else before
    taken, there = take(order, session, before, Money(amount, currency))
    after, back = give(order, session, taken, Money(amount, currency))
    assert (after.mentor, after.platform, after.gone) == (
        before.mentor, before.platform, before.gone,
    )  # fmt: skip
    assert there.total.minor + back.total.minor == 0
    assert there.mentor.minor + back.mentor.minor == 0
    assert there.losses.minor + back.losses.minor == 0


def test_what_the_mentor_got_already_is_a_debt() -> None:
    """A third of 120.00 goes back, after the share was transferred and half of it came again."""
    order, session = purchase(Money(12_000, "USD"), 1_500)
    sent = replace(released(expect(order, session)), payable=Money(0, "USD"), transfer_state="sent")
    left, sides = take(order, session, sent, Money(4_000, "USD"))
    assert (sides.debt.minor, sides.platform.minor, sides.payable.minor) == (3_400, 600, 0)
    more, back = give(order, session, left, Money(2_000, "USD"))
    assert (back.payable.minor, more.payable.minor, more.transfer_state) == (
        -1_700,
        1_700,
        "waiting",
    )
    less, again = take(order, session, more, Money(4_000, "USD"))
    assert (again.payable.minor, again.debt.minor, less.payable.minor) == (1_700, 1_700, 0)
    assert less.transfer_state == "nothing"


@given(st.integers(1, 9_999), st.integers(0, 9_999), st.integers(0, 9_999))
def test_a_share_is_kept_for_what_the_mentor_owes(payable: int, owed: int, asked: int) -> None:
    """Never more than is owed, nor what Stripe is being asked to take back; the rest is sent."""
    order, session = purchase(Money(12_000, "USD"), 1_500)
    earnings = replace(released(expect(order, session)), payable=Money(payable, "USD"))
    debt = Debt(ID, Money(max(owed, asked), "USD"), Money(asked, "USD"))
    part = order.part(ID)
    planned, transfer, netted = transfers.plan(part, earnings, [], debt, NOW)
    assert transfer.amount.minor + netted.minor == payable
    assert 0 <= netted.minor <= debt.free.minor
    assert planned.payable.minor == 0
    assert (transfer.state == "netted") == (transfer.amount.minor == 0)


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(0, 99)), max_size=4), st.integers(0, 400))
def test_no_transfer_is_reversed_by_more_than_it_was(
    sent: list[tuple[int, int]], amount: int
) -> None:
    """The last transfers give first, each at most what of it has not come back."""
    known = [
        Transfer(
            UUID(int=number), ID, ID, ID, number, Money(minor, "JPY"), Money(0, "JPY"), "sent", NOW,
            reversed_minor=min(back, minor),
        )
        for number, (minor, back) in enumerate(sent, 1)
    ]  # fmt: skip
    parts = transfers.parts_to_reverse(known, [], Money(amount, "JPY"))
    rest = sum(each.amount.minor - each.reversed_minor for each in known)
    assert sum(part.minor for _, part in parts) == min(amount, rest)
    for transfer, part in parts:
        assert 0 < part.minor <= transfer.amount.minor - transfer.reversed_minor


@pytest.mark.parametrize(
    ("currency", "floor"),
    [("USD", 20_000), ("HUF", 7_000_000), ("IDR", 800_000_000), ("JPY", 30_000), ("KWD", 60_000)],
)
def test_operators_are_told_of_debts_beyond_a_floor_of_the_currency(
    currency: str, floor: int
) -> None:
    """About the same everywhere, whatever a unit of the currency is worth."""
    for owed, told in ((floor, False), (floor + 1, True)):
        assert Debt(ID, Money(owed, currency), Money(0, currency)).beyond_floor == told


@pytest.mark.parametrize(
    ("currency", "free", "amount", "refusal"),
    [
        ("KWD", 8_500, 4_330, None),
        ("KWD", 8_500, 4_333, WriteOffNotInSteps),
        ("KWD", 8_503, 8_503, None),
        ("HUF", 850_000, 850, WriteOffNotInSteps),
        ("USD", 8_500, 1, None),
        ("USD", 8_500, 8_501, WriteOffTooMuch),
        ("USD", 8_500, 0, WriteOffTooMuch),
    ],
)
def test_a_part_of_a_debt_is_written_off_in_steps_that_stripe_can_transfer(
    currency: str, free: int, amount: int, refusal: type[Refusal] | None
) -> None:
    """What is left of the debt is kept from a later share, of which Stripe must take the rest."""
    with pytest.raises(refusal) if refusal else nullcontext():
        check_write_off(Money(amount, currency), Money(free, currency))


def refused(attempt: int = 1, amount: int = 60) -> Reversal:
    """Return a part of a transfer that the account did not hold."""
    money = Money(amount, "USD")
    asked = Reversal(ID, ID, ID, ID, ID, money, "planned", NOW, attempt=attempt)
    return transfers.refuse_reversal(asked, "balance_insufficient", NOW)


def test_an_account_that_held_too_little_is_asked_a_day_later_and_not_for_ever() -> None:
    """Any other refusal, and the last of thirty, is nothing that a day lifts."""
    day = NOW + transfers.ASK_AGAIN_AFTER
    assert [refused(n).ask_at for n in (1, 29, 30)] == [day, day, None]
    assert transfers.refuse_reversal(refused(), "account_invalid", NOW).ask_at is None


@pytest.mark.parametrize(("owed", "under_way", "asked"), [(100, 0, 60), (100, 70, 30), (60, 60, 0)])
def test_no_more_is_asked_for_again_than_is_owed_and_not_under_way(
    owed: int, under_way: int, asked: int
) -> None:
    """A later share may have been kept, or another part be asked for at this moment."""
    debt = Debt(ID, Money(owed, "USD"), Money(under_way, "USD"))
    nothing, sent = Money(0, "USD"), Money(500, "USD")
    transfer = Transfer(ID, ID, ID, ID, 1, sent, nothing, "sent", NOW)
    again = transfers.ask_again(refused(), transfer, [refused()], debt)
    assert again.ask_at is None
    if asked:
        assert (again.state, again.amount.minor, again.attempt) == ("planned", asked, 2)
    else:
        assert again.state == "refused"
