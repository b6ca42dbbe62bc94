"""Personal data: unsealed on hearing, kept by version, and gone for ever once erased."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared.contracts import profiles
from shared.contracts import sealed as contents
from shared.ids import new_id
from shared.seal import new_seal_key, public_half, seal
from tests.notifications.conftest import NOW, Marketplace, contact, one_time

LINK = "https://mentorium.test/verify?token=s3cr3t-t0ken"
EVERY_TEXT = """
SELECT string_agg(o::text, ' ') FROM (
    SELECT headers::text || coalesce(convert_from(value, 'UTF8'), '') AS o FROM outbox
    UNION ALL SELECT headers::text || coalesce(convert_from(value, 'UTF8'), '')
        || coalesce(error, '') FROM kept_events
) AS all_of_it
"""


async def names(market: Marketplace) -> list[str | None]:
    rows = await market.pool.fetch("SELECT name FROM contacts ORDER BY person_id")
    return [row["name"] for row in rows]


async def test_a_sealed_contact_is_opened_and_kept(market: Marketplace):
    """How to reach a person is readable here and nowhere on the way."""
    fact = contact(market.mentee, "Tom", "tom@example.test", "de", "Asia/Kathmandu")
    assert "tom@example.test" not in fact.model_dump_json()
    assert await market.hear(fact) == "handled"
    row = await market.pool.fetchrow("SELECT name, email, locale, zone FROM contacts")
    assert row is not None
    assert tuple(row) == ("Tom", "tom@example.test", "de", "Asia/Kathmandu")


async def test_a_late_older_contact_is_refused(market: Marketplace):
    """What a person changed last holds, in whatever order it arrives."""
    await market.hear(contact(market.mentee, "New Name", version=3))
    assert await market.hear(contact(market.mentee, "Old Name", version=2)) == "handled"
    assert await names(market) == ["New Name"]


async def test_an_erased_person_stays_erased(market: Marketplace):
    """After the tombstone no later and no late contact revives a person."""
    await market.hear(contact(market.mentee, version=1))
    await market.hear(profiles.ContactErased(version=2, person_id=market.mentee))
    for late in (1, 9):
        assert await market.hear(contact(market.mentee, version=late)) == "handled"
    row = await market.pool.fetchrow("SELECT name, email, locale, zone, erased FROM contacts")
    assert row is not None
    assert tuple(row) == (None, None, None, None, True)


async def test_a_tombstone_alone_marks_a_person(market: Marketplace):
    """Compaction may leave only the tombstone; a duplicate of the contact comes to nothing."""
    await market.hear(profiles.ContactErased(version=2, person_id=market.mentee))
    await market.hear(contact(market.mentee, version=1))
    assert await names(market) == [None]


async def test_an_erased_person_gets_nothing_more(market: Marketplace):
    """Planned mail is skipped and its secret deleted; the other side reads no name."""
    await market.meet()
    await market.confirm()
    await market.hear(one_time(market.mentee, LINK))
    await market.hear(profiles.ContactErased(version=2, person_id=market.mentee))
    await market.work()
    assert market.mailbox.to("tom@example.test") == []
    assert market.mailbox.to("ann@example.test") == []
    assert await market.pool.fetchval("SELECT count(*) FROM messages WHERE sealed <> ''") == 0
    (mail,) = market.mailbox.to("mia@example.test")
    assert mail["Subject"] == "Confirmed: Career talk with your mentee"


async def test_what_cannot_be_unsealed_is_a_dead_letter_without_content(market: Marketplace):
    """A contact sealed for another key is parked, and its error tells nothing."""
    content = contents.Contact(
        person_id=market.mentee, version=1, name="Tom", email="tom@x.test", locale="en", zone="UTC"
    )
    foreign = seal(content, public_half(new_seal_key()))
    fact = profiles.ContactSealed(version=1, person_id=market.mentee, sealed=foreign)
    assert await market.hear(fact) == "parked"
    kept = str(await market.pool.fetchval("SELECT error FROM kept_events"))
    assert "SealBroken" in kept
    assert "tom" not in kept.lower()


async def test_nobody_can_slip_in_a_contact_under_another_id(market: Marketplace):
    """A contact whose sealed id is another person's is refused."""
    sealed = contact(market.mentor).sealed
    fact = profiles.ContactSealed(version=1, person_id=market.mentee, sealed=sealed)
    assert await market.hear(fact) == "parked"
    assert await names(market) == []


async def test_a_one_time_message_goes_out_at_once_and_its_link_is_deleted(market: Marketplace):
    """The link is stored sealed, opened to be sent, and gone afterwards."""
    await market.hear(one_time(market.mentee, LINK))
    stored = str(await market.pool.fetchval("SELECT sealed FROM messages"))
    assert stored
    assert "s3cr3t" not in stored
    await market.work()
    (mail,) = market.mailbox.mails
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert LINK in text.get_content()
    assert LINK in html.get_content()
    assert await market.pool.fetchval("SELECT sealed FROM messages") is None
    assert await market.states("verify_email") == [("sent", None)]
    assert await market.states("verify_email", "feed") == []


async def test_a_one_time_message_whose_link_is_over_is_not_sent(market: Marketplace):
    """A link that no longer works is worth no mail."""
    over = datetime.now(UTC) - timedelta(seconds=1)
    await market.hear(one_time(market.mentee, LINK, expires_at=over))
    await market.work()
    assert market.mailbox.mails == []
    assert await market.states("verify_email") == [("skipped", "link_expired")]


async def test_a_one_time_message_with_a_broken_seal_fails_alone(market: Marketplace):
    """Nobody else's mail waits for one that cannot be opened."""
    broken = one_time(market.mentee, LINK).model_copy(update={"sealed": "no.jwe.at.all.x"})
    await market.hear(broken)
    await market.hear(one_time(market.mentor, LINK, kind="reset_password"))
    await market.work()
    assert await market.states("verify_email") == [("failed", "seal_broken")]
    assert await market.states("reset_password") == [("sent", None)]


async def test_nothing_personal_leaves_in_facts_or_logs(
    market: Marketplace, capfd: pytest.CaptureFixture[str]
):
    """Outbox, kept events and logs name ids, never people, addresses, links or tokens."""
    await market.meet()
    await market.hear(market.paid())
    await market.confirm()
    await market.hear(one_time(market.mentee, LINK))
    market.mailbox.refusals = ["550 no such user tom@example.test", "451 later, ann@example.test"]
    await market.work()
    await market.leases_end()
    await market.work()
    told = str(await market.pool.fetchval(EVERY_TEXT))
    assert "MessageSent" in told
    captured = capfd.readouterr()
    assert "letter_sent" in captured.out
    for place in (told, captured.out, captured.err):
        for secret in ("example.test", "Mia", "Tom", "Ann", "s3cr3t", "Kathmandu", "verify?"):
            assert secret not in place


async def test_mail_waits_for_the_contact_and_stands_in_nobodys_way(market: Marketplace):
    """Who is not known yet gets their mail later; others are served meanwhile."""
    await market.hear(contact(market.mentor, "Mia", "mia@example.test"))
    await market.confirm()
    await market.work()
    assert len(market.mailbox.to("mia@example.test")) == 1
    assert await market.pool.fetchval("SELECT count(*) FROM due WHERE due_at <= $1", NOW) == 0
    await market.hear(contact(market.mentee, "Tom", "tom@example.test"))
    await market.work()
    assert len(market.mailbox.to("tom@example.test")) == 1


async def test_many_waiting_messages_do_not_hide_the_others(market: Marketplace):
    """More messages without a contact than a batch holds leave the batch to those with one."""
    for _ in range(25):
        person = new_id()
        fact = profiles.MentorApproved(
            version=1, person_id=person, verified=True, mentor_state="approved"
        )
        await market.hear(fact, at=NOW - timedelta(hours=1))
    await market.meet()
    await market.confirm()
    await market.work()
    assert len(market.mailbox.mails) == 2
