"""Disputes for operators: which are open and until when, what can be said, answering, giving up."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from services.payments.api.cursors import instant_and_text
from services.payments.commands import disputes as commands
from services.payments.commands.records import case_of
from services.payments.domain.disputes import (
    Dispute,
    DisputeAnswerOpen,
    DisputeNotAnswerable,
    DisputeOver,
    EvidenceEmpty,
)
from services.payments.domain.evidence import FIELD_CHARS_MAX, assemble
from services.payments.domain.seen import DisputeState
from services.payments.store import disputes as store
from services.payments.store import orders as order_store
from shared.auth import Role
from shared.clock import BusinessInstant
from shared.contracts.common import CurrencyCode, Minor
from shared.db import Connection
from shared.deeds import Deed
from shared.errors import NotFound
from shared.web import Api, Call, Page, PageQuery, View
from shared.web.operators import DeedDone, Reasoned, do

ACCEPTED = 202
DISPUTES = "/v1/operator/disputes"
Said = Annotated[str, StringConstraints(max_length=FIELD_CHARS_MAX)]


class DisputesQuery(PageQuery):
    """Which disputes: open ones by their deadline, decided ones by when that was."""

    state: Literal["open", "closed"] = "open"


class DisputeView(View):
    """A payment that a bank disputes, or asks about when it is an inquiry."""

    dispute_id: str
    order_id: UUID
    amount_minor: Minor
    currency: CurrencyCode
    reason: str
    state: DisputeState
    inquiry: bool
    opened_at: datetime
    due_by: datetime | None
    answered_at: datetime | None
    closed_at: datetime | None
    refusal: str | None


class DisputeMovementView(View):
    """Money that the dispute took (below zero) or gave back, and Stripe's fee.

    What is `foreign` is of another currency than the payment, and is booked by an operator.
    """

    moved_at: datetime
    amount_minor: int
    fee_minor: int
    currency: CurrencyCode
    foreign: bool


class EvidenceView(View):
    """What the records say against the dispute, by Stripe's fields."""

    product_description: str
    service_date: str
    access_activity_log: str
    cancellation_policy_disclosure: str
    refund_policy_disclosure: str
    refund_refusal_explanation: str
    uncategorized_text: str


class CanAnswerView(View):
    """What may be done about a dispute now."""

    answer: bool
    accept: bool


class DisputeCaseView(DisputeView):
    """One dispute with its money, what can be said, and what can be done."""

    title: str
    movements: list[DisputeMovementView]
    evidence: EvidenceView
    can: CanAnswerView


class EvidenceBody(Reasoned):
    """What is said to the bank, once; a field left out is not said."""

    product_description: Said = ""
    service_date: Annotated[str, Field(max_length=500)] = ""
    access_activity_log: Said = ""
    cancellation_policy_disclosure: Said = ""
    refund_policy_disclosure: Said = ""
    refund_refusal_explanation: Said = ""
    uncategorized_text: Said = ""


def add_routes(api: Api) -> None:
    """Declare the routes of operators about disputes."""
    operator, one = Role.OPERATOR, f"{DISPUTES}/{{dispute_id}}"
    api.get(DISPUTES, may=operator)(list_disputes)
    api.get(one, may=operator, refusals=(NotFound,))(show_dispute)
    open_call = (NotFound, DisputeAnswerOpen)
    for path, handler, refusals in (
        (f"{one}/evidence", submit_evidence, (*open_call, EvidenceEmpty, DisputeNotAnswerable)),
        (f"{one}/accept", accept_dispute, (*open_call, DisputeOver)),
        (f"{one}/look", look_at_dispute, (NotFound,)),
    ):
        api.post(path, may=operator, idempotent=True, status=ACCEPTED, refusals=refusals)(handler)


async def list_disputes(call: Call, query: DisputesQuery, conn: Connection) -> Page[DisputeView]:
    """List the open disputes, the next deadline first, or the decided ones, the last one first."""
    del call
    read = store.open_disputes if query.state == "open" else store.closed_disputes
    found = await read(conn, instant_and_text(query), query.limit + 1)
    items = [_view(dispute) for dispute in found[: query.limit]]
    last = found[query.limit - 1] if len(found) > query.limit else None
    cursor = Page.cursor(_place(last).isoformat(), last.dispute_id) if last else None
    return Page(items=items, next_cursor=cursor)


async def show_dispute(call: Call, dispute_id: str, conn: Connection) -> DisputeCaseView:
    """Show one dispute, with what the records say against it."""
    dispute = await store.load_dispute(conn, dispute_id)
    order = await order_store.load_order(conn, dispute.order_id) if dispute else None
    if dispute is None or order is None:
        raise NotFound
    movements = await store.movements_of(conn, dispute_id)
    evidence = assemble(await case_of(conn, order))
    return DisputeCaseView(
        **_view(dispute).model_dump(),
        title=order.title,
        movements=[
            DisputeMovementView(
                moved_at=each.moved_at,
                amount_minor=each.amount.minor,
                fee_minor=each.fee.minor,
                currency=each.amount.currency,
                foreign=each.is_foreign_to(dispute),
            )
            for each in movements
        ],
        evidence=EvidenceView.model_validate(evidence),
        can=_can(dispute, call.now),
    )


async def submit_evidence(
    call: Call, dispute_id: str, body: EvidenceBody, conn: Connection
) -> DeedDone:
    """Hand evidence to the bank; it takes it once."""
    said = body.model_dump(exclude={"reason"})
    deed = await _deed(call, conn, "submit_evidence", dispute_id, body, {"evidence": said})
    return await do(call, conn, commands.submit_evidence, deed)


async def accept_dispute(call: Call, dispute_id: str, body: Reasoned, conn: Connection) -> DeedDone:
    """Give a dispute up: the money stays with the card holder."""
    deed = await _deed(call, conn, "accept_dispute", dispute_id, body)
    return await do(call, conn, commands.accept_dispute, deed)


async def look_at_dispute(
    call: Call, dispute_id: str, body: Reasoned, conn: Connection
) -> DeedDone:
    """Read a dispute at Stripe now."""
    deed = await _deed(call, conn, "look_at_dispute", dispute_id, body)
    return await do(call, conn, commands.look_again, deed)


async def _deed(
    call: Call,
    conn: Connection,
    action: str,
    dispute_id: str,
    body: Reasoned,
    arguments: dict[str, object] | None = None,
) -> Deed:
    known = await store.load_dispute(conn, dispute_id)
    if known is None:
        raise NotFound
    who = str(call.person_id)
    return Deed(who, action, dispute_id, body.reason, known.order_id, arguments or {})


def _can(dispute: Dispute, now: BusinessInstant) -> CanAnswerView:
    return CanAnswerView(answer=dispute.can_be_answered(now), accept=not dispute.is_over)


def _place(dispute: Dispute) -> datetime:
    """Return what a list of disputes is sorted by."""
    return dispute.closed_at or dispute.due_by or dispute.opened_at


def _view(dispute: Dispute) -> DisputeView:
    return DisputeView(
        dispute_id=dispute.dispute_id,
        order_id=dispute.order_id,
        amount_minor=dispute.amount.minor,
        currency=dispute.amount.currency,
        reason=dispute.reason,
        state=dispute.state,
        inquiry=dispute.is_inquiry,
        opened_at=dispute.opened_at,
        due_by=dispute.due_by,
        answered_at=dispute.answered_at,
        closed_at=dispute.closed_at,
        refusal=dispute.refusal,
    )
