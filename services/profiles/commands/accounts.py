"""Sign-up, proving the address, forgotten passwords, and what a person says about themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from services.profiles.commands.mentors import index
from services.profiles.commands.office import Office
from services.profiles.domain import accounts as domain
from services.profiles.domain.accounts import Link, LinkUnusable, Person
from services.profiles.store import accounts as store
from services.profiles.store import sign_ins
from shared.clock import BusinessInstant, system_now
from shared.contracts.profiles import (
    MessageKind,
    MessageSealed,
    PersonRegistered,
    PersonSnapshot,
    PersonVerified,
)
from shared.db import Connection
from shared.ids import PersonId, new_id
from shared.republish import Told
from shared.web.api import VersionOutdated

REPUBLISH_BATCH = 200


@dataclass(frozen=True)
class SignUp:
    """What somebody signs up with, checked and hashed."""

    email: str
    name: str
    locale: str
    zone: str
    wants: str
    password_hash: str

    def person(self) -> Person:
        """Return the account of somebody new."""
        return Person(
            person_id=PersonId(new_id()),
            email=self.email,
            name=self.name,
            locale=self.locale,
            zone=self.zone,
            wants=self.wants,
            password_hash=self.password_hash,
            verified=False,
            mentor_state="none",
            version=0,
            contact_version=0,
            message_version=0,
        )


async def sign_up(
    conn: Connection, office: Office, wanted: SignUp, *, now: BusinessInstant
) -> PersonId:
    """Register somebody and mail a link; whoever has a proven address is told of the attempt.

    An address that nobody proved yet can be signed up again: the link of each sign-up brings its
    own password, and proves the address only together with it. So nobody can plant a password for
    a stranger, who may well press the button of a mail they did not ask for.
    """
    person = wanted.person()
    if await store.add_person(conn, person, now):
        person, registered = person.tell(PersonRegistered)
        await _greet(conn, office, person, registered, now=now)
        return person.person_id
    known = await store.lock_person_by_email(conn, wanted.email)
    if known is None:
        raise LinkUnusable  # Erased between the two statements: sign up again.
    if known.verified:
        await _send_link(conn, office, known, "already_registered", now=now)
    else:
        again = replace(
            known,
            name=wanted.name,
            locale=wanted.locale,
            zone=wanted.zone,
            wants=wanted.wants,
            password_hash=wanted.password_hash,
        )
        await _greet(conn, office, again, now=now)
    return known.person_id


async def _greet(
    conn: Connection, office: Office, person: Person, *facts: PersonRegistered, now: BusinessInstant
) -> None:
    person, contact = person.seal_contact(office.seal_public_key)
    await office.save(conn, person, *facts, contact, now=now)
    await _send_link(conn, office, person, "verify_email", now=now)


async def send_verification(
    conn: Connection, office: Office, email: str, *, now: BusinessInstant
) -> None:
    """Mail another link to prove an address; nothing happens for a proven or unknown one."""
    person = await store.lock_person_by_email(conn, email)
    if person and not person.verified:
        await _send_link(conn, office, person, "verify_email", now=now)


async def send_password_reset(
    conn: Connection, office: Office, email: str, *, now: BusinessInstant
) -> None:
    """Mail a link to set a new password; nothing happens for an unknown address."""
    person = await store.lock_person_by_email(conn, email)
    if person:
        await _send_link(conn, office, person, "reset_password", now=now)


async def _send_link(
    conn: Connection, office: Office, person: Person, kind: MessageKind, *, now: BusinessInstant
) -> None:
    at = system_now()
    sent = await store.links_since(conn, person.person_id, at - timedelta(hours=1))
    if sent >= domain.LINKS_PER_HOUR:
        return
    token = domain.new_token()
    link = Link(
        person_id=person.person_id,
        kind=kind,
        password_hash=person.password_hash if kind == "verify_email" else None,
        expires_at=at + domain.LINK_LIVES[kind],
        used_at=None,
    )
    await store.add_link(conn, domain.hash_token(token), link, at)
    person, message = _message(office, person, link, token)
    await office.save(conn, person, message, now=now)


def _message(
    office: Office, person: Person, link: Link, token: str
) -> tuple[Person, MessageSealed]:
    address = domain.link_to(office.web_url, link.kind, token)
    return person.seal_message(link.kind, address, link.expires_at, office.seal_public_key)


async def verify(conn: Connection, office: Office, token: str, *, now: BusinessInstant) -> PersonId:
    """Prove an address by the mailed link, again with the same answer; raises `LinkUnusable`.

    The password of the link's sign-up has been checked before, outside of any transaction.
    """
    link = await store.lock_link(conn, domain.hash_token(token), "verify_email")
    if link is None:
        raise LinkUnusable
    person = await store.lock_person(conn, link.person_id)
    if person.verified and link.used_at:
        return person.person_id
    link.check(system_now())
    await store.use_links(conn, person.person_id, "verify_email", system_now())
    if link.password_hash:
        person = replace(person, password_hash=link.password_hash)
    await prove_address(conn, office, person, now=now)
    return person.person_id


async def prove_address(
    conn: Connection, office: Office, person: Person, *, now: BusinessInstant
) -> None:
    """Mark the address of a locked person as proven, and announce it the first time."""
    if person.verified:
        await store.save_person(conn, person)
        return
    proven, fact = replace(person, verified=True).tell(PersonVerified)
    await office.save(conn, proven, fact, now=now)


async def complete_password_reset(
    conn: Connection, office: Office, token: str, password_hash: str, *, now: BusinessInstant
) -> None:
    """Set a new password by the mailed link and end every sign-in; raises `LinkUnusable`.

    Whoever opened the link has the address, so it is proven too.
    """
    at = system_now()
    link = await store.lock_link(conn, domain.hash_token(token), "reset_password")
    if link is None:
        raise LinkUnusable
    link.check(at)
    person = await store.lock_person(conn, link.person_id)
    for kind in ("reset_password", "verify_email"):
        await store.use_links(conn, person.person_id, kind, at)
    await sign_ins.end_sign_ins_of(conn, person.person_id, at, "password_reset")
    await prove_address(conn, office, replace(person, password_hash=password_hash), now=now)


async def change_person(
    conn: Connection,
    office: Office,
    person_id: PersonId,
    wanted: tuple[str, str, str],
    *,
    seen_version: int,
    now: BusinessInstant,
) -> Person:
    """Change name, locale and zone; raises `VersionOutdated` and `ZoneUnknown`."""
    name, locale, zone = wanted
    domain.check_zone(zone)
    person = await store.lock_person(conn, person_id)
    if person.contact_version != seen_version:
        raise VersionOutdated
    changed = replace(person, name=name, locale=locale, zone=zone)
    if changed == person:
        return person
    changed, contact = changed.seal_contact(office.seal_public_key)
    await office.save(conn, changed, contact, now=now)
    if changed.name != person.name and changed.mentor_state != "none":
        await index(conn, changed)
    return changed


async def republish_people(
    conn: Connection, office: Office, cursor: str | None, *, now: BusinessInstant
) -> Told:
    """Tell the state of the next people again, as snapshots."""
    people = await store.lock_people_after(conn, _after(cursor), REPUBLISH_BATCH)
    for person in people:
        told, snapshot = person.tell(PersonSnapshot)
        await office.save(conn, told, snapshot, now=now)
    return _told(people)


async def republish_contacts(
    conn: Connection, office: Office, cursor: str | None, *, now: BusinessInstant
) -> Told:
    """Seal the contacts of the next people again, for a reader that lost its projection."""
    people = await store.lock_people_after(conn, _after(cursor), REPUBLISH_BATCH)
    for person in people:
        told, contact = person.seal_contact(office.seal_public_key)
        await office.save(conn, told, contact, now=now)
    return _told(people)


def _after(cursor: str | None) -> UUID | None:
    return UUID(cursor) if cursor else None


def _told(people: Sequence[Person]) -> Told:
    full = len(people) == REPUBLISH_BATCH
    return Told(len(people), str(people[-1].person_id) if full else None)
