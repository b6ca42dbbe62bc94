"""Becoming a mentor: the steps, the profile for approval, and the account that is paid out to."""

from __future__ import annotations

import asyncio

from aiohttp import web

from web.client import Refused, Service
from web.pages.accounts import VERSION_MOST
from web.pages.searching import LANGUAGES, expertise
from web.routes import Row, do, see
from web.shapes import Account, MentorProfile, Offering, Order, Page
from web.time_shapes import Availability
from web.visit import Model, Visit

YEARS_MOST = 70
NOTHING_YET = frozenset({403, 404})
COUNTRIES = {
    "US": "United States", "GB": "United Kingdom", "DE": "Germany", "FR": "France",
    "ES": "Spain", "IT": "Italy", "NL": "Netherlands", "AT": "Austria", "CH": "Switzerland",
    "IE": "Ireland", "SE": "Sweden", "PL": "Poland", "CA": "Canada", "AU": "Australia",
    "JP": "Japan", "SG": "Singapore", "IN": "India", "BR": "Brazil", "MX": "Mexico",
}  # fmt: skip
"""Countries to offer for a connected account; Stripe decides in the end."""


async def steps(visit: Visit) -> web.Response:
    """Show what is done and what is missing before anybody can book."""
    (profile, _), account, hours, offerings, waiting = await asyncio.gather(
        _profile(visit),
        own(visit, Service.PAYMENTS, "/v1/me/account", Account),
        own(visit, Service.BOOKING, "/v1/me/availability", Availability),
        own(visit, Service.BOOKING, "/v1/me/offerings", Page[Offering]),
        own(visit, Service.BOOKING, "/v1/orders", Page[Order], role="mentor", state="requested"),
    )
    return visit.page(
        "mentor_steps.html",
        profile=profile,
        account=account,
        hours=hours,
        offerings=offerings.items if offerings else [],
        waiting=waiting.items if waiting else [],
    )


async def own(
    visit: Visit, service: Service, path: str, shape: type[Model], **query: str | int
) -> Model | None:
    """Return something of one's own, or nothing when it is not there yet or its owner is away."""
    try:
        return await visit.try_read(service, path, shape, **query)
    except Refused as refused:
        if refused.problem.status not in NOTHING_YET:
            raise
        return None


async def _profile(visit: Visit) -> tuple[MentorProfile, int]:
    try:
        return await visit.read_versioned(Service.PROFILES, "/v1/me/mentor-profile", MentorProfile)
    except Refused as refused:
        if refused.problem.status not in NOTHING_YET:
            raise
        return MentorProfile(), 0


async def profile_form(visit: Visit) -> web.Response:
    """Show one's mentor profile to write it."""
    (profile, version), tree = await asyncio.gather(_profile(visit), expertise(visit))
    return visit.page(
        "mentor_profile.html",
        profile=profile,
        version=version,
        tree=tree,
        languages=LANGUAGES,
    )


async def save_profile(visit: Visit) -> web.Response:
    """Save the profile; the first time this makes the person a mentor."""
    form = visit.form
    body = {
        "headline": form.text("headline"),
        "story": form.text("story"),
        "expertise": form.many("expertise"),
        "languages": form.many("languages"),
        "years": form.whole("years", least=0, most=YEARS_MOST),
        "industries": form.words("industries"),
    }
    version = form.whole("version", least=0, most=VERSION_MOST)
    path = "/v1/me/mentor-profile"
    await visit.send(Service.PROFILES, "PUT", path, body, version=version)
    if not visit.person.is_a("mentor"):
        # The role stands in the token from now on, so the old token has to go.
        await visit.renew(visit.person.access_token)
    return visit.go("/mentor", "Your profile is saved.")


async def submit(visit: Visit) -> web.Response:
    """Ask for approval."""
    await visit.send(Service.PROFILES, "POST", "/v1/me/mentor-profile/submit")
    return visit.go("/mentor", "Your profile is sent. You get a mail once it has been read.")


async def account(visit: Visit) -> web.Response:
    """Show the state of the account at Stripe in words."""
    found, offerings = await asyncio.gather(
        own(visit, Service.PAYMENTS, "/v1/me/account", Account),
        own(visit, Service.BOOKING, "/v1/me/offerings", Page[Offering]),
    )
    priced = offerings.items if offerings else []
    return visit.page(
        "mentor_account.html",
        account=found,
        countries=COUNTRIES,
        currency=priced[0].currency if priced else "",
    )


async def connect(visit: Visit) -> web.Response:
    """Begin to connect an account with Stripe."""
    here = f"{visit.site.public_url}/mentor/account"
    body = {"country": visit.form.text("country"), "return_url": here, "refresh_url": here}
    await visit.send(Service.PAYMENTS, "POST", "/v1/me/account", body)
    return visit.go("/mentor/account")


async def new_link(visit: Visit) -> web.Response:
    """Ask for a fresh link to Stripe: they work once, and not for long."""
    await visit.send(Service.PAYMENTS, "POST", "/v1/me/account/onboarding-link")
    return visit.go("/mentor/account")


ROUTES: tuple[Row, ...] = (
    see("/mentor", steps),
    see("/mentor/profile", profile_form),
    do("/mentor/profile", save_profile, profile_form),
    do("/mentor/profile/submit", submit, steps),
    see("/mentor/account", account),
    do("/mentor/account", connect, account),
    do("/mentor/account/link", new_link, account),
)
