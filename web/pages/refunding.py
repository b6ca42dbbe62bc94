"""The operators' console: giving back any amount of a session, and what mentors then owe."""

from __future__ import annotations

from aiohttp import web

from shared.money import MAX_MINOR_OF_ALL
from web.client import Refused, Service
from web.pages.cancelling import BASIS_POINTS_PER_PERCENT, only_shows, share_of
from web.pages.mending import reason_of
from web.pages.moving import purchase_here, session_named
from web.pages.people import names_of
from web.recovery_shapes import Consequences, Debt
from web.routes import ID, Row, do, see
from web.session_shapes import Meeting
from web.shapes import Order, Page
from web.visit import Visit

ROWS_SHOWN = 50
CURRENCY = "[A-Z]{3}"


async def preview(visit: Visit) -> web.Response:
    """Show what giving a share or an amount of an ended session back means for each side."""
    order, meeting = await purchase_here(visit)
    share, refusal, amounts = share_of(visit), None, None
    try:
        amounts = await _consequences(visit, order, meeting, share)
    except Refused as refused:
        refusal = refused.problem
    return visit.page(
        "operator_refund.html",
        order=order,
        meeting=meeting,
        share=share,
        amounts=amounts,
        refusal=refusal,
    )


async def _consequences(
    visit: Visit, order: Order, meeting: Meeting, share: int
) -> Consequences | None:
    """Return what the share comes to, or the amount where one was typed; raises `Refused`."""
    asked: dict[str, int] = {"refund_basis_points": share * BASIS_POINTS_PER_PERCENT}
    if visit.form.text("amount"):
        asked = {"amount_minor": visit.form.minor("amount", order.currency)}
    path = f"/v1/operator/orders/{order.order_id}/refund-preview"
    return await visit.try_read(
        Service.PAYMENTS, path, Consequences, session_id=meeting.session_id, **asked
    )


async def refund(visit: Visit) -> web.Response:
    """Give back what was shown, on the amounts that were shown."""
    if only_shows(visit):
        return await preview(visit)
    names = ("amount_minor", "shown_mentee_minor", "shown_mentor_minor", "shown_platform_minor")
    amounts = {name: visit.form.whole(name, least=0, most=MAX_MINOR_OF_ALL) for name in names}
    body = {"reason": reason_of(visit, "refund"), **session_named(visit), **amounts}
    page = f"/operator/orders/{visit.part('order_id')}"
    await visit.send(Service.PAYMENTS, "POST", f"/v1{page}/refund", body)
    session_id = visit.form.text("session_id")
    here = f"{page}?session={session_id}" if session_id else page
    return visit.go(here, "The refund is on its way.")


async def debts(visit: Visit) -> web.Response:
    """List the mentors who got too much and owe it."""
    found = await visit.read(
        Service.PAYMENTS,
        "/v1/operator/debts",
        Page[Debt],
        cursor=visit.query("cursor"),
        limit=ROWS_SHOWN,
    )
    names = await names_of(visit, {debt.mentor_id for debt in found.items})
    return visit.page("operator_debts.html", found=found, names=names)


async def reverse(visit: Visit) -> web.Response:
    """Have Stripe asked once more for what it could not take back."""
    mentor_id, currency = visit.part("mentor_id"), visit.part("currency")
    body = {"reason": reason_of(visit, f"{mentor_id}-{currency}"), "currency": currency}
    path = f"/v1/operator/mentors/{mentor_id}/debt/reverse"
    await visit.send(Service.PAYMENTS, "POST", path, body)
    return visit.go("/operator/debts", "Stripe is asked again.")


async def write_off(visit: Visit) -> web.Response:
    """Let the platform bear what a mentor owes, or a part of it."""
    mentor_id, currency = visit.part("mentor_id"), visit.part("currency")
    amount = visit.form.minor("amount", currency)
    body = {
        "reason": reason_of(visit, f"off-{mentor_id}-{currency}"),
        "currency": currency,
        "amount_minor": amount,
    }
    path = f"/v1/operator/debts/{mentor_id}/write-off"
    await visit.send(Service.PAYMENTS, "POST", path, body)
    return visit.go("/operator/debts", "It is written off.")


_REFUND = f"/operator/orders/{{order_id:{ID}}}/refund"
_DEBT = f"/operator/debts/{{mentor_id:{ID}}}/{{currency:{CURRENCY}}}"
ROUTES: tuple[Row, ...] = (
    see(_REFUND, preview),
    do(_REFUND, refund, preview),
    see("/operator/debts", debts),
    do(f"{_DEBT}/reverse", reverse, debts),
    do(f"{_DEBT}/write-off", write_off, debts),
)
