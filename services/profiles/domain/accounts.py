"""The rules of accounts: addresses, passwords, what is told about a person, and one-time links."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar, cast
from zoneinfo import available_timezones

from email_validator import EmailNotValidError, validate_email

from shared.auth import Role
from shared.clock import SystemInstant
from shared.contracts.profiles import (
    ContactSealed,
    MentorState,
    MessageKind,
    MessageSealed,
    PersonFact,
)
from shared.contracts.sealed import Contact, OneTimeMessage
from shared.errors import Kind, Refusal
from shared.ids import PersonId, new_id
from shared.seal import seal

ZONES = frozenset(available_timezones())
PASSWORD_SCORE = 3
"""The least score of zxcvbn: "safely unguessable", more than 10^8 guesses."""
PASSWORD_JUDGED = 72
"""How many characters are judged: the time zxcvbn takes grows fast with the length."""
TOKEN_BYTES = 32
LINKS_PER_HOUR = 5
"""How many mails with a link one address gets in an hour, whoever asks for them."""
LINK_LIVES: dict[MessageKind, timedelta] = {
    "verify_email": timedelta(hours=24),
    "reset_password": timedelta(hours=1),
    "already_registered": timedelta(hours=1),
}
LINK_PATHS: dict[MessageKind, str] = {
    "verify_email": "/verify?token=",
    "reset_password": "/reset-password?token=",
    "already_registered": "/sign-in",
}

AnyPersonFact = TypeVar("AnyPersonFact", bound=PersonFact)


class EmailUnusable(Refusal):
    """The text is no e-mail address."""

    code = "email_unusable"
    kind = Kind.SHAPE
    detail = "Check the e-mail address."


class PasswordWeak(Refusal):
    """The password is too easy to guess."""

    code = "password_weak"
    kind = Kind.SHAPE
    detail = "Choose a password that is harder to guess: several unusual words make a good one."


class ZoneUnknown(Refusal):
    """The text names no IANA time zone."""

    code = "zone_unknown"
    kind = Kind.SHAPE
    detail = "Send the name of a time zone, for example Europe/Berlin."


class LinkUnusable(Refusal):
    """The link was never sent, was used, or is over."""

    code = "link_unusable"
    kind = Kind.NOT_FOUND
    detail = "Ask for a new link: this one was used already or is too old."


class PasswordMismatch(Refusal):
    """The link is good, but whoever opened it does not know the password of its sign-up."""

    code = "password_mismatch"
    kind = Kind.FORBIDDEN
    detail = "Type the password you signed up with. If you did not sign up, set one of your own."


class EmailUnverified(Refusal):
    """The password is right, but the address is not proven yet."""

    code = "email_unverified"
    kind = Kind.FORBIDDEN
    detail = "Open the link in the mail we sent you, or ask for a new one."


@dataclass(frozen=True)
class Person:
    """An account, with a counter for each kind of fact that is told about it."""

    person_id: PersonId
    email: str
    name: str
    locale: str
    zone: str
    wants: str
    password_hash: str
    verified: bool
    mentor_state: MentorState
    version: int
    contact_version: int
    message_version: int

    def tell(self, kind: type[AnyPersonFact]) -> tuple[Person, AnyPersonFact]:
        """Return the person and a fact that tells the state in full."""
        after = replace(self, version=self.version + 1)
        fact = kind(
            version=after.version,
            person_id=after.person_id,
            verified=after.verified,
            mentor_state=after.mentor_state,
        )
        return after, fact

    def seal_contact(self, public_key: str) -> tuple[Person, ContactSealed]:
        """Return the person and how to reach them, sealed to the holder of the key."""
        after = replace(self, contact_version=self.contact_version + 1)
        contact = Contact(
            person_id=after.person_id,
            version=after.contact_version,
            name=after.name,
            email=after.email,
            locale=after.locale,
            zone=after.zone,
        )
        sealed = seal(contact, public_key)
        return after, ContactSealed(
            version=after.contact_version, person_id=after.person_id, sealed=sealed
        )

    def seal_message(
        self, kind: MessageKind, link: str, expires_at: datetime, public_key: str
    ) -> tuple[Person, MessageSealed]:
        """Return the person and a mail with a secret link, sealed to the holder of the key."""
        after = replace(self, message_version=self.message_version + 1)
        message = OneTimeMessage(
            email=after.email,
            name=after.name,
            locale=after.locale,
            link=link,
            expires_at=expires_at,
        )
        return after, MessageSealed(
            version=after.message_version,
            message_id=new_id(),
            person_id=after.person_id,
            kind=kind,
            sealed=seal(message, public_key),
        )


@dataclass(frozen=True)
class Link:
    """A one-time link as it was sent; instants are system time."""

    person_id: PersonId
    kind: MessageKind
    password_hash: str | None
    expires_at: datetime
    used_at: datetime | None

    def check(self, now: SystemInstant) -> None:
        """Raise `LinkUnusable` when it is over or was used."""
        if self.used_at or now >= self.expires_at:
            raise LinkUnusable


def new_token() -> str:
    """Return a fresh secret for a link or a refresh token: 32 random bytes."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> bytes:
    """Return what is stored of a token; 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def link_to(web_url: str, kind: MessageKind, token: str) -> str:
    """Return the address in a mail; the one that only informs carries no token."""
    secret = "" if kind == "already_registered" else token
    return f"{web_url.rstrip('/')}{LINK_PATHS[kind]}{secret}"


def normal_email(text: str, *, allow_test: bool) -> str:
    """Return the one form an address is kept in; raises `EmailUnusable`.

    `allow_test` also takes addresses under .test (RFC 6761), which reach nobody.
    """
    try:
        checked = validate_email(text, check_deliverability=False, test_environment=allow_test)
    except EmailNotValidError:
        raise EmailUnusable from None
    return checked.normalized.lower()


def check_password(password: str, known_words: tuple[str, ...]) -> None:
    """Raise `PasswordWeak` for a password that can be guessed, also from the person's own words."""
    from zxcvbn import zxcvbn  # Its lists of words weigh 13 MB, and most processes judge none.

    judged = cast(
        "dict[str, object]", zxcvbn(password[:PASSWORD_JUDGED], user_inputs=list(known_words))
    )
    score = judged["score"]
    if not isinstance(score, int) or score < PASSWORD_SCORE:
        raise PasswordWeak


def check_zone(zone: str) -> None:
    """Raise `ZoneUnknown` unless it is a zone of the IANA database."""
    if zone not in ZONES:
        raise ZoneUnknown


def roles_of(person: Person, operator_emails: frozenset[str]) -> frozenset[Role]:
    """Return what a person may act as now; an operator must have proven the address."""
    roles = {Role.MENTEE}
    if person.mentor_state != "none":
        roles.add(Role.MENTOR)
    if person.verified and person.email in operator_emails:
        roles.add(Role.OPERATOR)
    return frozenset(roles)
