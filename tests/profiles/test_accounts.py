"""Sign-up, proving the address, and forgotten passwords, over HTTP."""

from __future__ import annotations

import asyncio

from services.profiles.api.front import EVEN_SECONDS
from services.profiles.commands.passwords import Passwords, TooBusy
from services.profiles.domain.accounts import LINKS_PER_HOUR
from shared.clock import monotonic_seconds
from shared.contracts.profiles import (
    ContactSealed,
    PersonRegistered,
    PersonSnapshot,
    PersonVerified,
)
from shared.contracts.sealed import Contact
from shared.db import transaction
from shared.republish import Told
from shared.seal import unseal
from tests.profiles.conftest import OPERATOR, PASSWORD, Marketplace


async def test_somebody_signs_up_proves_the_address_and_signs_in(market: Marketplace) -> None:
    """The mailed link proves the address; before it nobody gets in."""
    assert await market.sign_up("Ada@Mentorium.test") == (202, {"status": "check_your_mail"})
    status, refused = await market.call(
        "POST", "/v1/sign-ins", json={"email": "ada@mentorium.test", "password": PASSWORD}
    )
    assert (status, refused["code"]) == (403, "email_unverified")
    token = await market.token("ada@mentorium.test", "verify_email")
    status, proven = await market.verify(token)
    assert status == 200
    person = await market.sign_in("ADA@mentorium.test")
    assert str(person.person_id) == proven["person_id"]
    assert person.roles == ["mentee"]
    status, me = await market.call("GET", "/v1/me", as_=person)
    assert me["name"] == "Ada"
    assert me["mentor_state"] == "none"
    (registered,) = await market.facts(PersonRegistered)
    (verified,) = await market.facts(PersonVerified)
    assert (registered.version, registered.verified) == (1, False)
    assert (verified.version, verified.verified) == (2, True)
    (contact,) = await market.facts(ContactSealed)
    opened = unseal(contact.sealed, market.seal_key, Contact)
    assert (opened.email, opened.zone) == ("ada@mentorium.test", "Europe/Berlin")
    assert opened.version == contact.version == 1


async def test_the_answer_is_the_same_whether_or_not_an_address_exists(market: Marketplace) -> None:
    """Status, body and headers tell nothing; the mail does, and only its owner reads that."""
    await market.person("ada@mentorium.test")
    for path, extra in (
        ("/v1/accounts", {"password": PASSWORD, "name": "Eve"}),
        ("/v1/accounts/verification", {}),
        ("/v1/accounts/password-reset", {}),
    ):
        known = await market.call("POST", path, json={"email": "ada@mentorium.test"} | extra)
        unknown = await market.call("POST", path, json={"email": "nobody@mentorium.test"} | extra)
        assert known == unknown == (202, {"status": "check_your_mail"})
    kinds = [kind for kind, _ in await market.mails("ada@mentorium.test")]
    assert kinds == ["verify_email", "already_registered", "reset_password"]
    (_, told), *_ = [m for m in await market.mails("ada@mentorium.test") if "already" in m[0]]
    assert "token" not in told.link


async def test_the_time_is_the_same_whether_or_not_an_address_exists(market: Marketplace) -> None:
    """Both answers wait for the same instant, and an unknown address costs a hash at sign-in."""
    await market.person("ada@mentorium.test")
    asked: list[float] = []
    for email in ("ada@mentorium.test", "nobody@mentorium.test"):
        began = monotonic_seconds()
        await market.call("POST", "/v1/accounts/password-reset", json={"email": email})
        asked.append(monotonic_seconds() - began)
    assert min(asked) >= EVEN_SECONDS
    passwords = Passwords()
    checked: list[float] = []
    for hashed in (await passwords.hash(PASSWORD), None):
        began = monotonic_seconds()
        for _ in range(5):
            assert not await passwords.matches("a wrong guess", hashed)
        checked.append(monotonic_seconds() - began)
    assert max(checked) < 3 * min(checked)


async def test_a_wrong_password_and_an_unknown_address_get_one_answer(market: Marketplace) -> None:
    """Which of the two was wrong is not said."""
    await market.person("ada@mentorium.test")
    for email, password in (
        ("ada@mentorium.test", "not the password"),
        ("nobody@mentorium.test", PASSWORD),
        ("no address at all", PASSWORD),
    ):
        status, refused = await market.call(
            "POST", "/v1/sign-ins", json={"email": email, "password": password}
        )
        assert (status, refused["code"]) == (401, "sign_in_refused")


async def test_passwords_are_hashed_as_promised(market: Marketplace) -> None:
    """argon2id, 19 MiB, two passes, one lane."""
    await market.sign_up("ada@mentorium.test")
    hashed = await market.pool.fetchval("SELECT password_hash FROM people")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_more_hashes_than_fit_are_refused() -> None:
    """The queue for a hash is bounded: beyond it the answer is to come again."""
    passwords = Passwords(waiting_at_most=2)
    results = await asyncio.gather(
        *(passwords.matches("guess", None) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(result, TooBusy) for result in results) == 3
    assert [result for result in results if not isinstance(result, TooBusy)] == [False, False]


BAD_SIGN_UPS: tuple[tuple[dict[str, str], str, str | None], ...] = (
    ({"email": "nobody"}, "email_unusable", None),
    ({"email": "a@b@c.de"}, "email_unusable", None),
    ({"email": "a\r\nBcc: x@y.de"}, "email_unusable", None),
    ({"password": "short"}, "shape_invalid", "/password"),
    ({"password": "password1234"}, "password_weak", None),
    ({"password": "ada@mentorium.test"}, "password_weak", None),
    ({"name": ""}, "shape_invalid", "/name"),
    ({"name": "A\nB"}, "shape_invalid", "/name"),
    ({"name": "A\u0000B"}, "text_unusable", None),
    ({"zone": "Mars/Olympus"}, "zone_unknown", None),
    ({"zone": "../../etc/passwd"}, "zone_unknown", None),
    ({"locale": "english"}, "shape_invalid", "/locale"),
    ({"wants": "operator"}, "shape_invalid", "/wants"),
    ({"mentor_state": "approved"}, "shape_invalid", "/mentor_state"),
)


async def test_a_bad_sign_up_is_refused_and_changes_nothing(market: Marketplace) -> None:
    """Every bad field gets a stable code; nobody is registered."""
    for changes, code, pointer in BAD_SIGN_UPS:
        status, refused = await market.sign_up(**{"email": "ada@mentorium.test"} | changes)
        assert (status, refused["code"]) == (422, code), changes
        if pointer:
            assert [error["pointer"] for error in refused["errors"]] == [pointer]
    assert await market.pool.fetchval("SELECT count(*) FROM people") == 0
    assert await market.facts() == []


async def test_a_link_proves_once_and_answers_the_same_when_opened_again(
    market: Marketplace,
) -> None:
    """A mail reader that opens links first does no harm."""
    await market.sign_up("ada@mentorium.test")
    token = await market.token("ada@mentorium.test", "verify_email")
    assert await market.verify(token) == await market.verify(token)
    assert len(await market.facts(PersonVerified)) == 1
    status, refused = await market.verify("made up")
    assert (status, refused["code"]) == (404, "link_unusable")


async def test_a_link_that_is_over_proves_nothing(market: Marketplace) -> None:
    """Links end by the system clock."""
    await market.sign_up("ada@mentorium.test")
    await market.pool.execute("UPDATE links SET expires_at = now() - interval '1 second'")
    status, refused = await market.verify(await market.token("ada@mentorium.test", "verify_email"))
    assert (status, refused["code"]) == (404, "link_unusable")
    assert await market.turn("forget_what_is_over") == 1


async def test_nobody_plants_a_password_for_a_stranger(market: Marketplace) -> None:
    """Each sign-up's link brings its own password: the owner of the mailbox gets theirs.

    What somebody else signs up with meanwhile is worth nothing, before and after.
    """
    other = "sable tundra fiddle 38"
    await market.sign_up("ada@mentorium.test")
    owners = await market.token("ada@mentorium.test", "verify_email")
    await market.sign_up("ada@mentorium.test", password=other, name="Mallory")
    assert (await market.verify(owners, other))[0] == 403
    assert (await market.verify(owners))[0] == 200
    assert (await market.sign_in("ada@mentorium.test")).email == "ada@mentorium.test"
    status, _ = await market.call(
        "POST", "/v1/sign-ins", json={"email": "ada@mentorium.test", "password": other}
    )
    assert status == 401
    planted = await market.token("ada@mentorium.test", "verify_email")
    assert (await market.verify(planted))[0] == 403
    assert (await market.verify(planted, other))[0] == 200
    assert (await market.sign_in("ada@mentorium.test")).roles == ["mentee"]
    status, _ = await market.call(
        "POST", "/v1/sign-ins", json={"email": "ada@mentorium.test", "password": other}
    )
    assert status == 401


async def test_a_link_nobody_asked_for_opens_no_account_to_whoever_caused_it(
    market: Marketplace,
) -> None:
    """Pre-hijacking: Mallory signs up with Ada's address, and Ada presses the button in the mail.

    Without Mallory's password nothing happens; the reset link makes the account Ada's alone.
    """
    email, mallorys, adas = (
        "ada@mentorium.test",
        "sable tundra fiddle 38",
        "violet anchor 92 mosaic",
    )
    await market.sign_up(email, password=mallorys, name="Mallory")
    token = await market.token(email, "verify_email")
    for guess in (PASSWORD, "x", mallorys.upper()):
        status, refused = await market.verify(token, guess)
        assert (status, refused["code"]) == (403, "password_mismatch")
    assert await market.pool.fetchval("SELECT verified FROM people") is False
    assert await market.facts(PersonVerified) == []
    status, refused = await market.call(
        "POST", "/v1/sign-ins", json={"email": email, "password": mallorys}
    )
    assert (status, refused["code"]) == (403, "email_unverified")
    await market.call("POST", "/v1/accounts/password-reset", json={"email": email})
    reset = {"token": await market.token(email, "reset_password"), "password": adas}
    path = "/v1/accounts/password-reset/complete"
    assert await market.call("POST", path, json=reset) == (204, None)
    assert (await market.sign_in(email, adas)).email == email
    await market.verify(token, mallorys)
    status, _ = await market.call(
        "POST", "/v1/sign-ins", json={"email": email, "password": mallorys}
    )
    assert status == 401


async def test_a_wrong_password_leaves_the_link_as_it_was(market: Marketplace) -> None:
    """Whoever mistypes it may try again with the same mail."""
    await market.sign_up("ada@mentorium.test")
    token = await market.token("ada@mentorium.test", "verify_email")
    assert (await market.verify(token, "mistyped"))[0] == 403
    assert (await market.verify(token))[0] == 200


async def test_two_sign_ups_at_once_make_one_person(market: Marketplace) -> None:
    """The address is unique however many ask at the same moment."""
    answers = await asyncio.gather(*(market.sign_up("ada@mentorium.test") for _ in range(4)))
    assert {status for status, _ in answers} == {202}
    assert await market.pool.fetchval("SELECT count(*) FROM people") == 1
    assert len(await market.facts(PersonRegistered)) == 1
    versions = [fact.version for fact in await market.facts(ContactSealed)]
    assert versions == [1, 2, 3, 4]


async def test_an_address_is_not_flooded_with_mails(market: Marketplace) -> None:
    """Five links an hour, whoever asks."""
    await market.sign_up("ada@mentorium.test")
    for _ in range(8):
        await market.call("POST", "/v1/accounts/verification", json={"email": "ada@mentorium.test"})
    mails = await market.mails("ada@mentorium.test")
    assert len(mails) == LINKS_PER_HOUR
    assert [fact.version for fact in await market.facts() if hasattr(fact, "message_id")] == [
        1, 2, 3, 4, 5,
    ]  # fmt: skip


async def test_a_forgotten_password_is_set_anew_and_ends_every_sign_in(
    market: Marketplace,
) -> None:
    """The link works once; old refresh tokens and the old password do not any more."""
    ada = await market.person("ada@mentorium.test")
    await market.call("POST", "/v1/accounts/password-reset", json={"email": ada.email})
    token, new = await market.token(ada.email, "reset_password"), "violet anchor mosaic 92"
    path = "/v1/accounts/password-reset/complete"
    status, refused = await market.call("POST", path, json={"token": token, "password": "12345678"})
    assert (status, refused["code"]) == (422, "password_weak")
    assert await market.call("POST", path, json={"token": token, "password": new}) == (204, None)
    status, refused = await market.call("POST", path, json={"token": token, "password": new})
    assert (status, refused["code"]) == (404, "link_unusable")
    status, refused = await market.call(
        "POST", "/v1/sign-ins/refresh", json={"refresh_token": ada.refresh}
    )
    assert (status, refused["code"]) == (401, "sign_in_ended")
    status, _ = await market.call(
        "POST", "/v1/sign-ins", json={"email": ada.email, "password": PASSWORD}
    )
    assert status == 401
    assert (await market.sign_in(ada.email, new)).person_id == ada.person_id


async def test_a_change_of_the_account_is_sealed_for_the_reader_of_contacts(
    market: Marketplace,
) -> None:
    """A newer version replaces the older; a change from an outdated version is refused."""
    ada = await market.person("ada@mentorium.test")
    body = {"name": "Ada L.", "locale": "de", "zone": "Asia/Kolkata"}
    status, me = await market.call("PUT", "/v1/me", as_=ada, version=1, json=body)
    assert (status, me["name"], me["zone"]) == (200, "Ada L.", "Asia/Kolkata")
    status, refused = await market.call("PUT", "/v1/me", as_=ada, version=1, json=body)
    assert (status, refused["code"]) == (412, "version_outdated")
    status, refused = await market.call("PUT", "/v1/me", as_=ada, json=body)
    assert (status, refused["code"]) == (428, "version_missing")
    contacts = [
        unseal(f.sealed, market.seal_key, Contact) for f in await market.facts(ContactSealed)
    ]
    assert [(c.version, c.name, c.locale) for c in contacts] == [
        (1, "Ada", "en"),
        (2, "Ada L.", "de"),
    ]
    status, found = await market.call("GET", f"/v1/people?ids={ada.person_id}", as_=ada)
    assert found == {"items": [{"person_id": str(ada.person_id), "name": "Ada L."}]}
    status, refused = await market.call("GET", "/v1/people?ids=1,2", as_=ada)
    assert (status, refused["code"]) == (422, "shape_invalid")


async def test_nothing_personal_leaves_in_clear(market: Marketplace) -> None:
    """Names, addresses, zones, tokens and hashes never stand in the outbox or among the links."""
    ada = await market.person("ada.lovelace@mentorium.test", "Augusta Byron")
    await market.call("POST", "/v1/accounts/password-reset", json={"email": ada.email})
    body = {"name": "Augusta King", "locale": "de", "zone": "Asia/Kolkata"}
    await market.call("PUT", "/v1/me", as_=ada, version=1, json=body)
    tokens = [mail.link.split("token=")[1] for _, mail in await market.mails(ada.email)]
    rows = await market.pool.fetch("SELECT topic, key, headers::text, value FROM outbox")
    told = "\n".join(f"{row['key']}{row['headers']}{row['value'].decode()}" for row in rows)
    assert len(rows) == 6
    for secret in ("Augusta", "lovelace", "Kolkata", "Berlin", "argon2", *tokens):
        assert secret not in told
    stored = await market.pool.fetch("SELECT l::text AS line FROM links AS l")
    assert not [row for row in stored for token in tokens if token in row["line"]]


async def test_an_operator_is_who_proved_the_address_in_the_settings(market: Marketplace) -> None:
    """Nobody else gets the role, and nobody gets it unproven."""
    operator = await market.person(OPERATOR)
    assert operator.roles == ["mentee", "operator"]
    ada = await market.person("ada@mentorium.test")
    status, refused = await market.call("GET", "/v1/operator/mentors", as_=ada)
    assert (status, refused["code"]) == (403, "role_missing")


async def test_state_is_told_again_for_readers_who_lost_it(market: Marketplace) -> None:
    """Snapshots of people and contacts carry the next versions, in batches with a cursor."""
    for number in range(3):
        await market.sign_up(f"p{number}@mentorium.test")
    people, contacts = (
        market.service.tellers[topic] for topic in ("profiles.people", "profiles.contacts")
    )
    async with transaction(market.pool) as conn:
        assert await people(conn, None, market.clock.now()) == Told(3, None)
        assert await contacts(conn, None, market.clock.now()) == Told(3, None)
    assert [fact.version for fact in await market.facts(PersonSnapshot)] == [2, 2, 2]
    assert [fact.version for fact in await market.facts(ContactSealed)] == [1, 1, 1, 2, 2, 2]
