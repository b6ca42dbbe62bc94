"""The operators' console, between us and Stripe: calls, and the notices that came."""

from __future__ import annotations

from aiohttp import web

from web.call_shapes import (
    CallRow,
    CallsOverview,
    NoticeRow,
    NoticesOverview,
    WatchedCall,
)
from web.client import Service
from web.pages.mending import reason_of
from web.routes import ID, Row, do, see
from web.shapes import Page
from web.visit import Visit

ROWS_SHOWN = 50
CALL_STATES = ("undetermined", "open", "refused", "done", "any")
NOTICE_STATES = ("waiting", "unmatched", "obeyed", "ignored")
EVENT = "[A-Za-z0-9_]{1,100}"
CALLS, NOTICES = "/operator/calls", "/operator/notices"
VERBS = {
    "retry": "Stripe is asked again.",
    "look": "Stripe is looked through for it; nothing is sent.",
}


async def calls(visit: Visit) -> web.Response:
    """Show whether Stripe answers, what is under way, and calls by state, kind and age."""
    asked = visit.query("state")
    state = asked if asked in CALL_STATES else CALL_STATES[0]
    path = "/v1/operator/operations"
    return visit.page(
        "operator_calls.html",
        state=state,
        states=CALL_STATES,
        kind=visit.query("kind"),
        overview=await visit.read(Service.PAYMENTS, f"{path}/open", CallsOverview),
        found=await visit.read(
            Service.PAYMENTS,
            path,
            Page[CallRow],
            state=state,
            kind=visit.query("kind"),
            cursor=visit.query("cursor"),
            limit=ROWS_SHOWN,
        ),
    )


async def call(visit: Visit) -> web.Response:
    """Show one call: what it says, how often it was tried, and what can be done about it."""
    path = f"/v1/operator/operations/{visit.part('operation_id')}"
    return visit.page(
        "operator_call.html", found=await visit.read(Service.PAYMENTS, path, WatchedCall)
    )


async def act(visit: Visit) -> web.Response:
    """Have a call tried now, or its effect looked for."""
    operation_id, verb = visit.part("operation_id"), visit.part("verb")
    path = f"/v1/operator/operations/{operation_id}/{verb}"
    await visit.send(Service.PAYMENTS, "POST", path, {"reason": reason_of(visit, verb)})
    return visit.go(f"{CALLS}/{operation_id}", VERBS[verb])


async def notices(visit: Visit) -> web.Response:
    """Show what Stripe told us, by state and type, and what each notice led to."""
    asked = visit.query("state")
    state = asked if asked in NOTICE_STATES else ""
    path = "/v1/operator/webhooks"
    return visit.page(
        "operator_notices.html",
        state=state,
        states=NOTICE_STATES,
        kind=visit.query("type"),
        overview=await visit.read(Service.PAYMENTS, f"{path}/waiting", NoticesOverview),
        found=await visit.read(
            Service.PAYMENTS,
            path,
            Page[NoticeRow],
            state=state,
            type=visit.query("type"),
            cursor=visit.query("cursor"),
            limit=ROWS_SHOWN,
        ),
    )


async def read_events(visit: Visit) -> web.Response:
    """Have Stripe's event lists read now."""
    body = {"reason": reason_of(visit, "read-events")}
    await visit.send(Service.PAYMENTS, "POST", "/v1/operator/webhooks/read-events", body)
    return visit.go(NOTICES, "The lists are being read.")


async def obey(visit: Visit) -> web.Response:
    """Have a notice obeyed that matched nothing."""
    event = visit.part("event")
    body = {"reason": reason_of(visit, event)}
    await visit.send(Service.PAYMENTS, "POST", f"/v1/operator/webhooks/{event}/obey", body)
    return visit.go(NOTICES, "The notice is obeyed anew.")


_CALL = f"{CALLS}/{{operation_id:{ID}}}"
ROUTES: tuple[Row, ...] = (
    see(CALLS, calls),
    see(_CALL, call),
    do(f"{_CALL}/{{verb:{'|'.join(VERBS)}}}", act, call),
    see(NOTICES, notices),
    do(f"{NOTICES}/read-events", read_events, notices),
    do(f"{NOTICES}/{{event:{EVENT}}}/obey", obey, notices),
)
