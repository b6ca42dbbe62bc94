"""The public API: a person's feed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.notifications.domain.letters import Sender, feed_words
from services.notifications.store import messages
from services.notifications.store.messages import FeedItem
from shared.db import Connection
from shared.web import SIGNED_IN, Api, Body, Call, InstantUtc, Page, PageQuery, View
from shared.web.operators import add_operator_routes
from shared.web.shapes import CursorInvalid, instant_in_cursor


class FeedItemView(View):
    """One item of the feed; `order_id` says which purchase it is about, if it is about one."""

    message_id: UUID
    kind: str
    title: str
    text: str
    at: datetime
    read: bool
    order_id: UUID | None


class ReadUpTo(Body):
    """Everything up to and including this instant has been seen."""

    up_to: InstantUtc


class UnreadView(View):
    """How many items of the feed are unread."""

    unread: int


def make_api(sender: Sender) -> Api:
    """Return the routes; `sender` says where links lead."""
    api = Api("notifications")

    @api.get("/v1/me/feed", may=SIGNED_IN)
    async def list_feed(call: Call, query: PageQuery, conn: Connection) -> Page[FeedItemView]:
        """List what happened, latest first, in the words of the signed-in person."""
        found = await messages.feed_page(
            conn, call.person_id, after=_after(query), limit=query.limit + 1, now=call.now
        )
        shown = found[: query.limit]
        more = len(found) > query.limit
        last = shown[-1] if more else None
        return Page(
            items=[_view(item, sender) for item in shown],
            next_cursor=Page.cursor(last.at.isoformat(), last.situation.message.message_id)
            if last
            else None,
        )

    @api.post("/v1/me/feed/read", may=SIGNED_IN, status=200)
    async def read_feed(call: Call, body: ReadUpTo, conn: Connection) -> UnreadView:
        """Mark the feed as read up to an instant; doing it again changes nothing."""
        await messages.read_feed(conn, call.person_id, up_to=body.up_to, now=call.now)
        return UnreadView(unread=await messages.count_unread(conn, call.person_id))

    @api.get("/v1/me/feed/unread", may=SIGNED_IN)
    async def count_unread(call: Call, conn: Connection) -> UnreadView:
        """Count what is unread."""
        return UnreadView(unread=await messages.count_unread(conn, call.person_id))

    add_operator_routes(api)
    return api


def _after(query: PageQuery) -> tuple[datetime, UUID] | None:
    values = query.after()
    if not values:
        return None
    try:
        at, message_id = values
        return instant_in_cursor(at), UUID(message_id)
    except ValueError:
        raise CursorInvalid from None


def _view(item: FeedItem, sender: Sender) -> FeedItemView:
    message = item.situation.message
    title, text = feed_words(item.situation, sender)
    return FeedItemView(
        message_id=message.message_id,
        kind=message.kind,
        title=title,
        text=text,
        at=item.at,
        read=item.read,
        order_id=message.order_id,
    )
