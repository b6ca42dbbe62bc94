"""Disputes: followed as Stripe shows them, with the money they move; answered or accepted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.payments.commands import decisions, lots, recovery
from services.payments.commands.orders import need_order
from services.payments.commands.plans import TRANSFERS_BELL, announcer, plan
from services.payments.commands.refunds import cover_failed, send_covered
from services.payments.domain import disputes as rules
from services.payments.domain.disputes import Dispute, Left, Movement
from services.payments.domain.evidence import FIELDS
from services.payments.domain.orders import Order
from services.payments.domain.outcomes import Refund
from services.payments.domain.requests import (
    AcceptDispute,
    DisputeRequest,
    LookAtDispute,
    SubmitEvidence,
)
from services.payments.domain.seen import DisputeSeen, MovementSeen
from services.payments.ledger.chart import Account
from services.payments.ledger.disputes import dispute_fee, dispute_loss
from services.payments.ledger.entries import line, minus
from services.payments.ledger.refunds import undiscounted
from services.payments.store import disputes as store
from services.payments.store import ledger as books
from services.payments.store import operations
from services.payments.store import orders as order_store
from services.payments.store import outcomes as outcome_store
from services.payments.store import records as record_store
from shared.clock import BusinessInstant
from shared.db import Connection, ring
from shared.deeds import Actions, Deed, Details
from shared.errors import NotFound
from shared.money import Money

Act = Callable[[Connection, Order, Refund, datetime], Awaitable[None]]


async def follow_dispute(
    conn: Connection, request: LookAtDispute, seen: DisputeSeen, now: datetime
) -> None:
    """Take over what Stripe shows of a dispute; every movement of its money is posted once."""
    order = await need_order(conn, request.order_id)
    known = await store.load_dispute(conn, seen.dispute_id)
    order, dispute, facts = rules.follow(order, known, seen, now)
    await store.save_dispute(conn, dispute)
    # Before what the money brings about: facts leave in the order of their versions.
    await announcer.announce(conn, *facts, at=now)
    order = await _hold(conn, order, now)
    for movement in sorted(seen.movements, key=lambda each: (each.moved_at, each.amount_minor)):
        order = await _move(conn, order, dispute, movement, now)
    if known is not None and known.is_away and not dispute.is_away:
        await lots.thaw(conn, order, dispute.opened_at, now)
    await order_store.save_order(conn, order)


async def note_answer(conn: Connection, request: DisputeRequest, now: datetime) -> None:
    """Note that Stripe took an answer, and look what the dispute is now.

    What Stripe shows along with it may be old by now: a call whose answer was lost is sent again
    under its key, and is answered as it was then.
    """
    await need_order(conn, request.order_id)
    await _look(conn, request.order_id, request.dispute_id, now)


async def note_refusal(conn: Connection, request: DisputeRequest, code: str, now: datetime) -> None:
    """Note that Stripe took no answer, and look what the dispute is now."""
    await need_order(conn, request.order_id)
    dispute = await store.load_dispute(conn, request.dispute_id)
    if dispute is not None and not isinstance(request, LookAtDispute):
        await store.save_dispute(conn, replace(dispute, refusal=code))
        await _look(conn, request.order_id, request.dispute_id, now)


async def _look(conn: Connection, order_id: UUID, dispute_id: str, now: datetime) -> None:
    await plan(conn, LookAtDispute(order_id=order_id, dispute_id=dispute_id), now)


async def _hold(conn: Connection, order: Order, now: datetime) -> Order:
    """Stop the release and the transfer of the sessions while the money may be lost.

    Those that credits paid for do not wait: the bank has nothing of them.
    """
    known = await store.disputes_of(conn, order.order_id)
    since = min((each.opened_at for each in known if each.is_contested), default=None)
    sessions = tuple(
        replace(session, disputed_at=since if session.lot_id is None else None)
        for session in order.sessions
    )
    if sessions == order.sessions:
        return order
    held = replace(order, sessions=sessions)
    await order_store.save_sessions(conn, held)
    if since is None:
        await ring(conn, TRANSFERS_BELL)
    return held


async def _move(
    conn: Connection, order: Order, dispute: Dispute, seen: MovementSeen, now: datetime
) -> Order:
    movement = rules.movement(dispute, seen)
    if not await store.add_movement(conn, movement):
        return order
    if movement.is_foreign_to(dispute):
        # Nothing is posted: the comparison with Stripe's list names it until an operator books it.
        if movement.amount.minor >= 0:
            return await _pay_what_is_owed(conn, order, now)
        await _each_refund(conn, order, cover_failed, now)
        return order
    fee = dispute_fee(order.order_id, movement.movement_id, movement.fee, movement.moved_at)
    await books.post(conn, fee.shown_by(dispute.dispute_id))
    if movement.amount.minor < 0:
        return await _withdraw(conn, order, movement, now)
    return await _reinstate(conn, order, movement, now)


async def _withdraw(conn: Connection, order: Order, movement: Movement, now: datetime) -> Order:
    """Take what the bank took from the sessions' parts, from each as much as is left of it."""
    taken = Money(-movement.amount.minor, movement.amount.currency)
    parts, beyond = rules.shares_of(taken, await _left(conn, order))
    await _post_loss(conn, order, movement, beyond)
    for session_id, moved in parts.items():
        part, share, amount = order.part(session_id), moved.by_card, moved.price
        order = await recovery.take(
            conn,
            order,
            order.session(session_id),
            amount,
            f"dispute_withdrawn:{movement.movement_id}:{part.name}",
            line(Account.STRIPE_BALANCE, minus(share), part),
            undiscounted(part, amount - share),
            because="dispute",
            now=now,
            source=movement.dispute_id,
        )
    await store.add_takings(conn, movement.movement_id, parts)
    await _each_refund(conn, order, cover_failed, now)
    return order


async def _reinstate(conn: Connection, order: Order, movement: Movement, now: datetime) -> Order:
    """Give back what the dispute took of each session's part; what is owed of it goes on."""
    currency = movement.amount.currency
    taken = await store.takings_of(conn, movement.dispute_id, currency)
    back, beyond = rules.shares_of(movement.amount, taken)
    await _post_loss(conn, order, movement, minus(beyond))
    await store.add_takings(
        conn, movement.movement_id, {name: -part for name, part in back.items()}
    )
    losses = await store.losses_of(conn, order.order_id, currency)
    stays, made_up = rules.make_up(losses, back)
    for movement_id, parts in made_up.items():
        await store.add_takings(conn, movement_id, parts)
    for session_id, whole in back.items():
        await _give(conn, order, movement, session_id, whole, stays[session_id], now)
    return await _pay_what_is_owed(conn, order, now)


async def _give(
    conn: Connection,
    order: Order,
    movement: Movement,
    session_id: UUID,
    back: Left,
    stays: Left,
    now: datetime,
) -> None:
    """Give a session what stays of what came back; the rest makes up for losses."""
    part = order.part(session_id)
    await recovery.give(
        conn,
        order,
        order.session(session_id),
        stays.price,
        f"dispute_reinstated:{movement.movement_id}:{part.name}",
        line(Account.STRIPE_BALANCE, back.by_card, part),
        line(Account.DISPUTE_LOSSES, stays.by_card - back.by_card, part),
        undiscounted(part, stays.by_card - stays.price),
        now=now,
        source=movement.dispute_id,
    )


async def _pay_what_is_owed(conn: Connection, order: Order, now: datetime) -> Order:
    """Refund what the bank had paid to the mentee in our place, as far as it took that back."""
    await _each_refund(conn, order, send_covered, now)
    await lots.lock_before_return(conn, order, now)
    for record in await record_store.records_of(conn, order.order_id):
        session = order.session(record.session_id)
        order = await decisions.give_back(
            conn, order, session, record.owed_basis_points, "cancelled", now
        )
    return order


async def _each_refund(conn: Connection, purchase: Order, act: Act, now: datetime) -> None:
    """Do something about each refund of a disputed charge that Stripe did not send."""
    for refund in await outcome_store.refunds_of_order(conn, purchase.order_id):
        await act(conn, purchase, refund, now)
    # Each session that a credit paid for has its own purchase, whose lock guards the refund.
    for found in await outcome_store.refunds_of_credits(conn, purchase.order_id):
        order = await need_order(conn, found.order_id)
        refund = await outcome_store.load_refund(conn, found.refund_id)
        if refund is not None:
            await act(conn, order, refund, now)


async def _left(conn: Connection, order: Order) -> Mapping[UUID, Left]:
    """Return what is left of each session that a card paid."""
    left: dict[UUID, Left] = {}
    for session in order.sessions:
        earnings = await outcome_store.load_earnings(conn, session.session_id)
        if earnings is not None and session.lot_id is None:
            left[session.session_id] = rules.left_of(session, earnings)
    return left


async def _post_loss(conn: Connection, order: Order, movement: Movement, loss: Money) -> None:
    entry = dispute_loss(order.order_id, movement.movement_id, loss, movement.moved_at)
    await books.post(conn, entry.shown_by(movement.dispute_id))


async def submit_evidence(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Hand the evidence of an operator to the bank.

    Raises `NotFound`, `EvidenceEmpty`, `DisputeNotAnswerable` or `DisputeAnswerOpen`.
    """
    dispute = await _need(conn, deed)
    given: Mapping[str, str] = deed.arguments["evidence"]
    evidence = {name: given[name] for name in FIELDS if given.get(name)}
    if not evidence:
        raise rules.EvidenceEmpty
    if not dispute.can_be_answered(now):
        raise rules.DisputeNotAnswerable
    request = SubmitEvidence(
        order_id=dispute.order_id, dispute_id=dispute.dispute_id, evidence=evidence
    )
    await _plan_answer(conn, dispute, request, now)
    return {"fields": sorted(evidence)}


async def accept_dispute(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Give a dispute up; raises `NotFound`, `DisputeOver` or `DisputeAnswerOpen`."""
    dispute = await _need(conn, deed)
    if dispute.is_over:
        raise rules.DisputeOver
    request = AcceptDispute(order_id=dispute.order_id, dispute_id=dispute.dispute_id)
    await _plan_answer(conn, dispute, request, now)
    return {"amount_minor": dispute.amount.minor, "currency": dispute.amount.currency}


async def look_again(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
    """Read a dispute at Stripe now; raises `NotFound`."""
    dispute = await _need(conn, deed)
    await _look(conn, dispute.order_id, dispute.dispute_id, now)
    return {"state": dispute.state}


ACTIONS: Actions = {
    "submit_evidence": submit_evidence,
    "accept_dispute": accept_dispute,
    "look_at_dispute": look_again,
}
"""What operators can do about a dispute, by the name it is logged under."""


async def _plan_answer(
    conn: Connection, dispute: Dispute, request: DisputeRequest, now: datetime
) -> None:
    if await operations.has_open(conn, dispute.dispute_id):
        raise rules.DisputeAnswerOpen
    await store.save_dispute(conn, replace(dispute, refusal=None))
    await plan(conn, request, now)


async def _need(conn: Connection, deed: Deed) -> Dispute:
    """Return the dispute that is meant; its order is locked."""
    known = await store.load_dispute(conn, deed.subject)
    if known is None:
        raise NotFound
    await need_order(conn, known.order_id)
    return await store.load_dispute(conn, deed.subject) or known
