"""The payment page of an order, its money, and what a refund would come to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.payments.commands import orders as commands
from services.payments.commands.charges import payer_of
from services.payments.domain.orders import Order, SessionUnnamed
from services.payments.domain.outcomes import (
    BackTo,
    Refund,
    back_to,
    by_card_of,
    expect,
    gone_after,
)
from services.payments.domain.promotions import Why
from services.payments.domain.recovery import after
from services.payments.domain.telling import Reader, Whose
from services.payments.domain.timeline import held, tell, totals
from services.payments.store import accounts as account_store
from services.payments.store import ledger as books
from services.payments.store import orders as store
from services.payments.store import outcomes as outcome_store
from shared.auth import Role
from shared.contracts.common import BasisPoints, CurrencyCode, Minor
from shared.db import Connection
from shared.errors import NotFound
from shared.web import Api, Call, Query, View

ACCEPTED = 202
CheckoutState = Literal[
    "being_prepared", "open", "closing", "closed", "paid", "refunding", "refunded", "refund_failed"
]


class CheckoutView(View):
    """The payment page of an order; `url` while somebody can pay there.

    The price is that before a code took `discount_minor` off it; what credits do not pay is left
    to pay. A code that takes nothing off says why, before anybody pays more than expected. With
    `amends` the discount is for a session that did not take place, and nobody named a code.
    """

    order_id: UUID
    state: CheckoutState
    url: str | None
    price_minor: Minor
    discount_minor: Minor
    amends: bool
    credits_minor: Minor
    credits_used: int
    to_pay_minor: Minor
    promotion_code: str | None
    promotion_refused: Why | None
    currency: CurrencyCode
    hold_until: datetime


class MomentView(View):
    """One step of the money of an order; `session_id` is null where it is about all of it.

    `change_minor` adds to what `whose` side paid or has, below zero where it takes from that.
    """

    at: datetime
    kind: str
    amount_minor: Minor
    currency: CurrencyCode
    words: str
    session_id: UUID | None
    whose: Whose | None
    change_minor: int


class TotalView(View):
    """What somebody paid of an order, or has of it, as the steps come to."""

    whose: Whose
    amount_minor: int
    currency: CurrencyCode


class MoneyView(View):
    """The money of an order, in order of time, and what it comes to for whom.

    While a bank disputes the payment nothing is released, since `disputed_since`.
    """

    items: list[MomentView]
    totals: list[TotalView]
    disputed_since: datetime | None


class RefundQuery(Query):
    """Which fraction of the price would go back, of which session where there are several."""

    refund_basis_points: BasisPoints
    session_id: UUID | None = None


class RefundPreview(View):
    """What each side would have after a refund; `back_to` says where the mentee's part goes.

    All of what a credit paid for comes back as the credit (`credit`); of a session that somebody
    gave a part goes to the card that paid for it (`giver`).
    """

    mentee_minor: Minor
    mentor_minor: Minor
    platform_minor: Minor
    currency: CurrencyCode
    back_to: BackTo


def add_routes(api: Api) -> None:
    """Declare the routes about one order."""
    api.get("/v1/checkouts/{order_id}")(show_checkout)
    api.post("/v1/checkouts/{order_id}/look-up", idempotent=True, status=ACCEPTED)(look_up)
    api.get("/v1/orders/{order_id}/money")(show_money)
    preview = api.get("/v1/orders/{order_id}/refund-preview", refusals=(SessionUnnamed,))
    preview(preview_refund)


async def show_checkout(call: Call, order_id: UUID, conn: Connection) -> CheckoutView:
    """Show where the mentee pays, and whether it is paid."""
    order, _ = await _own_order(call, conn, order_id, Reader.MENTEE, Reader.OPERATOR)
    return await _checkout(conn, order)


async def look_up(call: Call, order_id: UUID, conn: Connection) -> CheckoutView:
    """Have the payment looked up at Stripe now; ask for the checkout again a moment later."""
    await _own_order(call, conn, order_id, Reader.MENTEE, Reader.OPERATOR)
    return await _checkout(conn, await commands.look_now(conn, order_id, call.now))


async def show_money(call: Call, order_id: UUID, conn: Connection) -> MoneyView:
    """Show what happened to the money, as far as it concerns who asks."""
    order, reader = await _own_order(call, conn, order_id, *Reader)
    posted = await books.lines_of_order(conn, order.order_id)
    payouts = await account_store.payouts_of_order(conn, order_id)
    payers = {each.session_id: await payer_of(conn, order, each) for each in order.sessions}
    given = {each for each, payer_id in payers.items() if payer_id != order.mentee_id}
    bears = any(order.borne_by(each) for each in order.sessions)
    story = tell(posted, payouts, reader, given, mentor_bears=bears)
    rest = held(posted) if reader is not Reader.MENTEE else []
    return MoneyView(
        items=[MomentView.model_validate(vars(moment)) for moment in story],
        totals=[TotalView.model_validate(vars(each)) for each in (*totals(story), *rest)],
        disputed_since=min(
            (each.disputed_at for each in order.sessions if each.disputed_at), default=None
        ),
    )


async def preview_refund(
    call: Call, order_id: UUID, query: RefundQuery, conn: Connection
) -> RefundPreview:
    """Show what each side would have if this fraction went back; what went back before counts."""
    order, _ = await _own_order(call, conn, order_id, *Reader)
    session = order.session(query.session_id)
    earnings = await outcome_store.load_earnings(conn, session.session_id)
    earnings = earnings or expect(order, session)
    will_be_gone = gone_after(session, query.refund_basis_points, earnings.gone)
    split = after(order, session, will_be_gone)
    by_card = by_card_of(session, earnings, will_be_gone - earnings.gone)
    given = await payer_of(conn, order, session) != order.mentee_id
    return RefundPreview(
        mentee_minor=(earnings.gone_by_card + by_card).minor,
        mentor_minor=split.mentor.minor,
        platform_minor=split.platform.minor,
        currency=order.price.currency,
        back_to=back_to(session, earnings.gone, will_be_gone, given=given),
    )


async def _own_order(
    call: Call, conn: Connection, order_id: UUID, *readers: Reader
) -> tuple[Order, Reader]:
    order = await store.load_order(conn, order_id)
    if order is None:
        raise NotFound
    is_who = {
        Reader.MENTEE: order.mentee_id == call.person_id,
        Reader.MENTOR: order.mentor_id == call.person_id,
        Reader.OPERATOR: call.who.is_a(Role.OPERATOR),
    }
    reader = next((reader for reader in readers if is_who[reader]), None)
    if reader is None:
        raise NotFound
    return order, reader


async def _checkout(conn: Connection, order: Order) -> CheckoutView:
    refunds = await outcome_store.refunds_of_order(conn, order.order_id)
    by_credits = [each for each in order.sessions if each.lot_id is not None]
    return CheckoutView(
        order_id=order.order_id,
        state=_state(order, refunds),
        url=order.checkout_url if order.state == "open" else None,
        price_minor=order.price.minor + order.taken_off_minor,
        discount_minor=order.discount.minor,
        amends=order.has_amends,
        credits_minor=sum(each.price.minor for each in by_credits),
        credits_used=len(by_credits),
        to_pay_minor=order.to_pay.minor,
        promotion_code=order.promotion_code,
        promotion_refused=order.promotion_refused,
        currency=order.price.currency,
        hold_until=order.hold_until,
    )


def _state(order: Order, refunds: Sequence[Refund]) -> CheckoutState:
    """Return where the payment stands; it is refunded once something of each session went back.

    One for credits is refunded once all that was paid for them went back.
    """
    states = {refund.state for refund in refunds}
    if "failed" in states:
        return "refund_failed"
    back_minor = sum(refund.amount.minor for refund in refunds)
    if not order.sessions and (not refunds or back_minor < order.to_pay.minor):
        return order.state
    if len({refund.session_id for refund in refunds}) < len(order.sessions):
        return order.state
    return "refunding" if "planned" in states else "refunded"
