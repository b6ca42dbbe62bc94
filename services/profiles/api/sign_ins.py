"""Signing in, refreshing, signing out; a refusal is raised after what it ended has committed."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from services.profiles.api.accounts import Password
from services.profiles.api.front import Email, api, desk
from services.profiles.commands import sign_ins as commands
from services.profiles.commands.passwords import TooBusy
from services.profiles.commands.sign_ins import SignedIn
from services.profiles.domain.accounts import (
    EmailUnusable,
    EmailUnverified,
    Person,
    normal_email,
)
from services.profiles.domain.sign_ins import SignInEnded, SignInRefused, guessed_at
from services.profiles.store import accounts as store
from shared.auth import ACCESS_SECONDS
from shared.db import Connection, connection, in_transaction
from shared.limits import SIGN_IN_FAILURES, SIGN_IN_PER_ADDRESS
from shared.web import ANYONE, Body, Call, View


class SignInBody(Body):
    """Who somebody says to be."""

    email: Email
    password: Password


class RefreshBody(Body):
    """The refresh token of the last answer."""

    refresh_token: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SignedInView(View):
    """Two tokens: one to show with every request, one to exchange for the next two."""

    access_token: str
    refresh_token: str
    expires_in: int
    person_id: UUID
    roles: list[str]


@api.post(
    "/v1/sign-ins",
    may=ANYONE,
    limit=SIGN_IN_PER_ADDRESS,
    refusals=(SignInRefused, EmailUnverified, TooBusy),
)
async def sign_in(call: Call, body: SignInBody) -> SignedInView:
    """Sign in with address and password; after many wrong ones, from anywhere, only slowly."""
    email = _normal(call, body.email)
    person = await _checked(call, email, body.password)
    if not person.verified:
        raise EmailUnverified
    office, keyring = desk(call).office, desk(call).keyring
    return _view(
        await in_transaction(
            call.pool, lambda conn: commands.sign_in(conn, office, keyring, person)
        )
    )


def _normal(call: Call, address: str) -> str:
    try:
        return normal_email(address, allow_test=desk(call).office.allow_test_addresses)
    except EmailUnusable:
        raise SignInRefused from None


async def _checked(call: Call, email: str, password: str) -> Person:
    """Return whose password it is; wrong ones are counted also for addresses nobody has.

    Counted before the look at the password, so that guesses made at once are no cheaper.
    """
    limiter, guessed = desk(call).limiter, guessed_at(email)
    await limiter.spend(SIGN_IN_FAILURES, guessed)
    async with connection(call.pool) as conn:
        person = await store.person_by_email(conn, email)
    hashed = person.password_hash if person else None
    try:
        right = await desk(call).passwords.matches(password, hashed)
    except TooBusy:
        await limiter.give_back(SIGN_IN_FAILURES, guessed)
        raise
    if not right or person is None:
        raise SignInRefused
    await limiter.give_back(SIGN_IN_FAILURES, guessed)
    return person


@api.post("/v1/sign-ins/refresh", may=ANYONE, status=200, refusals=(SignInEnded,))
async def refresh(call: Call, body: RefreshBody) -> SignedInView:
    """Exchange a refresh token; within 10 seconds the same one gives the same successor."""
    office, keyring = desk(call).office, desk(call).keyring
    signed_in = await in_transaction(
        call.pool, lambda conn: commands.refresh(conn, office, keyring, body.refresh_token)
    )
    if signed_in is None:
        raise SignInEnded
    return _view(signed_in)


@api.delete("/v1/sign-ins/current")
async def sign_out(call: Call, conn: Connection) -> None:
    """Sign out: the refresh token of this sign-in is worth nothing any more."""
    await commands.sign_out(conn, call.who.sign_in_id)


def _view(signed_in: SignedIn) -> SignedInView:
    return SignedInView(
        access_token=signed_in.access_token,
        refresh_token=signed_in.refresh_token,
        expires_in=ACCESS_SECONDS,
        person_id=signed_in.principal.person_id,
        roles=sorted(role.value for role in signed_in.principal.roles),
    )
