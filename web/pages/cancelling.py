"""Calling a session off, with both sides' amounts shown before anybody confirms."""

from __future__ import annotations

import asyncio

from aiohttp import web

from web.client import Refused, Service, wrong_fields
from web.pages.moving import purchase_here, session_named
from web.pages.people import names_of
from web.routes import ID, Row, do, see
from web.session_shapes import Meeting
from web.shapes import CancellationPreview, Order, RefundPreview
from web.visit import Visit

WHOLE_PERCENT = 100
WHOLE_BASIS_POINTS = 10_000
BASIS_POINTS_PER_PERCENT = WHOLE_BASIS_POINTS // WHOLE_PERCENT
REASON_LONGEST = 500
UNPAID = "held"
"""The state of an order that can be cancelled before anything was paid."""


async def preview(visit: Visit) -> web.Response:
    """Show what cancelling now would mean for both sides."""
    order, meeting = await purchase_here(visit)
    told, names = await asyncio.gather(
        _share(visit, order, meeting), names_of(visit, (order.mentor_id, order.mentee_id))
    )
    points = told.refund_basis_points if told else None
    amounts = await amounts_of(visit, order, points, meeting) if points is not None else None
    return visit.page(
        "cancel.html", order=order, meeting=meeting, told=told, amounts=amounts, names=names
    )


async def _share(visit: Visit, order: Order, meeting: Meeting) -> CancellationPreview | None:
    """Return what share would go back; nothing when nothing was paid yet."""
    if meeting.state == UNPAID:
        return None
    path = f"/v1/orders/{order.order_id}/cancellation-preview"
    return await visit.read(
        Service.BOOKING, path, CancellationPreview, session_id=meeting.session_id
    )


async def amounts_of(
    visit: Visit, order: Order, basis_points: int, meeting: Meeting
) -> RefundPreview | None:
    """Return what a share of the price of a session comes to; nothing if payments cannot say."""
    if not order.price_minor:
        return RefundPreview(mentee_minor=0, mentor_minor=0, currency=order.currency)
    path = f"/v1/orders/{order.order_id}/refund-preview"
    asked = {"refund_basis_points": basis_points, "session_id": meeting.session_id}
    try:
        return await visit.try_read(Service.PAYMENTS, path, RefundPreview, **asked)
    except Refused:
        return None


async def cancel(visit: Visit) -> web.Response:
    """Cancel as mentee or mentor, on the terms that were shown."""
    shown = visit.form.whole_if_any("shown_refund_basis_points", least=0, most=WHOLE_BASIS_POINTS)
    return await _cancel(visit, {} if shown is None else {"shown_refund_basis_points": shown})


async def _cancel(visit: Visit, body: dict[str, object]) -> web.Response:
    reason = visit.form.text("reason")
    if len(reason) > REASON_LONGEST:
        raise wrong_fields(reason=f"Write at most {REASON_LONGEST} characters.")
    order_id = visit.part("order_id")
    said = {"reason": reason} if reason else {}
    path = f"/v1/orders/{order_id}/cancel"
    await visit.send(Service.BOOKING, "POST", path, {**body, **said, **session_named(visit)})
    return visit.go(f"/sessions/{order_id}", "The session is cancelled.")


async def operator_preview(visit: Visit) -> web.Response:
    """Show an operator what a refund of a chosen share would mean."""
    order, meeting = await purchase_here(visit)
    share = share_of(visit)
    names = await names_of(visit, (order.mentor_id, order.mentee_id))
    paid = meeting.state != UNPAID
    points = share * BASIS_POINTS_PER_PERCENT
    amounts = await amounts_of(visit, order, points, meeting) if paid else None
    return visit.page(
        "operator_cancel.html", order=order, meeting=meeting, share=share, amounts=amounts,
        names=names, paid=paid,
    )  # fmt: skip


def only_shows(visit: Visit) -> bool:
    """Return whether a form was sent to see other amounts, which keeps its reason and its key."""
    visit.redrawn = bool(visit.form.text("show"))
    return visit.redrawn


def share_of(visit: Visit) -> int:
    """Return the share to show, in percent: just chosen, shown before, or in the address."""
    typed = visit.form.text("chosen" if visit.redrawn else "percent")
    return percent_of(typed or visit.query("percent"))


def percent_of(text: str) -> int:
    """Return a share in percent as it was typed, the whole when it was not a number."""
    good = text.isascii() and text.isdigit() and len(text) <= len(str(WHOLE_PERCENT))
    return min(int(text), WHOLE_PERCENT) if good else WHOLE_PERCENT


async def operator_cancel(visit: Visit) -> web.Response:
    """Cancel as an operator, with a share of the operator's choice."""
    if only_shows(visit):
        return await operator_preview(visit)
    share = visit.form.whole("percent", least=0, most=WHOLE_PERCENT)
    return await _cancel(visit, {"refund_basis_points": share * BASIS_POINTS_PER_PERCENT})


_ONE = f"/sessions/{{order_id:{ID}}}/cancel"
_OPERATOR = f"/operator/orders/{{order_id:{ID}}}/cancel"
ROUTES: tuple[Row, ...] = (
    see(_ONE, preview),
    do(_ONE, cancel, preview),
    see(_OPERATOR, operator_preview),
    do(_OPERATOR, operator_cancel, operator_preview),
)
