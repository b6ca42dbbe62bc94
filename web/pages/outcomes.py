"""How a session came out: who did not come, who objects, and what an operator decides."""

from __future__ import annotations

import asyncio

from aiohttp import web

from web.client import Service, not_here
from web.pages.cancelling import (
    BASIS_POINTS_PER_PERCENT,
    WHOLE_PERCENT,
    amounts_of,
    only_shows,
    share_of,
)
from web.pages.moving import purchase_here
from web.pages.people import names_of
from web.routes import ID, Row, do, see
from web.session_shapes import Objected, Presence
from web.shapes import Page
from web.visit import Visit

OBJECTIONS_SHOWN = 100


async def absence(visit: Visit) -> web.Response:
    """Ask before the other side is said to be missing."""
    order, meeting = await purchase_here(visit)
    names = await names_of(visit, (order.mentor_id, order.mentee_id))
    return visit.page("absence.html", order=order, meeting=meeting, names=names)


async def report(visit: Visit) -> web.Response:
    """Say that the other side did not come."""
    return await _tell(visit, "report-absence", {}, "It is noted that nobody came.")


async def objection(visit: Visit) -> web.Response:
    """Show the form for what was wrong with a session."""
    order, meeting = await purchase_here(visit)
    return visit.page("object.html", order=order, meeting=meeting)


async def object_to(visit: Visit) -> web.Response:
    """Object: the money waits until an operator has decided."""
    reason = visit.form.needed("reason", "Write what went wrong.")
    notice = "Thank you. The money waits, and we look into it."
    return await _tell(visit, "object", {"reason": reason}, notice)


async def _tell(visit: Visit, what: str, body: dict[str, object], notice: str) -> web.Response:
    order_id, session_id = visit.part("order_id"), visit.form.text("session_id")
    path = f"/v1/orders/{order_id}/{what}"
    await visit.send(Service.BOOKING, "POST", path, {"session_id": session_id, **body})
    return visit.go(f"/sessions/{order_id}?session={session_id}", notice)


async def objections(visit: Visit) -> web.Response:
    """List the sessions that wait for an operator's decision."""
    found = await _open(visit)
    people = {person for each in found for person in (each.mentor_id, each.mentee_id)}
    return visit.page("operator_objections.html", found=found, names=await names_of(visit, people))


async def _open(visit: Visit) -> list[Objected]:
    path = "/v1/operator/objections"
    page = await visit.read(Service.BOOKING, path, Page[Objected], limit=OBJECTIONS_SHOWN)
    return page.items


async def decision(visit: Visit) -> web.Response:
    """Show one objection with what is known, and what a share would come to."""
    wanted = visit.part("session_id")
    case = next((each for each in await _open(visit) if each.session_id == wanted), None)
    if case is None:
        raise not_here()
    order, meeting = await purchase_here(visit)
    share = share_of(visit)
    record, names, amounts = await asyncio.gather(
        visit.try_read(Service.BOOKING, f"/v1/sessions/{wanted}/attendance", Page[Presence]),
        names_of(visit, (case.mentor_id, case.mentee_id)),
        amounts_of(visit, order, share * BASIS_POINTS_PER_PERCENT, meeting),
    )
    return visit.page(
        "operator_objection.html", case=case, record=record, names=names, share=share,
        amounts=amounts,
    )  # fmt: skip


async def settle(visit: Visit) -> web.Response:
    """Decide an objection."""
    if only_shows(visit):
        return await decision(visit)
    share = visit.form.whole("percent", least=0, most=WHOLE_PERCENT)
    body = {
        "session_id": visit.part("session_id"),
        "refund_basis_points": share * BASIS_POINTS_PER_PERCENT,
        "reason": visit.form.needed("reason", "Say why; both sides read it."),
    }
    path = f"/v1/operator/orders/{visit.part('order_id')}/settle-objection"
    await visit.send(Service.BOOKING, "POST", path, body)
    return visit.go("/operator/objections", "It is decided, and both sides are told.")


_ONE = f"/sessions/{{order_id:{ID}}}"
_CASE = f"/operator/objections/{{order_id:{ID}}}/{{session_id:{ID}}}"
ROUTES: tuple[Row, ...] = (
    see(f"{_ONE}/absence", absence),
    do(f"{_ONE}/absence", report, absence),
    see(f"{_ONE}/object", objection),
    do(f"{_ONE}/object", object_to, objection),
    see("/operator/objections", objections),
    see(_CASE, decision),
    do(_CASE, settle, decision),
)
