"""P11: paying, expiring and cancelling have one outcome, in every order (*Holding and paying*)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from services.booking.domain.holds import SlotTaken, end_hold
from services.booking.domain.orders import Order, OrderState
from services.booking.domain.sessions import CallOff, cancel
from services.booking.domain.settlement import is_settled, obstacle, settle
from shared.contracts.booking import (
    BookingCancelled,
    BookingConfirmed,
    BookingExpired,
    BookingLost,
    OrderFact,
)
from shared.errors import Refusal
from shared.ids import OfferingId
from tests.booking.conftest import SLOT, Marketplace, Person
from tests.booking.orders import HELD, NOW, STARTS

HAPPENINGS = ("pay", "pay again", "expire", "cancel", "rival", "suspend", "begin")


class Model:
    """One order among what happens around it; a rival wants its time."""

    def __init__(self) -> None:
        self.order: Order = HELD
        self.facts: list[OrderFact] = []
        self.sold_to_rival = False
        self.suspended = False
        self.begun = False

    def happen(self, what: str) -> None:
        """Let one thing happen; a refusal changes nothing."""
        now = STARTS if self.begun else NOW
        changed = None
        if what in ("pay", "pay again"):
            changed = self._paid()
        elif what == "expire":
            changed = end_hold(self.order)
        elif what == "cancel":
            try:
                changed = cancel(
                    self.order, self.order.lead, "mentor", CallOff(shown=10_000), now=now
                )
            except Refusal:
                return
        elif what == "rival":
            self.sold_to_rival = self.sold_to_rival or not self.order.lead.blocks_time
        elif what == "suspend":
            self.suspended = True
        else:
            self.begun = True
        if changed:
            self.order, fact = changed
            self.facts.append(fact)

    def _paid(self) -> tuple[Order, OrderFact] | None:
        if is_settled(self.order):
            return None
        now = STARTS if self.begun else NOW
        lost = obstacle(self.order, bookable=not self.suspended, now=now)
        if lost is None and self.order.state is OrderState.EXPIRED and self.sold_to_rival:
            lost = "time_sold"
        return settle(self.order, lost, now=now)


def check_one_outcome(facts: Sequence[OrderFact], *, paid: bool) -> None:
    """Money that came is either used or given back: never both, never neither, never twice."""
    kinds = [type(fact) for fact in facts]
    used, lost = kinds.count(BookingConfirmed), kinds.count(BookingLost)
    assert used + lost == (1 if paid else 0), kinds
    if lost:
        assert BookingCancelled not in kinds, "a share of money that went back in full"
        assert kinds[-1] is BookingLost
    assert kinds.count(BookingExpired) <= 1
    assert kinds.count(BookingCancelled) <= used
    assert [fact.version for fact in facts] == list(range(2, len(facts) + 2))


def test_money_has_one_outcome_in_every_order_of_what_can_happen():
    """All 5,040 orders of two payments, expiry, cancellation, a rival, suspension, the start."""
    for happenings in permutations(HAPPENINGS):
        model = Model()
        for what in happenings:
            model.happen(what)
        check_one_outcome(model.facts, paid=True)
        assert not (model.sold_to_rival and model.order.lead.blocks_time), happenings


def test_without_a_payment_nothing_is_confirmed_or_lost():
    """The same, when the money never comes."""
    for happenings in permutations(HAPPENINGS[2:]):
        model = Model()
        for what in happenings:
            model.happen(what)
        check_one_outcome(model.facts, paid=False)


@pytest.mark.parametrize("twice", [0, 2])
def test_the_check_notices_money_without_an_outcome(twice: int):
    """The control: no outcome, and two."""
    changed = settle(HELD, None, now=NOW)
    assert changed
    with pytest.raises(AssertionError):
        check_one_outcome([changed[1]] * twice, paid=True)


Step = Callable[[], Awaitable[object]]


async def test_the_database_agrees_in_every_order(market: Marketplace):
    """Paying twice, expiry, the mentor's cancellation and a rival's hold, in all 60 orders."""
    mentor, rival = await market.mentor(), market.person()
    offering_id = await market.offer(mentor)
    slots = iter(SLOT + timedelta(hours=2 * n) for n in range(60))
    for happenings in sorted(set(permutations(("pay", "pay", "expire", "cancel", "rival")))):
        order = await market.hold(market.person().person_id, offering_id, next(slots))
        steps = _steps(market, order, mentor, rival, offering_id)
        for what in happenings:
            await steps[what]()
        told = await market.facts(key=order.order_id)
        check_one_outcome(told[1:], paid=True)
    assert await market.overlaps() == 0


def _steps(
    market: Marketplace, order: Order, mentor: Person, rival: Person, offering_id: OfferingId
) -> dict[str, Step]:
    async def cancel_it() -> None:
        path = f"/v1/orders/{order.order_id}/cancel"
        shown = {"shown_refund_basis_points": 10_000}
        status, answer = await market.call("POST", path, mentor, json=shown)
        assert status == 200 or answer["code"] == "not_confirmed"

    async def rival_holds() -> None:
        try:
            await market.hold(rival.person_id, offering_id, order.lead.starts_at)
        except SlotTaken:
            assert await market.state(order) in ("held", "confirmed")

    return {
        "pay": lambda: market.pay(order),
        "expire": lambda: market.close_checkout(order),
        "cancel": cancel_it,
        "rival": rival_holds,
    }


async def held(market: Marketplace) -> tuple[Any, OfferingId, Person]:
    mentor = await market.mentor()
    offering_id = await market.offer(mentor)
    return await market.hold(market.person().person_id, offering_id), offering_id, mentor


async def test_money_before_the_lapse_confirms(market: Marketplace):
    """The normal case; the same news again changes nothing."""
    order, _, _ = await held(market)
    assert await market.pay(order) == "handled"
    assert await market.pay(order) == "handled"
    assert await market.state(order) == "confirmed"
    assert len(await market.facts(BookingConfirmed)) == 1


async def test_late_money_revives_what_expired_when_its_time_is_free(market: Marketplace):
    """Expired, in the future, bookable and free: the time is sold to the order once more."""
    order, offering_id, _ = await held(market)
    await market.close_checkout(order)
    assert await market.state(order) == "expired"
    await market.pay(order)
    assert await market.state(order) == "confirmed"
    with pytest.raises(SlotTaken):
        await market.hold(market.person().person_id, offering_id)


async def test_late_money_for_time_sold_to_another_is_lost(market: Marketplace):
    """Case 2 of the nastiest: one of them has the session, the other the money back."""
    order, offering_id, _ = await held(market)
    await market.close_checkout(order)
    rival = await market.hold(market.person().person_id, offering_id)
    await market.pay(order)
    assert (await market.state(order), await market.state(rival)) == ("lost", "held")
    assert [fact.reason for fact in await market.facts(BookingLost)] == ["time_sold"]


async def test_late_money_for_a_lapsed_rival_still_wins_the_time(market: Marketplace):
    """A hold that lapsed and that no worker has expired yet stands in nobody's way."""
    order, offering_id, _ = await held(market)
    await market.close_checkout(order)
    rival = await market.hold(market.person().person_id, offering_id)
    market.advance(timedelta(minutes=17))
    await market.pay(order)
    assert (await market.state(order), await market.state(rival)) == ("confirmed", "expired")


async def test_late_money_for_a_suspended_mentor_is_lost(market: Marketplace):
    """Nothing new is booked with a suspended mentor, and a revival is new."""
    order, _, mentor = await held(market)
    await market.close_checkout(order)
    await market.suspend(mentor)
    await market.pay(order)
    assert [fact.reason for fact in await market.facts(BookingLost)] == ["mentor_unavailable"]


async def test_money_that_comes_when_the_session_began_is_lost(market: Marketplace):
    """And the mentor's time is free."""
    order, _, _ = await held(market)
    market.clock.instant = SLOT
    await market.pay(order)
    assert [fact.reason for fact in await market.facts(BookingLost)] == ["begun"]
    active = await market.pool.fetchval("SELECT count(*) FROM participations WHERE active")
    assert active == 0


async def test_facts_about_an_order_we_never_made_are_let_pass(market: Marketplace):
    """Orders are made here: waiting for one would block its key for ever."""
    order, _, _ = await held(market)
    stranger = {"order_id": str(order.offering_id)} | {
        "mentor_id": str(order.mentor_id), "mentee_id": str(order.mentee_id),
    }  # fmt: skip
    assert await market.pay(stranger) == "handled"
    assert await market.close_checkout(stranger) == "handled"
    assert await market.state(order) == "held"
