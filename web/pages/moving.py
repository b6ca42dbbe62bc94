"""Moving a session: a new time, what that means, and the other side's answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from web.client import Service, not_here, wrong_fields
from web.forms import as_day, as_instant, midnight
from web.pages.mentors import WEEK_DAYS, by_day, instant_text, week_before
from web.pages.people import names_of
from web.routes import ID, Row, do, see
from web.session_shapes import Meeting, MovePreview, Purchase
from web.shapes import Page, Slot
from web.visit import Visit

REASON_LONGEST = 500


async def choose(visit: Visit) -> web.Response:
    """Show free times to move to, or what the chosen one would mean."""
    order, meeting = await purchase_here(visit)
    wanted = as_instant(visit.form.text("starts_at") or visit.query("at"))
    names = await names_of(visit, (order.mentor_id, order.mentee_id))
    if wanted is not None and visit.unshown_problem() is None:
        meaning = await _meaning(visit, order, meeting, wanted)
        return visit.page(
            "move_confirm.html", order=order, meeting=meeting, names=names, meaning=meaning,
            wanted=wanted, wanted_text=instant_text(wanted),
        )  # fmt: skip
    return await _times(visit, order, meeting, names)


async def purchase_here(visit: Visit) -> tuple[Purchase, Meeting]:
    """Return the purchase of this address, and its session that is meant (else the next one)."""
    path = f"/v1/orders/{visit.part('order_id')}"
    order = await visit.read(Service.BOOKING, path, Purchase)
    meeting = order.meeting(_named(visit))
    if meeting is None:
        raise not_here()
    return order, meeting


def _named(visit: Visit) -> str:
    in_the_path = visit.request.match_info.get("session_id", "")
    return in_the_path or visit.form.text("session_id") or visit.query("session")


def session_named(visit: Visit) -> dict[str, str]:
    """Return the session that a form names, as the services take it; nothing if it names none."""
    session_id = visit.form.text("session_id")
    return {"session_id": session_id} if session_id else {}


async def _meaning(
    visit: Visit, order: Purchase, meeting: Meeting, wanted: datetime
) -> MovePreview:
    path = f"/v1/orders/{order.order_id}/move-preview"
    return await visit.read(
        Service.BOOKING, path, MovePreview,
        session_id=meeting.session_id, starts_at=instant_text(wanted),
    )  # fmt: skip


async def _times(
    visit: Visit, order: Purchase, meeting: Meeting, names: dict[str, str]
) -> web.Response:
    today = visit.now.astimezone(ZoneInfo(visit.zone)).date()
    first = max(as_day(visit.query("week")) or today, today)
    end = first + timedelta(days=WEEK_DAYS)
    starts = max(midnight(first, visit.zone), visit.now)
    found = await visit.try_read(
        Service.BOOKING,
        f"/v1/orders/{order.order_id}/move-slots",
        Page[Slot],
        session_id=meeting.session_id,
        **{"from": instant_text(starts), "until": instant_text(midnight(end, visit.zone))},
    )
    days = tuple(by_day(found.items, first, visit.zone)) if found else None
    return visit.page(
        "move.html", order=order, meeting=meeting, names=names, days=days, first=first,
        any_free=any(slots for _, slots in days or ()), earlier=week_before(first, today),
        later=end,
    )  # fmt: skip


async def move(visit: Visit) -> web.Response:
    """Move the session, or propose it, as it was shown."""
    form, order_id = visit.form, visit.part("order_id")
    reason = form.text("reason")
    if len(reason) > REASON_LONGEST:
        raise wrong_fields(reason=f"Write at most {REASON_LONGEST} characters.")
    immediate = form.text("shown_immediate") == "yes"
    body: dict[str, object] = {
        "session_id": form.text("session_id"),
        "starts_at": form.text("starts_at"),
        "shown_immediate": immediate,
        "shown_refundable_after": form.text("shown_refundable_after") == "yes",
    }
    if reason:
        body["reason"] = reason
    await visit.send(Service.BOOKING, "POST", f"/v1/orders/{order_id}/move", body)
    notice = "The session is moved." if immediate else "Your proposal is on its way."
    return _back(visit, notice)


async def accept(visit: Visit) -> web.Response:
    """Agree to the proposed time."""
    return await _answer(visit, "accept", "The session is moved.")


async def decline(visit: Visit) -> web.Response:
    """Keep the time as it is: say no, or take one's own proposal back."""
    return await _answer(visit, "decline", "The session stays where it is.")


async def _answer(visit: Visit, answer: str, notice: str) -> web.Response:
    body = {"session_id": visit.form.text("session_id")}
    path = f"/v1/orders/{visit.part('order_id')}/move/{answer}"
    await visit.send(Service.BOOKING, "POST", path, body)
    return _back(visit, notice)


def _back(visit: Visit, notice: str) -> web.Response:
    session_id = visit.form.text("session_id")
    return visit.go(f"/sessions/{visit.part('order_id')}?session={session_id}", notice)


_ONE = f"/sessions/{{order_id:{ID}}}/move"
ROUTES: tuple[Row, ...] = (
    see(_ONE, choose),
    do(_ONE, move, choose),
    do(f"{_ONE}/accept", accept, choose),
    do(f"{_ONE}/decline", decline, choose),
)
