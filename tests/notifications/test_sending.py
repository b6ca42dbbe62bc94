"""Handing over: once per cause, at its time, from the present state, through every outage."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.notifications.commands import sending
from services.notifications.commands.sending import LEASE_SECONDS
from services.notifications.domain.letters import compose
from services.notifications.gateway import HAND_OVER_SECONDS
from shared.contracts import payments, profiles
from shared.db import in_transaction, transaction
from shared.ids import new_id
from tests.notifications.conftest import (
    STARTS,
    Marketplace,
    contact,
    eventually,
    open_secret,
)

DAY, HOUR = timedelta(hours=24), timedelta(hours=1)
SENT_FACTS = "SELECT count(*) FROM outbox WHERE topic = 'notifications.messages'"


async def test_a_confirmed_session_is_told_to_both_and_reminded_twice(market: Marketplace):
    """Both sides get the confirmation now and reminders a day and an hour before."""
    await market.meet()
    await market.confirm()
    await market.work()
    assert sorted(market.mailbox.subjects) == [
        "Confirmed: Career talk with Mia Mentor",
        "Confirmed: Career talk with Tom Mentee",
    ]
    assert await market.due() == [
        *[("feed:reminder_day", STARTS - DAY)] * 2,
        *[("mail:reminder_day", STARTS - DAY)] * 2,
        *[("feed:reminder_hour", STARTS - HOUR)] * 2,
        *[("mail:reminder_hour", STARTS - HOUR)] * 2,
    ]
    await market.advance_to(STARTS - DAY - timedelta(microseconds=1))
    assert len(market.mailbox.mails) == 2
    await market.advance_to(STARTS - DAY)
    assert len(market.mailbox.mails) == 4
    await market.advance_to(STARTS - HOUR)
    assert len(market.mailbox.mails) == 6
    assert await market.due() == []


async def test_a_cancelled_session_sends_no_reminder(market: Marketplace):
    """Reminders are composed from the present state: they find the session cancelled."""
    await market.meet()
    await market.confirm()
    await market.work()
    await market.hear(market.cancelled())
    await market.work()
    sent = len(market.mailbox.mails)
    await market.advance_to(STARTS)
    assert len(market.mailbox.mails) == sent
    assert await market.states("reminder_day") == [("skipped", "session_cancelled")] * 2
    assert await market.states("reminder_hour", "feed") == [("skipped", "session_cancelled")] * 2


async def test_a_session_booked_late_gets_only_the_reminders_still_ahead(market: Marketplace):
    """Five hours before the start only the last reminder makes sense."""
    market.clock.instant = STARTS - timedelta(hours=5)
    await market.confirm()
    assert await market.states("reminder_day") == []
    assert await market.states("reminder_hour") == [("planned", None)] * 2


async def test_reminders_that_come_too_late_are_not_sent(market: Marketplace):
    """After an outage the earlier reminder yields to the later, and a begun session to none."""
    await market.meet()
    await market.confirm()
    await market.work()
    await market.advance_to(STARTS - HOUR)
    assert await market.states("reminder_day") == [("skipped", "next_reminder_due")] * 2
    assert await market.states("reminder_hour") == [("sent", None)] * 2


async def test_no_reminder_once_the_session_began(market: Marketplace):
    """At the start itself it is too late to remind."""
    await market.meet()
    await market.confirm()
    await market.work()
    await market.advance_to(STARTS)
    assert await market.states("reminder_hour") == [("skipped", "session_begun")] * 2


async def test_the_same_happening_told_five_times_is_one_mail(market: Marketplace):
    """At most once per cause, person and channel, also in envelopes with new ids."""
    await market.meet()
    await market.hear(market.held())
    approved = profiles.MentorApproved(
        version=4, person_id=market.mentor, verified=True, mentor_state="approved"
    )
    for _ in range(5):
        for fact in (market.confirmed(), market.paid(), approved):
            await market.hear(fact)
        await market.work()
    assert sorted(market.mailbox.subjects) == [
        "Confirmed: Career talk with Mia Mentor",
        "Confirmed: Career talk with Tom Mentee",
        "Receipt: $120.00 for Career talk",
        "You are a mentor now",
    ]
    assert await market.pool.fetchval(SENT_FACTS) == 4


async def test_two_workers_at_once_send_each_mail_once(market: Marketplace):
    """Replicas of the worker share the work without doing it twice."""
    for _ in range(30):
        person = new_id()
        await market.hear(contact(person, email=f"{person}@example.test"))
        fact = payments.PayoutPaid(
            version=1, mentor_id=person, stripe_payout_id="po_1", amount_minor=1, currency="JPY"
        )
        await market.hear(fact)
    await asyncio.gather(*(market.work() for _ in range(3)))
    assert len(market.mailbox.recipients) == 30
    assert len(set(market.mailbox.recipients)) == 30


async def test_payment_heard_before_the_order_waits_for_it(market: Marketplace):
    """Topics are heard in any order: the receipt comes once the order is known."""
    await market.meet()
    assert await market.hear(market.paid()) == "deferred"
    refund = payments.RefundIssued(
        **market.money(3),
        refund_id=new_id(),
        amount_minor=6_000,
        currency="USD",
        reason="cancelled",
    )
    assert await market.hear(refund) == "behind"
    await market.hear(market.held())
    await market.work()
    assert sorted(market.mailbox.subjects) == [
        "$60.00 is on its way back to you",
        "Receipt: $120.00 for Career talk",
    ]


async def test_each_failed_refund_is_told_once(market: Marketplace):
    """The mentee reads that the bank sent it back; a second attempt that fails is news again."""
    await market.meet()
    await market.hear(market.held())
    for version in (3, 4, 4):
        await market.hear(
            payments.RefundFailed(
                **market.money(version), refund_id=new_id(), amount_minor=6_000, currency="USD"
            )
        )
    await market.work()
    assert market.mailbox.subjects == ["Your bank sent $60.00 back to us"] * 2
    assert set(market.mailbox.recipients) == {"tom@example.test"}


async def test_mail_is_the_same_in_whatever_order_the_topics_are_heard(market: Marketplace):
    """Contacts last, payments first: in the end everybody got everything."""
    await market.hear(market.paid())
    await market.confirm()
    await market.hear(market.completed())
    await market.meet()
    await market.work()
    assert sorted(market.mailbox.subjects) == [
        "How was Career talk with Mia Mentor?",
        "How was Career talk with Tom Mentee?",
        "Receipt: $120.00 for Career talk",
    ]
    # The confirmation was no news any more when the readers became known.
    assert await market.states("session_confirmed") == [("skipped", "session_completed")] * 2


async def test_an_older_fact_about_an_order_changes_nothing(market: Marketplace):
    """A confirmation told again after the cancellation does not revive the session."""
    await market.meet()
    await market.confirm()
    await market.hear(market.cancelled(version=3))
    await market.hear(market.confirmed(version=2))
    assert await market.pool.fetchval("SELECT state FROM sessions") == "cancelled"


async def test_a_mail_server_that_is_away_delays_mail_and_loses_none(market: Marketplace):
    """Nobody listens, then somebody does: the mail goes out by itself."""
    await market.mailbox.stop()
    await market.meet()
    await market.confirm()
    await market.work()
    assert await market.states("session_confirmed") == [("planned", "SMTPConnectError")] * 2
    await market.mailbox.start()

    async def both_told() -> bool:
        await market.postman.send_messages()
        return len(market.mailbox.mails) == 2

    await eventually(both_told, "the mail")
    assert await market.states("session_confirmed") == [("sent", None)] * 2


async def test_a_server_that_asks_for_patience_gets_it(market: Marketplace):
    """4xx is tried again with growing pauses; the mail goes out once."""
    await market.hear(contact(market.mentor))
    market.mailbox.refusals = ["451 greylisted"] * 3
    await market.hear(payout(market))
    for attempt in range(1, 4):
        await market.work()
        row = await market.pool.fetchrow(
            "SELECT attempts, state, reason, next_try_at - now() AS pause FROM messages"
            " WHERE channel = 'mail'"
        )
        assert row is not None
        assert (row["attempts"], row["state"], row["reason"]) == (attempt, "planned", "smtp_451")
        assert row["pause"] > timedelta(seconds=0.5 * 2 ** (attempt - 1))
        await market.leases_end()
    await market.work()
    assert market.mailbox.refused == 3
    assert len(market.mailbox.mails) == 1


async def test_a_mail_refused_for_good_fails_with_the_reason(market: Marketplace):
    """5xx is final: it is noted, announced to nobody, and tried no more."""
    await market.hear(contact(market.mentor))
    market.mailbox.refusals = ["550 no such mailbox"]
    await market.hear(payout(market))
    await market.work()
    await market.leases_end()
    await market.work()
    assert await market.states("payout_paid") == [("failed", "smtp_550")]
    assert await market.states("payout_paid", "feed") == [("sent", None)]
    assert market.mailbox.mails == []
    assert await market.pool.fetchval(SENT_FACTS) == 0


async def test_an_unusable_address_fails_alone(market: Marketplace):
    """An address that is none is final, and the next mail goes out."""
    await market.hear(contact(market.mentor, email="not an address"))
    await market.hear(payout(market))
    await market.hear(contact(market.mentee))
    await market.hear(market.held())
    await market.hear(market.paid())
    await market.work()
    assert await market.states("payout_paid") == [("failed", "address_malformed")]
    assert len(market.mailbox.mails) == 1


async def test_a_worker_killed_before_it_noted_the_mail_sends_the_same_mail_again(
    market: Marketplace,
):
    """The second copy has the same Message-ID, and MessageSent is announced once."""
    await market.hear(contact(market.mentor))
    await market.hear(payout(market))
    claimed = await in_transaction(
        market.pool, lambda conn: sending.claim_messages(conn, open_secret, now=market.clock.now())
    )
    (letter,) = claimed.letters
    await market.postman.mail.hand_over(compose(letter, market.postman.mail.sender))
    in_flight = await market.pool.fetch("SELECT kind FROM in_flight WHERE kind = 'sending'")
    assert len(in_flight) == 1
    await market.work()
    assert len(market.mailbox.mails) == 1, "the lease still holds"
    await market.leases_end()
    await market.work()
    first, second = market.mailbox.mails
    assert first["Message-ID"] == second["Message-ID"]
    async with transaction(market.pool) as conn:
        await sending.record_sent(conn, letter.message, now=market.clock.now())
    assert await market.pool.fetchval(SENT_FACTS) == 1


def test_a_hand_over_ends_before_its_lease():
    """Nobody takes over a letter that is still being handed over."""
    assert HAND_OVER_SECONDS < LEASE_SECONDS


async def test_an_outdated_state_is_not_told(market: Marketplace):
    """Approved and suspended before the mail went out: only the suspension is told."""
    await market.hear(contact(market.mentor))
    await market.hear(
        profiles.MentorApproved(
            version=2, person_id=market.mentor, verified=True, mentor_state="approved"
        )
    )
    await market.hear(
        profiles.MentorSuspended(
            version=3,
            person_id=market.mentor,
            verified=True,
            mentor_state="suspended",
            reason_code="fake_profile",
        )
    )
    await market.work()
    assert market.mailbox.subjects == ["Your mentor profile is suspended"]
    text = market.mailbox.mails[0].get_body(("plain",))
    assert text is not None
    assert "The reason: fake profile." in text.get_content()


async def test_a_snapshot_causes_no_mail(market: Marketplace):
    """State told again to rebuild a projection is no news."""
    await market.hear(contact(market.mentor))
    snapshot = profiles.PersonSnapshot(
        version=7, person_id=market.mentor, verified=True, mentor_state="approved"
    )
    await market.hear(snapshot)
    await market.hear(
        payments.AccountSnapshot(version=2, mentor_id=market.mentor, can_receive=True)
    )
    await market.work()
    assert market.mailbox.mails == []


async def test_an_account_that_becomes_ready_is_told_once(market: Marketplace):
    """Changes of an account that stays able to receive are no news."""
    await market.hear(contact(market.mentor))
    for version, able in ((1, False), (2, True), (3, True)):
        fact = payments.AccountChanged(version=version, mentor_id=market.mentor, can_receive=able)
        await market.hear(fact)
    await market.hear(
        payments.AccountChanged(version=1, mentor_id=market.mentor, can_receive=False)
    )
    await market.work()
    assert market.mailbox.subjects == ["You can be paid now"]


async def test_who_has_reviewed_is_not_asked(market: Marketplace):
    """A review written before the question goes out answers it."""
    await market.meet()
    await market.confirm()
    await market.work()
    await market.mailbox.stop()
    await market.hear(market.completed())
    review: dict[str, Any] = {
        "session_id": market.session,
        "order_id": market.order,
        "mentor_id": market.mentor,
        "mentee_id": market.mentee,
    }
    await market.hear(profiles.ReviewWritten(**review, version=1, by="mentee"))
    await market.mailbox.start()
    await market.work()
    assert market.mailbox.subjects[2:] == ["How was Career talk with Tom Mentee?"]
    await market.hear(profiles.ReviewsPublished(**review, version=2, mentor_rating=5))
    await market.work()
    assert market.mailbox.subjects[3:] == ["The reviews of Career talk are out"] * 2


async def test_every_step_of_the_money_is_told_to_whom_it_concerns(market: Marketplace):
    """Late money, transfer and payout: each is a mail of its own."""
    await market.meet()
    await market.hear(market.held())
    await market.hear(market.lost())
    transfer = payments.TransferSent(**market.money(5), amount_minor=10_200, currency="USD")
    await market.hear(transfer)
    await market.hear(
        payments.PayoutFailed(
            version=2,
            mentor_id=market.mentor,
            stripe_payout_id="po_2",
            amount_minor=10_200,
            currency="USD",
            failure_code="account_closed",
        )
    )
    await market.work()
    mentee = [str(mail["Subject"]) for mail in market.mailbox.to("tom@example.test")]
    mentor = [str(mail["Subject"]) for mail in market.mailbox.to("mia@example.test")]
    assert mentee == ["Your payment came too late for Career talk"]
    assert sorted(mentor) == ["$102.00 is yours: Career talk", "A payout of $102.00 failed"]


async def test_a_refused_sign_in_at_the_server_loses_no_mail(market: Marketplace):
    """A wrong setting of ours delays mail and never marks it undeliverable."""
    await market.hear(contact(market.mentor))
    await market.hear(payout(market))
    locked = replace(market.postman.mail, username="somebody", password="wrong")
    await replace(market.postman, mail=locked).send_messages()
    ((state, _),) = await market.states("payout_paid")
    assert state == "planned"
    await market.leases_end()
    await market.postman.send_messages()
    assert await market.states("payout_paid") == [("sent", None)]


def payout(market: Marketplace) -> payments.PayoutPaid:
    """Return a fact that mails the mentor."""
    return payments.PayoutPaid(
        version=1,
        mentor_id=market.mentor,
        stripe_payout_id="po_1",
        amount_minor=5_000,
        currency="JPY",
    )
