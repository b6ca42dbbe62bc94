"""One's sessions in one's own calendar: a private address to follow, or one session as a file."""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import urlencode

from aiohttp import web

from web.client import Ask, Service
from web.pages.moving import purchase_here
from web.routes import ID, Row, do, open_to_all, see
from web.session_shapes import Feed, FeedAddress, Meeting, Purchase
from web.visit import Visit

CALENDAR_TYPE = "text/calendar"
NOT_MODIFIED = 304
_STAMP = "%Y%m%dT%H%M%SZ"
_FEED = "/v1/me/calendar-feed"
_OF_THE_SERVICE = "/v1"
_UNGUESSABLE = "[A-Za-z0-9_-]{16,128}"


async def feed(visit: Visit) -> web.Response:
    """Show whether one's calendar can be followed, and by what since when."""
    return visit.page("calendar.html", feed=await _feed(visit), address=None)


async def _feed(visit: Visit) -> Feed:
    return await visit.read(Service.BOOKING, _FEED, Feed)


async def renew(visit: Visit) -> web.Response:
    """Make a new secret address, which is shown this once; the one before ends."""
    answer = await visit.send(Service.BOOKING, "POST", _FEED)
    path = FeedAddress.model_validate_json(answer.content).url_path
    # Only here may the address be shown: a redirect would have to carry the secret.
    address = visit.site.public_url + path.removeprefix(_OF_THE_SERVICE)
    return visit.page("calendar.html", feed=await _feed(visit), address=address)


async def end(visit: Visit) -> web.Response:
    """End the address: whoever has it reads nothing any more."""
    await visit.send(Service.BOOKING, "DELETE", _FEED)
    return visit.go("/calendar", "The address has ended.")


async def follow(visit: Visit) -> web.Response:
    """Hand a calendar to whoever has its secret address: calendar programs reach only this site."""
    path = f"{_OF_THE_SERVICE}/feeds/{visit.part('token')}/calendar.ics"
    answer = await visit.ask(Service.BOOKING, Ask("GET", path))
    # A program that reads every quarter of an hour is told in a word that nothing has changed.
    mark = sha256(answer.content).hexdigest()
    known = visit.request.if_none_match or ()
    if any(each.value == mark for each in known):
        return web.Response(status=NOT_MODIFIED, headers={"ETag": f'"{mark}"'})
    response = _calendar(answer.content, "mentorium.ics")
    response.etag = mark
    return response


def _calendar(content: bytes, name: str) -> web.Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(body=content, content_type=CALENDAR_TYPE, charset="utf-8", headers=headers)


async def one_session(visit: Visit) -> web.Response:
    """Return one session as a calendar file."""
    _, meeting = await purchase_here(visit)
    path = f"/v1/sessions/{meeting.session_id}/calendar.ics"
    answer = await visit.ask(Service.BOOKING, Ask("GET", path))
    return _calendar(answer.content, "session.ics")


def elsewhere(order: Purchase, meeting: Meeting, site: str) -> list[tuple[str, str]]:
    """Return where a session can be added by a link: what it is called, and the address."""
    page = f"{site}/sessions/{order.order_id}"
    begins, ends = meeting.starts_at.strftime(_STAMP), meeting.ends_at.strftime(_STAMP)
    google = {
        "action": "TEMPLATE", "text": order.title, "dates": f"{begins}/{ends}", "details": page,
    }  # fmt: skip
    outlook = {
        "path": "/calendar/action/compose", "rru": "addevent", "subject": order.title,
        "startdt": meeting.starts_at.isoformat(), "enddt": meeting.ends_at.isoformat(),
        "body": page,
    }  # fmt: skip
    return [
        ("Google", f"https://calendar.google.com/calendar/render?{urlencode(google)}"),
        ("Outlook", f"https://outlook.live.com/calendar/0/deeplink/compose?{urlencode(outlook)}"),
    ]


ROUTES: tuple[Row, ...] = (
    see("/calendar", feed),
    do("/calendar", renew, feed),
    do("/calendar/end", end, feed),
    see(f"/sessions/{{order_id:{ID}}}/calendar.ics", one_session),
    open_to_all(f"/feeds/{{token:{_UNGUESSABLE}}}/calendar.ics", follow),
)
