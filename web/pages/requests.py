"""Requests: a mentor's inbox of them with yes and no, and a mentee's way back out."""

from __future__ import annotations

from aiohttp import web

from web.client import Service
from web.pages.people import names_of
from web.pages.sessions import session
from web.routes import ID, Row, do, see
from web.shapes import Order, Page
from web.visit import Visit

REQUESTS_SHOWN = 50


async def requests(visit: Visit) -> web.Response:
    """List what waits for one's answer, the soonest to lapse first."""
    found = await visit.read(
        Service.BOOKING,
        "/v1/orders",
        Page[Order],
        role="mentor",
        state="requested",
        limit=REQUESTS_SHOWN,
        cursor=visit.query("cursor"),
    )
    return visit.page(
        "requests.html",
        waiting=sorted(found.items, key=lambda each: each.answer_by or each.starts_at),
        next_cursor=found.next_cursor,
        names=await names_of(visit, {each.mentee_id for each in found.items}),
    )


async def accept(visit: Visit) -> web.Response:
    """Say yes; the mentee pays next, if there is something to pay."""
    answer = await visit.send(Service.BOOKING, "POST", _command(visit, "accept"))
    if Order.model_validate_json(answer.content).state == "confirmed":
        return visit.go("/mentor/requests", "You accepted, and the session is confirmed.")
    return visit.go("/mentor/requests", "You accepted. The session is confirmed once it is paid.")


async def decline(visit: Visit) -> web.Response:
    """Say no; the reason is for the mentee to read."""
    body = {"reason": visit.form.text("reason") or None}
    await visit.send(Service.BOOKING, "POST", _command(visit, "decline"), body)
    return visit.go("/mentor/requests", "You declined. The time is free again.")


async def withdraw(visit: Visit) -> web.Response:
    """Take one's own request back."""
    await visit.send(Service.BOOKING, "POST", _command(visit, "decline"), {})
    here = f"/sessions/{visit.part('order_id')}"
    return visit.go(here, "Your request is withdrawn. Nothing was charged.")


def _command(visit: Visit, verb: str) -> str:
    return f"/v1/orders/{visit.part('order_id')}/{verb}"


_ONE = f"/mentor/requests/{{order_id:{ID}}}"
_OWN = f"/sessions/{{order_id:{ID}}}/withdraw"
ROUTES: tuple[Row, ...] = (
    see("/mentor/requests", requests),
    do(f"{_ONE}/accept", accept, requests),
    do(f"{_ONE}/decline", decline, requests),
    do(_OWN, withdraw, session),
)
