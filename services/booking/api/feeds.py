"""Routes for calendars elsewhere: a private feed of one's sessions, and one session as a file."""

from __future__ import annotations

from typing import Annotated

from services.booking.api.surface import WEB_URL, api
from services.booking.commands.feeds import make_feed, read_calendar, read_entry
from services.booking.domain.feeds import MEDIA_TYPE
from services.booking.store import feeds
from shared.db import Connection, connection
from shared.ids import SessionId
from shared.limits import Limit
from shared.web import ANYONE, Call, File, InstantUtc, View

PER_ADDRESS = Limit("calendar_feed", burst=600, per_second=20, handful=20)
"""Calendar services ask for the feeds of many people from few addresses."""


class FeedAddressView(View):
    """Where the feed is below the address of this API; it is shown once."""

    url_path: str


class FeedView(View):
    """Whether there is a feed, and when somebody last read it (noted once an hour)."""

    exists: bool
    created_at: InstantUtc | None
    last_read_at: InstantUtc | None


# No Idempotency-Key: it would keep the answer, and with it the secret. Once more is harmless.
@api.post("/v1/me/calendar-feed")
async def make_calendar_feed(call: Call, conn: Connection) -> FeedAddressView:
    """Make the address of one's feed; the one before it shows nothing any more."""
    token = await make_feed(conn, call.person_id, now=call.now)
    return FeedAddressView(url_path=f"/v1/feeds/{token}/calendar.ics")


@api.get("/v1/me/calendar-feed")
async def get_calendar_feed(call: Call) -> FeedView:
    """Show whether one has a feed."""
    async with connection(call.pool) as conn:
        feed = await feeds.read_feed(conn, call.person_id)
    return FeedView(
        exists=feed is not None,
        created_at=feed.created_at if feed else None,
        last_read_at=feed.last_read_at if feed else None,
    )


@api.delete("/v1/me/calendar-feed")
async def end_calendar_feed(call: Call, conn: Connection) -> None:
    """End one's feed: its address shows nothing any more."""
    await feeds.delete_feed(conn, call.person_id)


@api.get("/v1/feeds/{token}/calendar.ics", may=ANYONE, limit=PER_ADDRESS)
async def read_calendar_feed(
    call: Call, conn: Connection, token: str
) -> Annotated[File, MEDIA_TYPE]:
    """Show the sessions of whose feed it is, to whoever has its address."""
    web_url = call.request.app[WEB_URL]
    return File(content=await read_calendar(conn, token, web_url=web_url, now=call.now))


@api.get("/v1/sessions/{session_id}/calendar.ics")
async def get_session_calendar(call: Call, session_id: SessionId) -> Annotated[File, MEDIA_TYPE]:
    """Show a session that was confirmed to its two people, for their calendars."""
    web_url = call.request.app[WEB_URL]
    async with connection(call.pool) as conn:
        content = await read_entry(conn, call.person_id, session_id, web_url=web_url)
    return File(content=content)
