"""Signing in, staying signed in and signing out; all by the system clock."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.profiles.commands.keys import Keyring
from services.profiles.commands.office import Office
from services.profiles.domain import sign_ins as domain
from services.profiles.domain.accounts import Person, hash_token, new_token, roles_of
from services.profiles.domain.sign_ins import Use
from services.profiles.store import accounts
from services.profiles.store import sign_ins as store
from shared.auth import Principal, sign_access_token
from shared.clock import SystemInstant, system_now
from shared.db import Connection
from shared.ids import new_id


@dataclass(frozen=True)
class SignedIn:
    """What a client keeps: two tokens, and who it acts for."""

    access_token: str
    refresh_token: str
    principal: Principal


async def sign_in(conn: Connection, office: Office, keyring: Keyring, person: Person) -> SignedIn:
    """Begin a family of refresh tokens for somebody whose password was right.

    Raises `SignInRefused` when it was changed meanwhile: a reset ends every sign-in, and none may
    begin with the old password after it.
    """
    current = await accounts.lock_person(conn, person.person_id)
    if current.password_hash != person.password_hash:
        raise domain.SignInRefused
    at = system_now()
    sign_in_id, token = new_id(), new_token()
    await store.add_sign_in(conn, sign_in_id, person.person_id, at, at + domain.SIGN_IN_LIVES)
    await store.add_token(conn, hash_token(token), sign_in_id, at + domain.TOKEN_LIVES)
    return await _signed_in(conn, office, keyring, person, sign_in_id, token)


async def refresh(
    conn: Connection, office: Office, keyring: Keyring, token: str
) -> SignedIn | None:
    """Exchange a refresh token for its successor; None ends it.

    It returns instead of raising so that the end of a family commits.
    """
    at = system_now()
    presented = await store.present(conn, hash_token(token))
    use = presented.use(at) if presented else Use.OVER
    if presented is None or use is Use.OVER:
        return None
    if use is Use.REUSED:
        await store.end_sign_in(conn, presented.sign_in_id, at, "token_reused")
        return None
    successor = domain.successor_of(token, office.secret)
    if use is Use.FIRST:
        await _replace(conn, token, successor, presented.sign_in_id, at)
    person = await accounts.person(conn, presented.person_id)
    return await _signed_in(conn, office, keyring, person, presented.sign_in_id, successor)


async def _replace(
    conn: Connection, token: str, successor: str, sign_in_id: UUID, at: SystemInstant
) -> None:
    await store.use_token(conn, hash_token(token), at)
    await store.add_token(conn, hash_token(successor), sign_in_id, at + domain.TOKEN_LIVES)


async def sign_out(conn: Connection, sign_in_id: UUID) -> None:
    """End one family; its access token still lives out its few minutes."""
    await store.end_sign_in(conn, sign_in_id, system_now(), "signed_out")


async def _signed_in(
    conn: Connection,
    office: Office,
    keyring: Keyring,
    person: Person,
    sign_in_id: UUID,
    token: str,
) -> SignedIn:
    principal = Principal(person.person_id, roles_of(person, office.operator_emails), sign_in_id)
    key = await keyring.signer(conn)
    return SignedIn(sign_access_token(key, principal), token, principal)
