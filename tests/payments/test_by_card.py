"""What a card paid leaves once, by refunds and banks, and exactly, whatever a code took off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain.disputes import Left, Loss, left_of, make_up, shares_of
from services.payments.domain.orders import Session
from services.payments.domain.outcomes import Earnings, by_card_of, gone_after
from shared.money import WHOLE_BASIS_POINTS, Money, charge_step
from tests.payments.conftest import World
from tests.payments.test_disputes import decide, dispute, part_of
from tests.payments.test_paid_once import STRIPE_ALONE, cancelled, overtaken, refunds, sent
from tests.payments.test_promotions import make

PRICE, OFF, ODD = 11_000, 1_000, 5_001
POINTS = st.integers(1, WHOLE_BASIS_POINTS)
CURRENCIES = st.sampled_from(["USD", "JPY", "KWD"])
PARTS = st.lists(st.tuples(st.integers(1, 9_999), POINTS), min_size=1, max_size=3)
STEPS = st.lists(
    st.tuples(st.sampled_from(["refund", "amount", "bank", "win"]), POINTS), max_size=9
)


@dataclass
class Charge:
    """What is left of the sessions of one charge, by the rules alone, and what banks have of it."""

    sessions: dict[UUID, Session]
    earnings: dict[UUID, Earnings]
    taken: list[dict[UUID, Left]]
    losses: list[int]

    @classmethod
    def of(cls, parts: list[tuple[int, int]], currency: str) -> Charge:
        """Return a charge of prices of so many steps, of which the card pays a fraction."""
        step, nothing = charge_step(currency), Money(0, currency)
        sessions: dict[UUID, Session] = {}
        for number, (steps, points) in enumerate(parts, 1):
            price = Money(steps * step, currency)
            off = price - price.part(points).in_steps(step)
            sessions[UUID(int=number)] = Session(
                UUID(int=number), price, "completed", discount_minor=off.minor
            )
        some = (nothing, nothing, None, None, "waiting", nothing, nothing, nothing)
        earnings = {each: Earnings(each, each, each, *some) for each in sessions}
        return cls(sessions, earnings, [], [])

    @property
    def to_pay(self) -> Money:
        """Return what the card paid."""
        paid = [each.to_pay for each in self.sessions.values()]
        return sum(paid, Money(0, paid[0].currency))

    def left(self) -> dict[UUID, Left]:
        """Return what is left of each session."""
        return {each: left_of(self.sessions[each], self.earnings[each]) for each in self.sessions}

    def move(self, session_id: UUID, part: Left) -> None:
        """Let a part of a session go, or come back below zero."""
        had = self.earnings[session_id]
        gone, by_card = had.gone + part.price, had.gone_by_card + part.by_card
        self.earnings[session_id] = replace(had, gone=gone, gone_by_card=by_card)

    def refund(self, session_id: UUID, amount: Money) -> Money:
        """Give an amount of a session's price back; return what the card gets."""
        by_card = by_card_of(self.sessions[session_id], self.earnings[session_id], amount)
        assert 0 <= by_card.minor <= amount.minor
        self.move(session_id, Left(by_card, amount))
        return by_card

    def give_back(self, points: int) -> Money:
        """Give a fraction of every session back in all; return what the card gets."""
        back = Money(0, self.to_pay.currency)
        for session_id, session in self.sessions.items():
            gone = self.earnings[session_id].gone
            back += self.refund(session_id, gone_after(session, points, gone) - gone)
        return back

    def dispute(self, amount: Money) -> None:
        """Let a bank take an amount of the charge."""
        parts, beyond = shares_of(amount, self.left())
        for session_id, part in parts.items():
            self.move(session_id, part)
        self.taken.append(dict(parts))
        self.losses.append(beyond.minor)

    def win(self, number: int) -> None:
        """Let a bank give back all that one dispute took, which makes up for others' losses."""
        currency = self.to_pay.currency
        back, self.taken[number], self.losses[number] = self.taken[number], {}, 0
        losses = [Loss(str(other), Money(m, currency)) for other, m in enumerate(self.losses) if m]
        stays, made_up = make_up(losses, back)
        for name, parts in made_up.items():
            mine = self.taken[int(name)]
            for session_id, part in parts.items():
                had = mine.get(session_id, Left(Money(0, currency), Money(0, currency)))
                mine[session_id] = had - -part
                self.losses[int(name)] -= part.by_card.minor
        for session_id, part in stays.items():
            self.move(session_id, -part)


def check(charge: Charge) -> None:
    """Assert that nobody got more than was paid, and that the price covers what is left."""
    for session_id, left in charge.left().items():
        assert 0 <= left.by_card.minor <= left.price.minor, session_id


@given(PARTS, CURRENCIES, STEPS, st.booleans())
def test_refunds_and_disputes_come_to_exactly_what_the_card_paid(
    parts: list[tuple[int, int]], currency: str, steps: list[tuple[str, int]], odd: bool
) -> None:
    """Any prices, codes, order and amounts, odd ones too: the last refund is what is left."""
    charge, step = Charge.of(parts, currency), 1 if odd else charge_step(currency)
    for what, points in steps:
        if what == "refund":
            back = charge.give_back(points)
            assert odd or back.minor % charge_step(currency) == 0
        elif what == "amount":
            for session_id, left in charge.left().items():
                charge.refund(session_id, left.price.part(points))
                odd = True
        elif what == "bank":
            charge.dispute(charge.to_pay.part(points).in_steps(step))
        elif charge.taken:
            charge.win(points % len(charge.taken))
        check(charge)
    charge.give_back(WHOLE_BASIS_POINTS)
    for number in range(len(charge.taken)):
        charge.win(number)
        charge.give_back(WHOLE_BASIS_POINTS)
        check(charge)
    gone = [each.gone_by_card for each in charge.earnings.values()]
    assert sum(gone, Money(0, currency)) == charge.to_pay


@given(st.integers(1, 9_999), POINTS, CURRENCIES, st.lists(POINTS, min_size=1, max_size=5))
def test_of_a_fraction_of_the_price_the_card_gets_that_fraction_of_what_it_paid(
    steps: int, paid: int, currency: str, fractions: list[int]
) -> None:
    """In however many refunds: nothing is lost by rounding each of them."""
    charge = Charge.of([(steps, paid)], currency)
    ((session_id, session),) = charge.sessions.items()
    for points in sorted(fractions):
        charge.give_back(points)
    earned = charge.earnings[session_id]
    assert earned.gone_by_card == session.by_card(earned.gone)


async def discounted(world: World) -> None:
    """Let the platform give 10.00 of a price with a code."""
    await make(world, "TEN-OFF", amount_minor=OFF, currency="USD", paid_by="platform")


@pytest.mark.parametrize("first", ["bank", "mentor"])
async def test_a_part_that_a_bank_took_of_a_discounted_price_comes_back(
    world: World, first: str
) -> None:
    """Won, it is refunded to the cent, whether the bank or the mentor was heard of first."""
    await discounted(world)
    order = await world.buy(PRICE, promotion_code="TEN-OFF")
    if first == "bank":
        opened = await dispute(world, order, ODD)
        await world.rest()
        await cancelled(world, order)
        await world.rest()
        assert await refunds(world) == [(PRICE - OFF - ODD, "settled", None)]
    else:
        (opened,) = await overtaken(world, order, ODD)
    assert await sent(world) == [PRICE - OFF - ODD]
    await decide(world, opened, "win")
    await world.rest()
    assert await sent(world) == [PRICE - OFF - ODD, ODD]
    assert {state for _, state, _ in await refunds(world)} == {"settled"}
    assert (await part_of(world, order)).keys() == STRIPE_ALONE
    await world.check_books()
