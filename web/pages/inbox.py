"""The inbox: what happened, newest first, and how much of it is new."""

from __future__ import annotations

from aiohttp import web

from web.client import Service
from web.forms import as_instant
from web.pages.mentors import instant_text
from web.routes import Row, do, see
from web.shapes import Message, Page, Unread
from web.visit import Visit

MESSAGES_PER_PAGE = 30


async def inbox(visit: Visit) -> web.Response:
    """Show the inbox."""
    return visit.page("inbox.html", feed=await _feed(visit))


async def news(visit: Visit) -> web.Response:
    """Answer the inbox that looks again by itself."""
    return visit.fragment("_messages.html", feed=await _feed(visit))


async def _feed(visit: Visit) -> Page[Message]:
    return await visit.read(
        Service.NOTIFICATIONS,
        "/v1/me/feed",
        Page[Message],
        limit=MESSAGES_PER_PAGE,
        cursor=visit.query("cursor"),
    )


async def unread(visit: Visit) -> web.Response:
    """Answer the header that shows how many messages are new."""
    found = await visit.try_read(Service.NOTIFICATIONS, "/v1/me/feed/unread", Unread)
    return visit.fragment("_unread.html", unread=found.unread if found else 0)


async def mark_read(visit: Visit) -> web.Response:
    """Mark everything up to the newest message shown as read."""
    up_to = as_instant(visit.form.text("up_to")) or visit.now
    body = {"up_to": instant_text(up_to)}
    await visit.send(Service.NOTIFICATIONS, "POST", "/v1/me/feed/read", body)
    return visit.go("/inbox")


ROUTES: tuple[Row, ...] = (
    see("/inbox", inbox),
    see("/inbox/news", news),
    see("/inbox/unread", unread),
    do("/inbox/read", mark_read, inbox),
)
