"""Becoming known: signing up, proving the address, signing in and out, and one's own account."""

from __future__ import annotations

from contextlib import suppress

from aiohttp import web

from web.client import Ask, Away, Refused, Service
from web.forms import ZONES, safe_path
from web.routes import Row, do, open_to_all, see
from web.shapes import Me
from web.visit import SignInNeeded, Visit

DEFAULT_LOCALE = "en"
LOCALES = {"en": "English", "de": "Deutsch"}
"""The languages of mails; the pages themselves are in English."""
WANTS = {
    "mentee": "I am looking for a mentor",
    "mentor": "I want to mentor others",
    "both": "Both",
}
VERSION_MOST = 999_999_999
UNVERIFIED = "email_unverified"


async def sign_up_form(visit: Visit) -> web.Response:
    """Show the form for a new account."""
    return visit.page("sign_up.html", zones=ZONES, wants=WANTS)


async def sign_up(visit: Visit) -> web.Response:
    """Ask for a new account; the answer never says whether the address is known."""
    form = visit.form
    body = {
        "email": form.text("email"),
        "password": form.secret("password"),
        "name": form.text("name"),
        "locale": DEFAULT_LOCALE,
        "zone": form.zone(),
        "wants": form.text("wants") or "mentee",
    }
    await visit.send(Service.PROFILES, "POST", "/v1/accounts", body)
    return visit.go("/check-mail")


async def check_mail(visit: Visit) -> web.Response:
    """Say that a mail is on its way."""
    return visit.page("check_mail.html")


async def resend(visit: Visit) -> web.Response:
    """Send the mail with the link once more."""
    body = {"email": visit.form.text("email")}
    await visit.send(Service.PROFILES, "POST", "/v1/accounts/verification", body)
    return visit.go("/check-mail", "If the address is waiting for it, a new mail is on its way.")


async def verify_form(visit: Visit) -> web.Response:
    """Show the form that proves the address: mail scanners follow links, but press nothing.

    It asks for the password of the sign-up, so that a mail somebody else caused does no harm.
    """
    return visit.page("verify.html", token=visit.query("token") or visit.form.text("token"))


async def verify(visit: Visit) -> web.Response:
    """Prove the address with the mailed token and the password."""
    body = {"token": visit.form.text("token"), "password": visit.form.secret("password")}
    await visit.send(Service.PROFILES, "POST", "/v1/accounts/verify", body)
    return visit.go("/sign-in", "Your e-mail address is confirmed. You can sign in now.")


async def sign_in_form(visit: Visit) -> web.Response:
    """Show the form to sign in."""
    unverified = visit.failure is not None and visit.failure.problem.code == UNVERIFIED
    wanted = safe_path(visit.query("next") or visit.form.text("next"))
    return visit.page("sign_in.html", next=wanted, unverified=unverified)


async def sign_in(visit: Visit) -> web.Response:
    """Sign in and go where the person wanted to."""
    form = visit.form
    visit.session.person = None
    body = {"email": form.text("email"), "password": form.secret("password")}
    visit.begin(await visit.ask(Service.PROFILES, Ask("POST", "/v1/sign-ins", body=body)))
    await remember_me(visit)
    return visit.go(safe_path(form.text("next")))


async def remember_me(visit: Visit) -> Me | None:
    """Keep the name and zone of the signed-in person in the session."""
    me = await visit.try_read(Service.PROFILES, "/v1/me", Me)
    if me:
        held = {"name": me.name, "zone": me.zone}
        visit.session.person = visit.person.model_copy(update=held)
    return me


async def sign_out(visit: Visit) -> web.Response:
    """End this sign-in, here and at `profiles`."""
    # It may have ended already, or will end by its age; this browser forgets it in any case.
    with suppress(Refused, Away, SignInNeeded):
        await visit.send(Service.PROFILES, "DELETE", "/v1/sign-ins/current")
    visit.session.sign_out()
    return visit.go("/", "You are signed out.")


async def settings(visit: Visit) -> web.Response:
    """Show one's own account."""
    me, version = await visit.read_versioned(Service.PROFILES, "/v1/me", Me)
    return visit.page("settings.html", me=me, version=version, zones=ZONES, locales=LOCALES)


async def save_settings(visit: Visit) -> web.Response:
    """Change name, language of mails and zone."""
    form = visit.form
    body = {"name": form.text("name"), "locale": form.text("locale"), "zone": form.zone()}
    version = form.whole("version", least=0, most=VERSION_MOST)
    await visit.send(Service.PROFILES, "PUT", "/v1/me", body, version=version)
    held = {"name": body["name"], "zone": body["zone"]}
    visit.session.person = visit.person.model_copy(update=held)
    return visit.go("/settings", "Your settings are saved.")


ROUTES: tuple[Row, ...] = (
    open_to_all("/sign-up", sign_up_form),
    do("/sign-up", sign_up, sign_up_form, signed_in=False),
    open_to_all("/check-mail", check_mail),
    do("/check-mail", resend, check_mail, signed_in=False),
    open_to_all("/verify", verify_form),
    do("/verify", verify, verify_form, signed_in=False),
    open_to_all("/sign-in", sign_in_form),
    do("/sign-in", sign_in, sign_in_form, signed_in=False),
    do("/sign-out", sign_out, settings),
    see("/settings", settings),
    do("/settings", save_settings, settings),
)
