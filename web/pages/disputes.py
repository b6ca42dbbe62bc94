"""The operators' console: payments that banks dispute, what is said to them, and giving up."""

from __future__ import annotations

from aiohttp import web

from web.client import Service
from web.dispute_shapes import DisputeCase, DisputeRow
from web.pages.mending import reason_of
from web.routes import Row, do, see
from web.shapes import Page
from web.visit import Visit

ROWS_SHOWN = 50
STATES = ("open", "closed")
DISPUTES = "/operator/disputes"
DISPUTE = "[a-z]{2}_[A-Za-z0-9]{1,100}"
FIELDS = (
    ("service_date", "Day of the session", 500, 1),
    ("product_description", "What was sold", 20_000, 3),
    ("access_activity_log", "Who was in the room when", 20_000, 8),
    ("cancellation_policy_disclosure", "How the cancellation policy was shown", 20_000, 3),
    ("refund_policy_disclosure", "How the policy for refunds was shown", 20_000, 3),
    ("refund_refusal_explanation", "What was refunded, or why nothing was", 20_000, 4),
    ("uncategorized_text", "Anything else", 20_000, 4),
)
"""The texts that the bank gets: Stripe's name, ours, how long it may be, how many lines to show."""


async def disputes(visit: Visit) -> web.Response:
    """List the open disputes, the next deadline first, or the decided ones."""
    asked = visit.query("state")
    state = asked if asked in STATES else STATES[0]
    found = await visit.read(
        Service.PAYMENTS,
        f"/v1{DISPUTES}",
        Page[DisputeRow],
        state=state,
        cursor=visit.query("cursor"),
        limit=ROWS_SHOWN,
    )
    return visit.page("operator_disputes.html", found=found, state=state, states=STATES)


async def dispute(visit: Visit) -> web.Response:
    """Show one dispute with what can be said to the bank."""
    path = f"/v1{DISPUTES}/{visit.part('dispute_id')}"
    case = await visit.read(Service.PAYMENTS, path, DisputeCase)
    return visit.page("operator_dispute.html", case=case, fields=FIELDS)


async def answer(visit: Visit) -> web.Response:
    """Hand what an operator wrote to the bank."""
    said = {name: visit.form.text(name) for name, *_ in FIELDS}
    body = {"reason": reason_of(visit, "evidence"), **said}
    return await _send(visit, "evidence", body, "The evidence is on its way to the bank.")


async def accept(visit: Visit) -> web.Response:
    """Give a dispute up."""
    body = {"reason": reason_of(visit, "accept")}
    return await _send(visit, "accept", body, "The dispute is given up.")


async def look(visit: Visit) -> web.Response:
    """Have a dispute read at Stripe now."""
    body = {"reason": reason_of(visit, "look")}
    return await _send(visit, "look", body, "Stripe is asked how it stands.")


async def _send(visit: Visit, what: str, body: dict[str, str], notice: str) -> web.Response:
    page = f"{DISPUTES}/{visit.part('dispute_id')}"
    await visit.send(Service.PAYMENTS, "POST", f"/v1{page}/{what}", body)
    return visit.go(page, notice)


_ONE = f"{DISPUTES}/{{dispute_id:{DISPUTE}}}"
ROUTES: tuple[Row, ...] = (
    see(DISPUTES, disputes),
    see(_ONE, dispute),
    do(f"{_ONE}/evidence", answer, dispute),
    do(f"{_ONE}/accept", accept, dispute),
    do(f"{_ONE}/look", look, dispute),
)
