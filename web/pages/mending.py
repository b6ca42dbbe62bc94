"""The operators' console, mending: one purchase's story, what is stuck, dead letters, the log."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from aiohttp import web

from shared.money import MAX_MINOR_OF_ALL
from web.book_shapes import MoneyStory
from web.client import Refused, Service, wrong_fields
from web.operator_shapes import DeadLetter, LoggedDeed, MoneyState, Saga, SagaStep, SagaWait
from web.pages.cancelling import REASON_LONGEST
from web.pages.moving import purchase_here, session_named
from web.pages.people import names_of
from web.prepaid_shapes import Bought
from web.routes import ID, Row, do, see
from web.shapes import Page, Shape
from web.visit import Visit

ROWS_SHOWN = 50
NOT_FOUND = 404
VERBS = {
    "retry": "Stripe is asked for the refund once more.",
    "paid-otherwise": "The refund is recorded as paid another way.",
}
"""What an operator may do with a refund that failed, and what to say after it."""

Found = TypeVar("Found", bound=Shape)
Step = tuple[Service, SagaStep]
Wait = tuple[Service, SagaWait]


async def purchase(visit: Visit) -> web.Response:
    """Show every step of a purchase, what it waits for, and what can be done about it."""
    try:
        order, meeting = await purchase_here(visit)
    except Refused as refused:
        if refused.problem.status != NOT_FOUND:
            raise
        return await _prepaid(visit)  # What is paid in advance is unknown to booking.
    order_id = order.order_id
    steps, waits = await _told(visit, order_id)
    money = await _money_state(visit, order_id)
    return visit.page(
        "operator_purchase.html",
        order=order,
        meeting=meeting,
        currency=order.currency,
        part=money.part(meeting.session_id) if money else None,
        steps=steps,
        waits=waits,
        names=await names_of(visit, (order.mentor_id, order.mentee_id)),
    )


async def _prepaid(visit: Visit) -> web.Response:
    purchase_id = visit.part("order_id")
    bought = await visit.read(Service.PAYMENTS, f"/v1/purchases/{purchase_id}", Bought)
    story, money, (steps, waits), names = await asyncio.gather(
        visit.read(Service.PAYMENTS, f"/v1/orders/{purchase_id}/money", MoneyStory),
        _money_state(visit, purchase_id),
        _told(visit, purchase_id),
        names_of(visit, [bought.mentor_id]),
    )
    return visit.page(
        "operator_prepaid.html",
        bought=bought,
        story=story,
        failed=money.failed if money else [],
        steps=steps,
        waits=waits,
        names=names,
    )


async def _told(visit: Visit, order_id: str) -> tuple[list[Step], list[Wait]]:
    """Return what every service tells of a purchase: its steps in order of time, and its waits."""
    sagas = await _everywhere(visit, f"/v1/operator/orders/{order_id}/steps", Saga)
    steps = [(service, step) for service, saga in sagas for step in saga.steps]
    waits = [(service, wait) for service, saga in sagas for wait in saga.waits]
    return sorted(steps, key=lambda step: step[1].at), waits


async def release(visit: Visit) -> web.Response:
    """Let the mentor's share go before its time, or have a refused transfer tried again."""
    body = {"reason": reason_of(visit, "release"), **session_named(visit)}
    path = f"/v1/operator/orders/{visit.part('order_id')}/release"
    await visit.send(Service.PAYMENTS, "POST", path, body)
    return visit.go(_page_of(visit), "The share is on its way.")


async def mend_refund(visit: Visit) -> web.Response:
    """Have a failed refund tried again, or record it as paid another way, on what was shown."""
    verb, refund_id = visit.part("verb"), visit.part("refund_id")
    body = {
        "reason": reason_of(visit, f"{verb}-{refund_id}"),
        "refund_id": refund_id,
        "amount_minor": visit.form.whole("amount_minor", least=1, most=MAX_MINOR_OF_ALL),
    }
    path = f"/v1/operator/orders/{visit.part('order_id')}/refund/{verb}"
    await visit.send(Service.PAYMENTS, "POST", path, body)
    return visit.go(_page_of(visit), VERBS[verb])


async def refund_credits(visit: Visit) -> web.Response:
    """Pay the unused sessions of a purchase back, in their time or after it."""
    purchase_id = visit.part("order_id")
    body = {"reason": reason_of(visit, "refund-credits")}
    path = f"/v1/operator/purchases/{purchase_id}/refund"
    await visit.send(Service.PAYMENTS, "POST", path, body)
    done = "The money is on its way back to the card."
    return visit.go(f"/operator/orders/{purchase_id}", done)


async def retry_call(visit: Visit) -> web.Response:
    """Have an open call to Stripe made now."""
    operation_id = visit.part("operation_id")
    body = {"reason": reason_of(visit, operation_id)}
    path = f"/v1/operator/operations/{operation_id}/retry"
    await visit.send(Service.PAYMENTS, "POST", path, body)
    return visit.go(_page_of(visit), "Stripe is asked again.")


async def stuck(visit: Visit) -> web.Response:
    """List the purchases that wait for an operator or for something that is late."""
    found = await _everywhere(visit, "/v1/operator/stuck", Page[SagaWait])
    waits = [(service, wait) for service, page in found for wait in page.items]
    return visit.page("operator_stuck.html", waits=waits)


async def dead_letters(visit: Visit) -> web.Response:
    """List the events that services could not handle."""
    found = await _everywhere(visit, "/v1/operator/dead-letters", Page[DeadLetter])
    letters = [(service, letter) for service, page in found for letter in page.items]
    return visit.page("operator_dead_letters.html", letters=letters)


async def replay(visit: Visit) -> web.Response:
    """Hand a dead letter back to its service's worker."""
    event_id = visit.part("event_id")
    # An event may be a dead letter of several services: their forms stand on one page.
    body = {"reason": reason_of(visit, f"{visit.part('service')}-{event_id}")}
    service = Service[visit.part("service").upper()]
    await visit.send(service, "POST", f"/v1/operator/dead-letters/{event_id}/replay", body)
    return visit.go("/operator/dead-letters", "The event is tried again.")


async def log(visit: Visit) -> web.Response:
    """List what operators did, the newest first."""
    found = await _everywhere(visit, "/v1/operator/log", Page[LoggedDeed], limit=ROWS_SHOWN)
    deeds = [(service, deed) for service, page in found for deed in page.items]
    deeds.sort(key=lambda deed: deed[1].acted_at, reverse=True)
    people = {deed.who for _, deed in deeds if not deed.who.startswith("ops:")}
    return visit.page("operator_log.html", deeds=deeds, names=await names_of(visit, people))


async def _everywhere(
    visit: Visit, path: str, shape: type[Found], **query: int
) -> list[tuple[Service, Found]]:
    """Return what each service answers; one that is away is named on the page instead."""
    answers = await asyncio.gather(
        *(visit.try_read(service, path, shape, **query) for service in Service)
    )
    pairs = zip(Service, answers, strict=True)
    return [(service, answer) for service, answer in pairs if answer is not None]


async def _money_state(visit: Visit, order_id: str) -> MoneyState | None:
    path = f"/v1/operator/orders/{order_id}/money-state"
    try:
        return await visit.try_read(Service.PAYMENTS, path, MoneyState)
    except Refused as refused:
        if refused.problem.status != NOT_FOUND:
            raise
        return None  # Payments has not heard of the order yet.


def reason_of(visit: Visit, name: str) -> str:
    """Return the reason that was typed; raises what the form then says at its field."""
    reason = visit.form.text("reason")
    if not reason:
        raise wrong_fields(**{f"reason_{name}": "Say why: it is logged."})
    if len(reason) > REASON_LONGEST:
        raise wrong_fields(**{f"reason_{name}": f"Write at most {REASON_LONGEST} characters."})
    return reason


def _page_of(visit: Visit) -> str:
    page = f"/operator/orders/{visit.part('order_id')}"
    session_id = visit.form.text("session_id")
    return f"{page}?session={session_id}" if session_id else page


_ORDER = f"/operator/orders/{{order_id:{ID}}}"
_SERVICES = "|".join(service.name.lower() for service in Service)
_LETTER = f"/operator/dead-letters/{{service:{_SERVICES}}}/{{event_id:{ID}}}/replay"
ROUTES: tuple[Row, ...] = (
    see(_ORDER, purchase),
    do(f"{_ORDER}/release", release, purchase),
    do(f"{_ORDER}/refunds/{{refund_id:{ID}}}/{{verb:{'|'.join(VERBS)}}}", mend_refund, purchase),
    do(f"{_ORDER}/refund-credits", refund_credits, purchase),
    do(f"{_ORDER}/calls/{{operation_id:{ID}}}/retry", retry_call, purchase),
    see("/operator/stuck", stuck),
    see("/operator/dead-letters", dead_letters),
    do(_LETTER, replay, dead_letters),
    see("/operator/log", log),
)
