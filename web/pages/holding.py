"""From a picked time to a booked session: the summary, the payment page, and coming back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from aiohttp import web

from web.client import Away, Refused, Service, not_here, wrong_fields
from web.clocks import clock_changes
from web.display import code_refusal
from web.forms import Form, as_instant
from web.pages.cancelling import only_shows
from web.pages.mentors import instant_text
from web.pages.pricing import CODE_FORM, bill_of, code_of
from web.pages.progress import Progress, Shown, progress
from web.price_shapes import Checkout
from web.routes import ID, Row, do, see
from web.session_shapes import Purchase
from web.shapes import Mentor, Offering, Order
from web.visit import Visit

NOT_FOUND = 404
NO_CONTENT = 204
POLICY_VERSION_MOST = 999_999
UNANSWERED = frozenset({"requested", "offered"})
"""The states in which there is nothing to pay yet."""


async def summary(visit: Visit) -> web.Response:
    """Show what is about to be bought, and the policy to accept."""
    offering_id = visit.form.text("offering_id") or visit.query("offering")
    starts_at = as_instant(visit.form.text("starts_at") or visit.query("starts_at"))
    if starts_at is None or not looks_like_id(offering_id):
        raise wrong_fields(starts_at="Pick a time on the mentor's page.")
    offering = await visit.read(Service.BOOKING, f"/v1/offerings/{offering_id}", Offering)
    mentor = await visit.try_read(Service.PROFILES, f"/v1/mentors/{offering.mentor_id}", Mentor)
    return visit.page(
        "hold.html",
        bill=await bill_of(visit, offering) if offering.price_minor else None,
        code=code_of(visit),
        offering=offering,
        mentor=mentor,
        starts_at=starts_at,
        starts_text=instant_text(starts_at),
        changes=clock_changes(visit.zone, visit.now, starts_at),
    )


def looks_like_id(text: str) -> bool:
    """Return whether a text may stand in a path as an identifier."""
    return text.replace("-", "").isalnum() and text.isascii()


async def hold(visit: Visit) -> web.Response:
    """Ask `booking` to keep the time, and go on to what comes next."""
    if only_shows(visit):
        return await summary(visit)
    form = visit.form
    answers = await answers_of(visit)
    body = {
        "offering_id": form.text("offering_id"),
        "starts_at": form.text("starts_at"),
        "accepted_policy": accepted_policy(form),
        "answers": answers,
        **code_named(visit),
    }
    return await keep(visit, "/v1/orders", body)


def code_named(visit: Visit) -> dict[str, object]:
    """Return the code to buy with, if one was typed; raises `Refused` for what is none."""
    code = code_of(visit)
    if code and not CODE_FORM.match(code):
        raise wrong_fields(promotion_code=code_refusal("unknown"))
    return {"promotion_code": code} if code else {}


def accepted_policy(form: Form) -> dict[str, object]:
    """Return the terms that were shown and accepted; raises `Refused` when they were not."""
    if form.text("accept") != "yes":
        raise wrong_fields(accept="Accept these terms to go on.")
    version = form.whole("policy_version", least=0, most=POLICY_VERSION_MOST)
    return {"preset": form.text("policy_preset"), "policy_version": version}


async def keep(visit: Visit, path: str, body: Mapping[str, object]) -> web.Response:
    """Ask for what is to be bought, and go on to the payment, or to the request it became."""
    answer = await visit.send(Service.BOOKING, "POST", path, body)
    order = Order.model_validate_json(answer.content)
    if order.state == "requested":
        return visit.go(f"/sessions/{order.order_id}", "Your request is on its way.")
    return to_payment(visit, order.order_id)


def to_payment(visit: Visit, order_id: object) -> web.Response:
    """Go on to the payment, with what was shown as to be paid."""
    shown = shown_to(visit)
    return visit.go(f"/orders/{order_id}/pay{f'?shown={shown}' if shown else ''}")


def shown_to(visit: Visit) -> Shown | None:
    """Return what was shown as to be paid, as long as the form or the address still says it."""
    return Shown.read(visit.form.text("shown") or visit.query("shown"))


async def answers_of(visit: Visit) -> list[Mapping[str, str]]:
    """Return what was answered; raises `Refused` when something that must be answered was not."""
    offering_id = visit.form.text("offering_id")
    if not looks_like_id(offering_id):
        raise not_here()
    offering = await visit.read(Service.BOOKING, f"/v1/offerings/{offering_id}", Offering)
    given = {asked: visit.form.text(asked.field) for asked in offering.questions}
    missing = {
        asked.field: "Answer this." for asked in given if asked.required and not given[asked]
    }
    if missing:
        raise wrong_fields(**missing)
    return [{"question": asked.text, "answer": text} for asked, text in given.items() if text]


async def pay(visit: Visit) -> web.Response:
    """Wait for the payment page and lead there.

    Not at once: a form's own redirect may not leave the site (form-action of our content policy),
    so the page is shown first and leads on by itself.
    """
    order, checkout, now = await _standing(visit, returned=False)
    if order.state in UNANSWERED:
        return visit.go(f"/sessions/{order.order_id}")
    if visit.query("look") and now.payment_url and now.waiting:
        return visit.go(now.payment_url)
    return visit.page(
        "pay.html", order=order, bill=checkout, progress=now, returned=False, shown=shown_to(visit)
    )


async def come_back(visit: Visit) -> web.Response:
    """Show how the payment went; asks `payments` to look at Stripe now."""
    path = f"/v1/checkouts/{visit.part('order_id')}/look-up"
    # If this does not work, the webhook or the reconciler brings the news as well.
    with suppress(Away, Refused):
        await visit.send(Service.PAYMENTS, "POST", path)
    order, checkout, now = await _standing(visit, returned=True)
    return visit.page(
        "pay.html", order=order, bill=checkout, progress=now, returned=True, shown=None
    )


async def status(visit: Visit) -> web.Response:
    """Answer the page that looks again by itself: the news, or nothing when there is none."""
    returned = visit.query("returned") == "1"
    order, _, now = await _standing(visit, returned=returned)
    if now.name == visit.query("seen"):
        return web.Response(status=NO_CONTENT)
    shown = shown_to(visit)
    response = visit.fragment(
        "_progress.html", order=order, progress=now, returned=returned, shown=shown
    )
    if now.payment_url and now.waiting and not returned:
        response.headers["HX-Redirect"] = now.payment_url
    return response


async def _standing(visit: Visit, *, returned: bool) -> tuple[Purchase, Checkout | None, Progress]:
    order_id = visit.part("order_id")
    order, checkout = await asyncio.gather(
        visit.read(Service.BOOKING, f"/v1/orders/{order_id}", Purchase), _checkout(visit, order_id)
    )
    return order, checkout, progress(order, checkout, shown_to(visit), returned=returned)


async def _checkout(visit: Visit, order_id: str) -> Checkout | None:
    try:
        found = await visit.try_read(Service.PAYMENTS, f"/v1/checkouts/{order_id}", Checkout)
    except Refused as refused:
        if refused.problem.status != NOT_FOUND:
            raise
        return None  # `payments` has not heard of the order yet.
    return found if found is None or _leads_to_web(found.url) else None


def _leads_to_web(url: str | None) -> bool:
    return url is None or urlsplit(url).scheme in ("https", "http")


async def release(visit: Visit) -> web.Response:
    """Give the time back."""
    path = f"/v1/orders/{visit.part('order_id')}"
    await visit.send(Service.BOOKING, "POST", f"{path}/release-hold")
    order = await visit.read(Service.BOOKING, path, Order)
    return visit.go(f"/mentors/{order.mentor_id}", "The time is free again. Nothing was charged.")


ROUTES: tuple[Row, ...] = (
    see("/hold", summary),
    do("/hold", hold, summary),
    see(f"/orders/{{order_id:{ID}}}", come_back),
    see(f"/orders/{{order_id:{ID}}}/pay", pay),
    see(f"/orders/{{order_id:{ID}}}/return", come_back),
    see(f"/orders/{{order_id:{ID}}}/status", status),
    do(f"/orders/{{order_id:{ID}}}/release", release, pay),
)
