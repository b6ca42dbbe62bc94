"""The whole life of sessions against the database: anything may happen, in any order, at any time.

Hypothesis chooses what happens next to a few people's purchases; after each step all rules hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from services.booking.commands import absence, attendance, moves, objections, requests
from services.booking.commands import orders as commands
from services.booking.commands.holds import close_hold, give_up_hold, hold_slot
from services.booking.domain.holds import Start, Wish
from services.booking.domain.moves import MoveWish
from services.booking.domain.objections import OBJECTIONABLE
from services.booking.domain.orders import Order, OrderState, Session
from services.booking.domain.sessions import CallOff, preview
from services.booking.store.orders import read_orders
from shared.auth import Principal, Role
from shared.contracts.booking import (
    BookingCancelled,
    BookingConfirmed,
    BookingLost,
    FrozenPolicy,
    ObjectionSettled,
    OrderFact,
    SessionMissed,
)
from shared.contracts.common import Party
from shared.db import Connection, in_transaction
from shared.errors import Refusal
from shared.ids import OfferingId, OrderId, PersonId, SessionId, new_id
from tests.booking.conftest import TERMS, Marketplace

POLICY = FrozenPolicy(preset="standard", policy_version=1)
STEP_SECONDS = 30
RUN_SECONDS = 1_800
APART = timedelta(days=90)
"""Examples begin this far apart, so that nothing of an earlier one is still ahead."""
SPANS = tuple(timedelta(minutes=minutes) for minutes in (1, 16, 60, 5 * 60, 26 * 60))
WRONG_SEATS = """
SELECT s.session_id, s.state, count(p.session_id) AS seats
FROM sessions AS s
LEFT JOIN participations AS p
    ON p.session_id = s.session_id AND p.active
    AND tstzrange(s.starts_at, s.ends_at, '[)') <@ p.during
WHERE s.order_id = ANY($1::uuid[])
GROUP BY s.session_id, s.state
HAVING count(p.session_id) <> CASE
    WHEN s.state IN ('requested', 'offered', 'held', 'confirmed', 'completed', 'no_show') THEN 2
    ELSE 0
END
"""
SHARES = (BookingCancelled, SessionMissed, ObjectionSettled)
Work = Callable[[Connection], Awaitable[object]]
which = st.integers(min_value=0, max_value=5)
halves = st.integers(min_value=0, max_value=12)
sides = st.sampled_from(("mentee", "mentor"))


class Life(RuleBasedStateMachine):
    """A mentor with two offerings, three mentees, and what happens between them."""

    def __init__(
        self,
        market: Marketplace,
        loop: asyncio.AbstractEventLoop,
        offerings: tuple[OfferingId, ...],
    ) -> None:
        super().__init__()
        self.market, self.loop, self.offerings = market, loop, offerings
        market.clock.instant += APART
        # Whatever the time is, starts lie on the hours.
        self.first = market.clock.now().replace(hour=14, minute=0) + timedelta(days=3)
        self.people = [PersonId(new_id()) for _ in range(3)]
        self.operator = Principal(PersonId(new_id()), frozenset({Role.OPERATOR}), new_id())
        self.order_ids: list[OrderId] = []

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something on the loop of the test, whose thread this is not."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(STEP_SECONDS)

    def attempt(self, work: Work) -> None:
        """Do something in a transaction, or be refused."""
        with suppress(Refusal):
            self.wait(in_transaction(self.market.pool, work))

    def pick(self, number: int, like: Callable[[Session], object] = bool) -> Order | None:
        """Return one of the purchases, rather one with a session that is `like` that."""
        found = self.wait(self.orders())
        fitting = [order for order in found if any(map(like, order.sessions))] or found
        return fitting[number % len(fitting)] if fitting else None

    async def orders(self) -> list[Order]:
        """Return the purchases as they stand."""
        return await in_transaction(
            self.market.pool, lambda conn: read_orders(conn, self.order_ids)
        )

    def at(self, half_hours: int) -> datetime:
        """Return a start near the others'."""
        return self.first + half_hours * timedelta(minutes=30)

    @property
    def now(self) -> Any:
        """Return the business instant."""
        return self.market.clock.now()

    @initialize()
    def buy(self) -> None:
        """Begin with three paid purchases: a moved one, one to be moved, a series."""
        for who in range(3):
            self.hold(who, by_request=False, half_hours=4 * who, several=who == 0)
            self.pay(0)
        self.move(0, "mentee", 12)
        self.move(1, "mentor", 3)

    @rule(who=which, by_request=st.booleans(), half_hours=halves, several=st.booleans())
    def hold(self, who: int, by_request: bool, half_hours: int, several: bool) -> None:
        """Hold or request one session, or two a week apart."""
        starts = [self.at(half_hours)] + [self.at(half_hours) + timedelta(days=7)] * several
        wish = Wish(
            OrderId(new_id()),
            tuple(Start(SessionId(new_id()), start) for start in starts),
            self.people[who % len(self.people)],
            POLICY,
        )
        offering_id = self.offerings[by_request]

        async def work(conn: Connection) -> OrderId:
            await hold_slot(conn, offering_id, wish, terms=TERMS, now=self.now)
            return wish.order_id

        with suppress(Refusal):
            self.order_ids.append(self.wait(in_transaction(self.market.pool, work)))

    @rule(number=which)
    def pay(self, number: int) -> None:
        """Hear that the money came."""
        order = self.pick(number)
        if order:
            settle = commands.settle_payment
            self.attempt(lambda conn: settle(conn, order.order_id, now=self.now))

    @rule(number=which, given_up=st.booleans())
    def end_hold(self, number: int, given_up: bool) -> None:
        """End a hold by hand, or because its page closed."""
        order = self.pick(number)
        if order and given_up:
            give_up = give_up_hold
            self.attempt(lambda c: give_up(c, order.order_id, order.mentee_id, now=self.now))
        elif order:
            self.attempt(lambda conn: close_hold(conn, order.order_id, now=self.now))

    @rule(number=which, yes=st.booleans(), side=sides)
    def answer_request(self, number: int, yes: bool, side: str) -> None:
        """Accept or decline as one of the two."""
        order = self.pick(number, lambda session: session.state is OrderState.REQUESTED)
        if order is None:
            return
        who = person_of(order, side)
        if yes:
            accept = requests.accept_request
            self.attempt(lambda c: accept(c, order.order_id, who, terms=TERMS, now=self.now))
        else:
            decline = requests.decline_request
            self.attempt(lambda c: decline(c, order.order_id, who, None, now=self.now))

    @rule(number=which, side=sides, half_hours=halves)
    def move(self, number: int, side: str, half_hours: int) -> None:
        """Move a session, or propose it, with what the preview shows."""
        order = self.pick(number, is_confirmed)
        if order is None:
            return
        mover = self.mover(order, side)
        starts_at = self.at(half_hours)

        async def work(conn: Connection) -> None:
            seen = await moves.preview_move(conn, mover, starts_at, terms=TERMS, now=self.now)
            wish = MoveWish(starts_at, seen.meaning)
            await moves.move_session(conn, mover, wish, terms=TERMS, now=self.now)

        self.attempt(work)

    @rule(number=which, side=sides, yes=st.booleans())
    def answer_move(self, number: int, side: str, yes: bool) -> None:
        """Agree to what is proposed, or not."""
        order = self.pick(number, lambda session: session.proposal)
        if order:
            mover = self.mover(order, side)
            answer = moves.accept_move if yes else moves.decline_move
            self.attempt(lambda conn: answer(conn, mover, now=self.now))

    @rule(number=which, side=st.sampled_from(("mentee", "mentor", "operator")))
    def cancel(self, number: int, side: Party) -> None:
        """Call a session off with the share that is shown."""
        order = self.pick(number)
        if order is None:
            return
        session = order.lead

        async def work(conn: Connection) -> None:
            held = order.state.value == "held"
            shown = None if held else preview(order, session, side, now=self.now)
            call_off = CallOff("Ill.", shown=shown.refund_basis_points if shown else None)
            who = self.operator if side == "operator" else principal(person_of(order, side))
            await commands.cancel_order(
                conn, order.order_id, session.session_id, who, call_off, now=self.now
            )

        self.attempt(work)

    @rule(number=which, side=sides, leaves=st.booleans())
    def visit(self, number: int, side: str, leaves: bool) -> None:
        """Come into the room, or go out."""
        order = self.pick(number, is_confirmed)
        if order and leaves:
            session_id, who = order.lead.session_id, person_of(order, side)
            self.attempt(lambda c: attendance.leave_session(c, session_id, who, now=self.now))
        elif order:
            self.join(order, side)

    def join(self, order: Order, side: str) -> None:
        """Come into the room of the next session."""
        session_id, who = order.lead.session_id, person_of(order, side)
        join = attendance.join_session
        self.attempt(lambda c: join(c, session_id, who, terms=TERMS, now=self.now))

    @rule(number=which, side=sides)
    def report_absence(self, number: int, side: str) -> None:
        """Wait a quarter of an hour in the room, and say that the other side did not come."""
        order = self.pick(number, is_confirmed)
        if order:
            self.come_to(order, timedelta())
            self.join(order, side)
            self.market.advance(TERMS.absent_after)
            session_id, who = order.lead.session_id, person_of(order, side)
            self.attempt(
                lambda conn: absence.report(
                    conn, order.order_id, session_id, who, terms=TERMS, now=self.now
                )
            )

    @rule(number=which)
    def complete(self, number: int) -> None:
        """Say as the mentee that it took place."""
        order = self.pick(number)
        if order:
            session_id, complete = order.lead.session_id, commands.complete_order
            self.attempt(
                lambda c: complete(c, order.order_id, session_id, order.mentee_id, now=self.now)
            )

    @rule(number=which, side=sides)
    def object_to(self, number: int, side: str) -> None:
        """Object to a session that is over."""
        order = self.pick(number, is_over)
        if order:
            session_id = next(filter(is_over, order.sessions), order.lead).session_id
            who = person_of(order, side)
            self.attempt(
                lambda conn: objections.raise_objection(
                    conn, order.order_id, session_id, who, "Too short.", terms=TERMS, now=self.now
                )
            )

    @rule(number=which, share=st.sampled_from((0, 5_000, 10_000)))
    def settle(self, number: int, share: int) -> None:
        """Decide an objection."""
        order = self.pick(number, is_objected_to)
        if order:
            session_id = next(filter(is_objected_to, order.sessions), order.lead).session_id
            decision = objections.Decision(share, "Looked at it.")
            self.attempt(
                lambda conn: objections.settle_objection(
                    conn, order.order_id, session_id, self.operator.person_id, decision,
                    now=self.now,
                )
            )  # fmt: skip

    @rule(span=st.sampled_from(SPANS), works=st.booleans())
    def pass_time(self, span: timedelta, works: bool) -> None:
        """Let time pass; the worker may be away meanwhile."""
        self.market.advance(span)
        if works:
            self.wait(self.market.work())

    @rule(number=which, minutes=st.sampled_from((-1_500, -60, 0, 15, 60)))
    def come_to_a_session(self, number: int, minutes: int) -> None:
        """Let time pass until shortly before or after a session begins, or is half over."""
        order = self.pick(number, is_confirmed)
        if order:
            self.come_to(order, timedelta(minutes=minutes))

    def come_to(self, order: Order, after: timedelta) -> None:
        """Let time pass until so long after the start of the next session."""
        self.market.clock.instant = max(self.now, order.lead.starts_at + after)

    @invariant()
    def nothing_is_sold_twice_and_every_purchase_tells_its_story(self) -> None:
        """Seats are those of sessions that block time; facts, shares and versions fit."""
        self.wait(self.check())

    async def check(self) -> None:
        """Hold every purchase against its seats and against what was told of it."""
        assert await self.market.overlaps() == 0
        assert await self.market.pool.fetch(WRONG_SEATS, self.order_ids) == []
        told = await self.market.facts(OrderFact)
        for order in await self.orders():
            check_story(order, [fact for fact in told if fact.order_id == order.order_id])

    def mover(self, order: Order, side: str) -> moves.Mover:
        """Return who moves the session that is next."""
        return moves.Mover(order.order_id, order.lead.session_id, person_of(order, side))


def is_confirmed(session: Session) -> bool:
    return session.state is OrderState.CONFIRMED


def is_over(session: Session) -> bool:
    return session.state in OBJECTIONABLE


def is_objected_to(session: Session) -> bool:
    return session.objection is not None


def person_of(order: Order, side: str) -> PersonId:
    return order.mentee_id if side == "mentee" else order.mentor_id


def principal(person_id: PersonId) -> Principal:
    return Principal(person_id, frozenset({Role.MENTEE}), new_id())


def check_story(order: Order, told: list[OrderFact]) -> None:
    assert [fact.version for fact in told] == list(range(1, order.version + 1))
    assert sum(session.price_minor for session in order.sessions) == order.price_minor
    outcomes = [type(fact) for fact in told if isinstance(fact, BookingConfirmed | BookingLost)]
    assert len(outcomes) <= 1
    assert (order.confirmed_at is not None) == (BookingConfirmed in outcomes)
    for session in order.sessions:
        of_it = [fact for fact in told if fact.session_id == session.session_id]
        shares = [fact.refund_basis_points for fact in of_it if isinstance(fact, SHARES)]
        assert all(earlier <= later for earlier, later in pairwise(shares))
        assert session.refund_basis_points == (shares[-1] if shares else None)
        sequences = [fact.calendar_sequence for fact in of_it]
        assert sequences == sorted(sequences)
        assert session.proposal is None or session.state.value == "confirmed"
        moved = session.mentee_moves + session.mentor_moves
        assert moved <= 2 * TERMS.moves


async def live(market: Marketplace, examples: int, steps: int) -> None:
    """Let hypothesis try as many lives of as many steps."""
    mentor = await market.mentor()
    offerings = (
        await market.offer(mentor, buffer_after_minutes=15),
        await market.offer(mentor, by_request=True),
    )
    loop = asyncio.get_running_loop()
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True,
        database=None, suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
    )  # fmt: skip

    class OfMarket(Life):
        def __init__(self) -> None:
            super().__init__(market, loop, offerings)

    async with asyncio.timeout(RUN_SECONDS):
        await asyncio.to_thread(run_state_machine_as_test, OfMarket, settings=chosen)


async def test_a_few_lives_of_sessions(market: Marketplace):
    """A seeded sample of the sweep below."""
    await live(market, examples=6, steps=25)


@pytest.mark.long
async def test_many_lives_of_sessions(market: Marketplace):
    """The same, for minutes."""
    await live(market, examples=150, steps=50)
