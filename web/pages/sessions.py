"""My sessions: the list, one session with its money, joining, completing and reviewing."""

from __future__ import annotations

import asyncio
from datetime import datetime
from operator import itemgetter
from urllib.parse import urlsplit

from aiohttp import web

from web.book_shapes import MoneyStory
from web.client import Refused, Service
from web.pages.calendar import elsewhere
from web.pages.moving import purchase_here
from web.pages.people import names_of
from web.routes import ID, Row, do, see
from web.session_shapes import Meeting, Purchase
from web.shapes import Page, Room, SessionReviews
from web.visit import Model, Visit

SESSIONS_PER_PAGE = 50
RATING_BEST = 5
NO_ANSWER_YET = frozenset({403, 404, 409})
"""Statuses by which a service says that it has nothing (yet) to show of an order."""
AHEAD = frozenset({"requested", "offered", "held", "confirmed"})


async def sessions(visit: Visit) -> web.Response:
    """List the sessions one has bought, or those one gives."""
    as_mentor = visit.query("as") == "mentor" and visit.person.is_a("mentor")
    found = await visit.read(
        Service.BOOKING,
        "/v1/orders",
        Page[Purchase],
        role="mentor" if as_mentor else "mentee",
        limit=SESSIONS_PER_PAGE,
        cursor=visit.query("cursor"),
    )
    comings = [(each, _coming(each, visit.now)) for each in found.items]
    ahead = [(each, meeting.starts_at) for each, meeting in comings if meeting]
    past = [(each, each.starts_at) for each, meeting in comings if not meeting]
    return visit.page(
        "sessions.html",
        as_mentor=as_mentor,
        ahead=sorted(ahead, key=itemgetter(1)),
        past=sorted(past, key=itemgetter(1), reverse=True),
        next_cursor=found.next_cursor,
        names=await names_of(visit, _others(found.items, as_mentor=as_mentor)),
    )


def _coming(order: Purchase, now: datetime) -> Meeting | None:
    """Return the session of a purchase that comes next, the one that runs included."""
    ahead = (each for each in order.sessions if each.state in AHEAD and each.ends_at > now)
    return min(ahead, key=lambda each: each.starts_at, default=None)


def _others(orders: list[Purchase], *, as_mentor: bool) -> set[str]:
    return {each.mentee_id if as_mentor else each.mentor_id for each in orders}


async def session(visit: Visit) -> web.Response:
    """Show one session: what may be done with it, its money and its reviews."""
    order, meeting = await purchase_here(visit)
    money, reviews, names = await asyncio.gather(
        _if_any(visit, Service.PAYMENTS, f"/v1/orders/{order.order_id}/money", MoneyStory),
        _if_any(
            visit, Service.PROFILES, f"/v1/sessions/{meeting.session_id}/reviews", SessionReviews
        ),
        names_of(visit, (order.mentor_id, order.mentee_id)),
    )
    mine = visit.person.person_id
    return visit.page(
        "session.html",
        order=order,
        meeting=meeting,
        calendars=elsewhere(order, meeting, visit.site.public_url),
        story=money,
        reviews=reviews,
        names=names,
        is_mentee=order.mentee_id == mine,
        is_party=mine in (order.mentor_id, order.mentee_id),
        ratings=range(1, RATING_BEST + 1),
    )


async def _if_any(visit: Visit, service: Service, path: str, shape: type[Model]) -> Model | None:
    try:
        return await visit.try_read(service, path, shape)
    except Refused as refused:
        if refused.problem.status not in NO_ANSWER_YET:
            raise
        return None


async def join(visit: Visit) -> web.Response:
    """Record that one joins, and show the way into the room."""
    order, meeting = await purchase_here(visit)
    path = f"/v1/sessions/{meeting.session_id}/join"
    room = Room.model_validate_json((await visit.send(Service.BOOKING, "POST", path)).content)
    # Whoever set the room is a stranger: nothing but an https address becomes a link.
    url = room.room_url if urlsplit(room.room_url).scheme == "https" else None
    return visit.page("room.html", order=order, meeting=meeting, room_url=url)


async def leave(visit: Visit) -> web.Response:
    """Record that one left."""
    order, meeting = await purchase_here(visit)
    await visit.send(Service.BOOKING, "POST", f"/v1/sessions/{meeting.session_id}/leave")
    return visit.go(_at(order, meeting), "It is noted that you left.")


async def complete(visit: Visit) -> web.Response:
    """Mark that the session took place."""
    order, meeting = await purchase_here(visit)
    body = {"session_id": meeting.session_id}
    await visit.send(Service.BOOKING, "POST", f"/v1/orders/{order.order_id}/complete", body)
    return visit.go(_at(order, meeting), "Thank you. The session is marked as completed.")


async def review(visit: Visit) -> web.Response:
    """Write one's review."""
    order, meeting = await purchase_here(visit)
    body = {
        "rating": visit.form.whole("rating", least=1, most=RATING_BEST),
        "text": visit.form.needed("text", "Write a sentence or two."),
    }
    path = f"/v1/sessions/{meeting.session_id}/reviews"
    await visit.send(Service.PROFILES, "POST", path, body)
    notice = "Thank you. Both reviews appear once both are written, or after 14 days."
    return visit.go(_at(order, meeting), notice)


def _at(order: Purchase, meeting: Meeting) -> str:
    return f"/sessions/{order.order_id}?session={meeting.session_id}"


_ONE = f"/sessions/{{order_id:{ID}}}"
ROUTES: tuple[Row, ...] = (
    see("/sessions", sessions),
    see(_ONE, session),
    do(f"{_ONE}/join", join, session),
    do(f"{_ONE}/leave", leave, session),
    do(f"{_ONE}/complete", complete, session),
    do(f"{_ONE}/review", review, session),
)
