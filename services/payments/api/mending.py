"""What operators do with the money of one session: look, release, give back, try again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from services.payments.commands import mending as commands
from services.payments.domain.mending import (
    CallOpen,
    NothingToRelease,
    Possible,
    RefundNotFailed,
    failed_of,
    possible,
)
from services.payments.domain.orders import Decision, Order, Session, SessionUnnamed, State
from services.payments.domain.outcomes import RefundState, TransferState, refunded_of
from services.payments.store import orders as store
from services.payments.store import outcomes as outcome_store
from shared.auth import Role
from shared.contracts.common import CurrencyCode, Minor
from shared.db import Connection
from shared.deeds import Deed
from shared.errors import NotFound
from shared.web import Api, Call, View
from shared.web.operators import DeedDone, Reasoned, do

ACCEPTED = 202


class CanView(View):
    """What may be done with the money now."""

    release: bool
    refund: bool
    retry_refund: bool


class PartView(View):
    """Where the money of a session stands; what is not there yet is null."""

    decision: Decision
    price_minor: Minor
    mentor_minor: Minor | None
    platform_minor: Minor | None
    transfer_state: TransferState | None
    refund_minor: Minor | None
    refund_state: RefundState | None
    can: CanView


class SessionMoneyView(PartView):
    """The same, saying which session it is; nothing is released while it is objected to."""

    session_id: UUID
    objected_at: datetime | None


class MoneyStateView(PartView):
    """Where the money of an order stands: its amounts summed up, and each session by itself.

    States of transfer and refund, and what can be done, stand here where there is one session.
    """

    order_id: UUID
    state: State
    currency: CurrencyCode
    sessions: list[SessionMoneyView]


class MendBody(Reasoned):
    """Why, and about which session where the purchase has several."""

    session_id: UUID | None = None


def add_routes(api: Api) -> None:
    """Declare the routes of operators about the money of one order."""
    operator = Role.OPERATOR
    named = (NotFound, SessionUnnamed)
    failed = (*named, RefundNotFailed, CallOpen)
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
    if order is None or not order.sessions:
        raise NotFound
    parts = [await _part(conn, order, session) for session in order.sessions]
    only = parts[0] if len(parts) == 1 else None
    nothing = Possible(release=False, refund=False, retry_refund=False)
    return MoneyStateView(
        order_id=order_id,
        state=order.state,
        decision=parts[0].decision,
        price_minor=order.price.minor,
        currency=order.price.currency,
        mentor_minor=_sum(part.mentor_minor for part in parts),
        platform_minor=_sum(part.platform_minor for part in parts),
        transfer_state=only.transfer_state if only else None,
        refund_minor=_sum(part.refund_minor for part in parts),
        refund_state=only.refund_state if only else None,
        can=only.can if only else _can(nothing),
        sessions=parts,
    )


async def release(call: Call, order_id: UUID, body: MendBody, conn: Connection) -> DeedDone:
    """Release earnings before their time, or have a refused transfer tried again."""
    return await do(call, conn, commands.release, _deed(call, "release", order_id, body))


async def retry_refund(call: Call, order_id: UUID, body: MendBody, conn: Connection) -> DeedDone:
    """Ask Stripe for a failed refund once more."""
    return await do(call, conn, commands.retry_refund, _deed(call, "retry_refund", order_id, body))


async def pay_otherwise(call: Call, order_id: UUID, body: MendBody, conn: Connection) -> DeedDone:
    """Record that the mentee got a failed refund outside Stripe; say in the reason how."""
    deed = _deed(call, "refund_paid_otherwise", order_id, body)
    return await do(call, conn, commands.pay_otherwise, deed)


def _deed(call: Call, action: str, order_id: UUID, body: MendBody) -> Deed:
    said = {"session_id": str(body.session_id)} if body.session_id else {}
    return Deed(str(call.person_id), action, str(order_id), body.reason, order_id, said)


async def _part(conn: Connection, order: Order, session: Session) -> SessionMoneyView:
    earned = await outcome_store.load_earnings(conn, session.session_id)
    back = await outcome_store.refunds_of(conn, session.session_id)
    shown = failed_of(back) or (back[-1] if back else None)
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
        can=_can(possible(order, session, earned, back)),
    )


def _can(what: Possible) -> CanView:
    return CanView.model_validate(what, from_attributes=True)


def _sum(amounts: Iterable[int | None]) -> int | None:
    """Return the sum of what is known, none when nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None
