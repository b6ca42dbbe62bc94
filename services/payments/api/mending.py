"""What operators do with the money of one purchase: look, release, give back, try again."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.payments.commands import mending as commands
from services.payments.domain.mending import (
    AmountsOutdated,
    CallOpen,
    NothingToRefund,
    NothingToRelease,
    NotRefundable,
    RefundNotFailed,
    possible,
)
from services.payments.domain.orders import Decision, State
from services.payments.domain.outcomes import RefundState, TransferState
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
    retry_refund: bool


class MoneyStateView(View):
    """Where the money of an order stands; what is not there yet is null."""

    order_id: UUID
    state: State
    decision: Decision
    price_minor: Minor
    currency: CurrencyCode
    mentor_minor: Minor | None
    platform_minor: Minor | None
    transfer_state: TransferState | None
    refund_minor: Minor | None
    refund_state: RefundState | None
    can: CanView


class RefundBody(Reasoned):
    """A refund with the amounts that were shown for it (`refund-preview`)."""

    refund_basis_points: Annotated[WholeNumber, Field(ge=1, le=10_000)]
    shown_mentee_minor: WholeNumber
    shown_mentor_minor: WholeNumber
    shown_platform_minor: WholeNumber


def add_routes(api: Api) -> None:
    """Declare the routes of operators about the money of one order."""
    operator = Role.OPERATOR
    failed = (NotFound, RefundNotFailed, CallOpen)
    path = "/v1/operator/orders/{order_id}"
    api.get(f"{path}/money-state", may=operator, refusals=(NotFound,))(show_state)
    for end, handler, refusals in (
        ("release", release, (NotFound, NothingToRelease)),
        ("refund", refund, (NotFound, NotRefundable, NothingToRefund, AmountsOutdated)),
        ("refund/retry", retry_refund, failed),
        ("refund/paid-otherwise", pay_otherwise, failed),
    ):
        declare = api.post(
            f"{path}/{end}", may=operator, idempotent=True, status=ACCEPTED, refusals=refusals
        )
        declare(handler)
    api.post(
        "/v1/operator/operations/{operation_id}/retry",
        may=operator,
        idempotent=True,
        status=ACCEPTED,
        refusals=(NotFound,),
    )(retry_call)


async def show_state(call: Call, order_id: UUID, conn: Connection) -> MoneyStateView:
    """Show where the money of an order stands, and what an operator may do with it."""
    del call
    order = await store.load_order(conn, order_id)
    if order is None:
        raise NotFound
    earned = await outcome_store.load_earnings(conn, order_id)
    back = await outcome_store.refund_of_order(conn, order_id)
    return MoneyStateView(
        order_id=order_id,
        state=order.state,
        decision=order.decision,
        price_minor=order.price.minor,
        currency=order.price.currency,
        mentor_minor=earned.mentor.minor if earned else None,
        platform_minor=earned.platform.minor if earned else None,
        transfer_state=earned.transfer_state if earned else None,
        refund_minor=back.amount.minor if back else None,
        refund_state=back.state if back else None,
        can=CanView.model_validate(possible(order, earned, back), from_attributes=True),
    )


async def release(call: Call, order_id: UUID, body: Reasoned, conn: Connection) -> DeedDone:
    """Release earnings before their time, or have a refused transfer tried again."""
    return await do(call, conn, commands.release, _deed(call, "release", order_id, body))


async def refund(call: Call, order_id: UUID, body: RefundBody, conn: Connection) -> DeedDone:
    """Give a fraction of the price back, on the amounts that were shown."""
    shown = (body.shown_mentee_minor, body.shown_mentor_minor, body.shown_platform_minor)
    arguments = {"refund_basis_points": body.refund_basis_points, "shown": shown}
    return await do(call, conn, commands.refund, _deed(call, "refund", order_id, body, arguments))


async def retry_refund(call: Call, order_id: UUID, body: Reasoned, conn: Connection) -> DeedDone:
    """Ask Stripe for a failed refund once more."""
    return await do(call, conn, commands.retry_refund, _deed(call, "retry_refund", order_id, body))


async def pay_otherwise(call: Call, order_id: UUID, body: Reasoned, conn: Connection) -> DeedDone:
    """Record that the mentee got a failed refund outside Stripe; say in the reason how."""
    deed = _deed(call, "refund_paid_otherwise", order_id, body)
    return await do(call, conn, commands.pay_otherwise, deed)


async def retry_call(call: Call, operation_id: UUID, body: Reasoned, conn: Connection) -> DeedDone:
    """Have a call to Stripe tried now; an undetermined one is looked for first."""
    deed = Deed(str(call.person_id), "retry_call", str(operation_id), body.reason)
    return await do(call, conn, commands.retry_call, deed)


def _deed(
    call: Call,
    action: str,
    order_id: UUID,
    body: Reasoned,
    arguments: dict[str, Any] | None = None,
) -> Deed:
    return Deed(str(call.person_id), action, str(order_id), body.reason, order_id, arguments or {})
