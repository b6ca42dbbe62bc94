"""Sign-up, proving the address, forgotten passwords: the same answer whoever exists."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import StringConstraints

from services.profiles.api.front import Email, Locale, Name, Zone, api, desk, even_timing
from services.profiles.commands import accounts as commands
from services.profiles.commands.accounts import SignUp
from services.profiles.commands.passwords import TooBusy
from services.profiles.domain.accounts import (
    EmailUnusable,
    Link,
    LinkUnusable,
    PasswordMismatch,
    PasswordWeak,
    ZoneUnknown,
    check_zone,
    hash_token,
    normal_email,
)
from services.profiles.store import accounts as store
from shared.db import connection, in_transaction
from shared.limits import SIGN_IN_PER_ADDRESS, SIGN_UP_PER_ADDRESS
from shared.web import ANYONE, Body, Call, View

PASSWORD_LONGEST = 128

Password = Annotated[str, StringConstraints(min_length=1, max_length=PASSWORD_LONGEST)]
NewPassword = Annotated[str, StringConstraints(min_length=8, max_length=PASSWORD_LONGEST)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SignUpBody(Body):
    """What somebody signs up with."""

    email: Email
    password: NewPassword
    name: Name
    locale: Locale = "en"
    zone: Zone = "UTC"
    wants: Literal["mentee", "mentor", "both"] = "mentee"


class AddressBody(Body):
    """An address to mail something to."""

    email: Email


class VerifyBody(Body):
    """The token of a mailed link, and the password of the sign-up that the link was mailed for."""

    token: Token
    password: Password


class NewPasswordBody(Body):
    """The token of a mailed link, and the password from now on."""

    token: Token
    password: NewPassword


class MailView(View):
    """The same for every address."""

    status: Literal["check_your_mail"] = "check_your_mail"


class VerifiedView(View):
    """Whose address is proven."""

    person_id: UUID


@api.post(
    "/v1/accounts",
    may=ANYONE,
    status=202,
    limit=SIGN_UP_PER_ADDRESS,
    refusals=(EmailUnusable, PasswordWeak, ZoneUnknown, TooBusy),
)
async def create_account(call: Call, body: SignUpBody) -> MailView:
    """Sign up; a mail says how to go on, also when the address has an account already."""
    office, passwords = desk(call).office, desk(call).passwords
    email = normal_email(body.email, allow_test=office.allow_test_addresses)
    check_zone(body.zone)
    hashed = await passwords.hash(body.password, (email, body.name))
    wanted = SignUp(email, body.name, body.locale, body.zone, body.wants, hashed)
    async with even_timing():
        await in_transaction(
            call.pool, lambda conn: commands.sign_up(conn, office, wanted, now=call.now)
        )
    return MailView()


@api.post(
    "/v1/accounts/verify",
    may=ANYONE,
    status=200,
    limit=SIGN_IN_PER_ADDRESS,
    refusals=(LinkUnusable, PasswordMismatch, TooBusy),
)
async def verify_account(call: Call, body: VerifyBody) -> VerifiedView:
    """Prove the address: with the mailed link's token, and the password chosen at its sign-up.

    The token says that somebody reads the mailbox, the password that they are who signed up.
    """
    office, link = desk(call).office, await _link(call, body.token)
    if not await desk(call).passwords.matches(body.password, link.password_hash):
        raise PasswordMismatch
    person_id = await in_transaction(
        call.pool, lambda conn: commands.verify(conn, office, body.token, now=call.now)
    )
    return VerifiedView(person_id=person_id)


async def _link(call: Call, token: str) -> Link:
    async with connection(call.pool) as conn:
        link = await store.link(conn, hash_token(token), "verify_email")
    if link is None:
        raise LinkUnusable
    return link


@api.post(
    "/v1/accounts/verification",
    may=ANYONE,
    status=202,
    limit=SIGN_UP_PER_ADDRESS,
    refusals=(EmailUnusable,),
)
async def resend_verification(call: Call, body: AddressBody) -> MailView:
    """Mail another link to prove the address."""
    office = desk(call).office
    email = normal_email(body.email, allow_test=office.allow_test_addresses)
    async with even_timing():
        await in_transaction(
            call.pool, lambda conn: commands.send_verification(conn, office, email, now=call.now)
        )
    return MailView()


@api.post(
    "/v1/accounts/password-reset",
    may=ANYONE,
    status=202,
    limit=SIGN_UP_PER_ADDRESS,
    refusals=(EmailUnusable,),
)
async def ask_password_reset(call: Call, body: AddressBody) -> MailView:
    """Mail a link with which to set a new password."""
    office = desk(call).office
    email = normal_email(body.email, allow_test=office.allow_test_addresses)
    async with even_timing():
        await in_transaction(
            call.pool, lambda conn: commands.send_password_reset(conn, office, email, now=call.now)
        )
    return MailView()


@api.post(
    "/v1/accounts/password-reset/complete",
    may=ANYONE,
    status=204,
    limit=SIGN_UP_PER_ADDRESS,
    refusals=(LinkUnusable, PasswordWeak, TooBusy),
)
async def complete_password_reset(call: Call, body: NewPasswordBody) -> None:
    """Set a new password with the token of the mailed link; ends every sign-in."""
    office = desk(call).office
    hashed = await desk(call).passwords.hash(body.password)
    await in_transaction(
        call.pool,
        lambda conn: commands.complete_password_reset(
            conn, office, body.token, hashed, now=call.now
        ),
    )
