"""The way out: pages for people, JSON for tests, and the control of faults."""

from __future__ import annotations

import base64
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web
from pydantic import ValidationError

from simulators.mail.faults import FaultOrder, Faults
from simulators.mail.message import Attachment, Message
from simulators.mail.store import Store

_TEMPLATES = Path(__file__).with_name("templates")
_STORE = web.AppKey("store", Store)
_FAULTS = web.AppKey("faults", Faults)
# A mail's own page may show pictures and styles, and may run nothing.
_MAIL_POLICY = "default-src 'none'; img-src * data:; style-src 'unsafe-inline'; sandbox " + (
    "allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
)

routes = web.RouteTableDef()


def make_app(store: Store, faults: Faults) -> web.Application:
    """Return the application over a mailbox."""
    app = web.Application()
    app[_STORE], app[_FAULTS] = store, faults
    aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    app.add_routes(routes)
    return app


@routes.get("/livez")
@routes.get("/readyz")
async def healthy(_request: web.Request) -> web.Response:
    """Say that the mailbox answers."""
    return web.json_response({"status": "ok"})


@routes.get("/")
@aiohttp_jinja2.template("list.html")
async def list_page(request: web.Request) -> dict[str, object]:
    """Show the mails, newest first, of everybody or of one address."""
    to = request.query.get("to") or None
    return {"to": to, "messages": request.app[_STORE].newest(to)}


@routes.get(r"/messages/{number:\d+}")
@aiohttp_jinja2.template("message.html")
async def message_page(request: web.Request) -> dict[str, object]:
    """Show one mail with its links and attachments."""
    return {"message": _message(request)}


@routes.get(r"/messages/{number:\d+}/html")
async def html_view(request: web.Request) -> web.Response:
    """Show the HTML of a mail alone, with everything active switched off."""
    return web.Response(
        text=f'<base target="_top">{_message(request).html}',
        content_type="text/html",
        headers={"Content-Security-Policy": _MAIL_POLICY},
    )


@routes.get(r"/messages/{number:\d+}/attachments/{index:\d+}")
async def download(request: web.Request) -> web.Response:
    """Give an attachment as a file."""
    attachments, index = _message(request).attachments, int(request.match_info["index"])
    if index >= len(attachments):
        raise web.HTTPNotFound(text="this mail has no such attachment")
    found = attachments[index]
    name = found.name.replace('"', "").replace("\\", "").replace("\n", " ")
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Type": found.type,
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(body=_bytes(found), headers=headers)


@routes.get("/api/messages")
async def list_messages(request: web.Request) -> web.Response:
    """Return mails as JSON, newest first; `?to=` chooses a recipient."""
    messages = request.app[_STORE].newest(request.query.get("to") or None)
    return web.json_response([_shown(each) for each in messages])


@routes.get(r"/api/messages/{number:\d+}")
async def get_message(request: web.Request) -> web.Response:
    """Return one mail as JSON."""
    return web.json_response(_shown(_message(request)))


@routes.delete("/api/messages")
async def clear(request: web.Request) -> web.Response:
    """Throw all mails away."""
    request.app[_STORE].clear()
    return web.Response(status=204)


@routes.post("/_sim/faults")
async def order_faults(request: web.Request) -> web.Response:
    """Order faults for the next mails."""
    try:
        order = FaultOrder.model_validate_json(await request.read())
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        return web.json_response({"errors": problems}, status=422)
    request.app[_FAULTS].order(order)
    return web.json_response({"waiting": request.app[_FAULTS].waiting()}, status=201)


def _message(request: web.Request) -> Message:
    found = request.app[_STORE].one(int(request.match_info["number"]))
    if found is None:
        raise web.HTTPNotFound(text="there is no such mail")
    return found


def _shown(message: Message) -> dict[str, object]:
    shown = message.model_dump(mode="json")
    return {"from": shown.pop("sender"), **shown}


def _bytes(attachment: Attachment) -> bytes:
    if attachment.type.startswith("text/"):
        return attachment.content.encode()
    return base64.b64decode(attachment.content)
