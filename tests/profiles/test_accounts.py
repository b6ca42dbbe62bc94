"""Sign-up, proving the address, and forgotten passwords, over HTTP."""

from __future__ import annotations

from shared.contracts.profiles import ContactSealed, PersonRegistered, PersonVerified
from shared.contracts.sealed import Contact
from shared.seal import unseal
from tests.profiles.conftest import PASSWORD, Marketplace


async def test_somebody_signs_up_proves_the_address_and_signs_in(market: Marketplace) -> None:
    """The mailed link proves the address; before it nobody gets in."""
    assert await market.sign_up("Ada@Mentorium.test") == (202, {"status": "check_your_mail"})
    status, refused = await market.call(
        "POST", "/v1/sign-ins", json={"email": "ada@mentorium.test", "password": PASSWORD}
    )
    assert (status, refused["code"]) == (403, "email_unverified")
    token = await market.token("ada@mentorium.test", "verify_email")
    status, proven = await market.call("POST", "/v1/accounts/verify", json={"token": token})
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
