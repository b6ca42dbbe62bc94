"""A forgotten password: asking for the mail, and choosing a new one with the mailed token."""

from __future__ import annotations

from aiohttp import web

from web.client import Service
from web.routes import Row, do, open_to_all
from web.visit import Visit


async def ask_form(visit: Visit) -> web.Response:
    """Show the form that asks for the mail."""
    return visit.page("password_ask.html")


async def ask(visit: Visit) -> web.Response:
    """Ask for the mail; the answer never says whether the address is known."""
    body = {"email": visit.form.text("email")}
    await visit.send(Service.PROFILES, "POST", "/v1/accounts/password-reset", body)
    return visit.go("/forgot-password", "If we know the address, a mail with a link is on its way.")


async def choose_form(visit: Visit) -> web.Response:
    """Show the form for the new password."""
    token = visit.query("token") or visit.form.text("token")
    return visit.page("password_choose.html", token=token)


async def choose(visit: Visit) -> web.Response:
    """Set the new password."""
    body = {"token": visit.form.text("token"), "password": visit.form.secret("password")}
    await visit.send(Service.PROFILES, "POST", "/v1/accounts/password-reset/complete", body)
    return visit.go("/sign-in", "Your new password is set. You can sign in with it now.")


ROUTES: tuple[Row, ...] = (
    open_to_all("/forgot-password", ask_form),
    do("/forgot-password", ask, ask_form, signed_in=False),
    open_to_all("/reset-password", choose_form),
    do("/reset-password", choose, choose_form, signed_in=False),
)
