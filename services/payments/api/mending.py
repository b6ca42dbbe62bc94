"""What operators do with the money of one session: look, release, give back, try again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.payments.commands import mending as commands
from services.payments.domain.mending import (
    AmountsOutdated,
    CallOpen,
    NothingToRelease,
    Possible,
    RefundNotFailed,
    failed_of,
    possible,
)
from services.payments.domain.orders import Decision, Order, Session, SessionUnnamed, State
from services.payments.domain.outcomes import Refund, RefundState, TransferState, refunded_of
from services.payments.store import orders as store
from services.payments.store import outcomes as outcome_store
from shared.auth import Role
from shared.contracts.common import CurrencyCode, Minor
from shared.db import Connection
from shared.deeds import Deed
from shared.errors import NotFound
from shared.web import Api, Call, View, WholeNumber
from shared.web.operators import DeedDone, Reasoned, do

ACCEPTED = 202


class CanView(View):
    """What may be done with the money now."""

    release: bool
    refund: bool


class FailedRefundView(View):
    """A refund that the bank sent back, and that still has to reach whoever paid."""

    refund_id: UUID
    amount_minor: Minor


class PartView(View):
    """Where money stands; what is not there yet is null. `failed` can be sent or paid again."""

    price_minor: Minor
    mentor_minor: Minor | None
    platform_minor: Minor | None
    transfer_state: TransferState | None
    refund_minor: Minor | None
    refund_state: RefundState | None
    failed: list[FailedRefundView]
    can: CanView


class SessionMoneyView(PartView):
    """The same, saying which session it is; nothing is released while it is objected to."""

    session_id: UUID
    decision: Decision
    objected_at: datetime | None


class MoneyStateView(PartView):
    """Where the money of an order stands: its amounts summed up, and each session by itself.

    States of transfer and refund, and what can be done, stand here where there is one session.
    What is paid in advance has none; of that only refunds are told here.
    """

    order_id: UUID
    state: State
    currency: CurrencyCode
    sessions: list[SessionMoneyView]


class MendBody(Reasoned):
    """Why, and about which session where the purchase has several."""

    session_id: UUID | None = None


class FailedBody(Reasoned):
    """Why, and which failed refund, with the amount that was shown."""

    refund_id: UUID
    amount_minor: Annotated[WholeNumber, Field(ge=1)]


def add_routes(api: Api) -> None:
    """Declare the routes of operators about the money of one order."""
    operator = Role.OPERATOR
    named = (NotFound, SessionUnnamed)
    failed = (NotFound, RefundNotFailed, AmountsOutdated, CallOpen)
    path = "/v1/operator/orders/{order_id}"
    api.get(f"{path}/money-state", may=operator, refusals=(NotFound,))(show_state)
    for end, handler, refusals in (
        ("release", release, (*named, NothingToRelease)),
        ("refund/retry", retry_refund, failed),
        ("refund/paid-otherwise", pay_otherwise, failed),
    ):
        declare = api.post(
            f"{path}/{end}", may=operator, idempotent=True, status=ACCEPTED, refusals=refusals
        )
        declare(handler)


async def show_state(call: Call, order_id: UUID, conn: Connection) -> MoneyStateView:
    """Show where the money of an order stands, and what an operator may do with it."""
    del call
    order = await store.load_order(conn, order_id)
    if order is None:
        raise NotFound
    parts = [await _part(conn, order, session) for session in order.sessions]
    only = parts[0] if len(parts) == 1 else None
    back = await outcome_store.refunds_of_order(conn, order_id)
    nothing = Possible(release=False, refund=False)
    return MoneyStateView(
        order_id=order_id,
        state=order.state,
        price_minor=order.price.minor,
        currency=order.price.currency,
        mentor_minor=_sum(part.mentor_minor for part in parts),
        platform_minor=_sum(part.platform_minor for part in parts),
        transfer_state=only.transfer_state if only else None,
        refund_minor=_sum(each.amount.minor for each in back),
        refund_state=only.refund_state if only else None,
        failed=_failed(back),
        can=only.can if only else _can(nothing),
        sessions=parts,
    )


async def release(call: Call, order_id: UUID, body: MendBody, conn: Connection) -> DeedDone:
    """Release earnings before their time, or have a refused transfer tried again."""
    return await do(call, conn, commands.release, _deed(call, "release", order_id, body))


async def retry_refund(call: Call, order_id: UUID, body: FailedBody, conn: Connection) -> DeedDone:
    """Ask Stripe for a failed refund once more."""
    return await do(call, conn, commands.retry_refund, _deed(call, "retry_refund", order_id, body))


async def pay_otherwise(call: Call, order_id: UUID, body: FailedBody, conn: Connection) -> DeedDone:
    """Record that a failed refund is paid outside Stripe; say in the reason how."""
    deed = _deed(call, "refund_paid_otherwise", order_id, body)
    return await do(call, conn, commands.pay_otherwise, deed)


def _deed(call: Call, action: str, order_id: UUID, body: Reasoned) -> Deed:
    said = body.model_dump(mode="json", exclude={"reason"}, exclude_none=True)
    return Deed(str(call.person_id), action, str(order_id), body.reason, order_id, said)


async def _part(conn: Connection, order: Order, session: Session) -> SessionMoneyView:
    earned = await outcome_store.load_earnings(conn, session.session_id)
    back = await outcome_store.refunds_of(conn, session.session_id)
    shown = next(iter(failed_of(back) or back[-1:]), None)
    return SessionMoneyView(
        session_id=session.session_id,
        decision=session.decision,
        objected_at=session.objected_at,
        price_minor=session.price.minor,
        mentor_minor=earned.mentor.minor if earned else None,
        platform_minor=earned.platform.minor if earned else None,
        transfer_state=earned.transfer_state if earned else None,
        refund_minor=refunded_of(session, back).minor if back else None,
        refund_state=shown.state if shown else None,
        failed=_failed(back),
        can=_can(possible(order, session, earned)),
    )


def _failed(refunds: Sequence[Refund]) -> list[FailedRefundView]:
    return [
        FailedRefundView(refund_id=each.refund_id, amount_minor=each.amount.minor)
        for each in failed_of(refunds)
    ]


def _can(what: Possible) -> CanView:
    return CanView.model_validate(what, from_attributes=True)


def _sum(amounts: Iterable[int | None]) -> int | None:
    """Return the sum of what is known, none when nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None
