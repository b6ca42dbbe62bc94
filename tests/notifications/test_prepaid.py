"""Letters about sessions that are paid before they are booked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.contracts import prepaid
from shared.contracts.payments import AmendsGranted, DebtWrittenOff, MoneyFact
from shared.ids import new_id
from tests.notifications.conftest import NOW, Marketplace

MENTEE = "tom@example.test"
UNTIL = NOW + timedelta(days=180)
MONEY: dict[str, Any] = {"amount_minor": 30_000, "currency": "USD"}
REFUND: dict[str, Any] = {**MONEY, "refund_id": new_id()}
BOUGHT: dict[str, Any] = {
    **MONEY, "offering_id": new_id(), "sessions": 3, "expires_at": UNTIL
}  # fmt: skip


def told(market: Marketplace, fact: type[MoneyFact], version: int, /, **said: Any) -> MoneyFact:
    """Return a fact about a purchase of credits by the mentee."""
    about: dict[str, Any] = {
        "order_id": said.pop("order_id", new_id()),
        "mentor_id": market.mentor,
        "mentee_id": market.mentee,
        "version": version,
    }
    return fact(**about, **said)


def everything(market: Marketplace) -> list[MoneyFact]:
    """Return one fact for each letter that the mentee gets."""
    mentee: UUID = market.mentee
    return [
        *(
            told(market, prepaid.CreditsBought, 1, kind=kind, **BOUGHT)
            for kind in ("package", "gift", "sponsorship", "plan")
        ),
        told(market, prepaid.GiftRedeemed, 2, recipient_id=mentee, sessions=3, expires_at=UNTIL),
        told(market, prepaid.CreditsGranted, 2, expires_at=UNTIL),
        told(market, AmendsGranted, 3, session_id=new_id(), expires_at=UNTIL, **MONEY),
        told(market, prepaid.CreditsReminded, 2, owner_id=mentee, remaining=1, expires_at=UNTIL),
        told(
            market,
            prepaid.CreditsReminded,
            2,
            owner_id=mentee,
            kind="gift",
            remaining=1,
            expires_at=UNTIL,
        ),
        told(market, prepaid.AmendsReminded, 4, session_id=new_id(), expires_at=UNTIL, **MONEY),
        told(market, prepaid.CreditsExpired, 2, owner_id=mentee, remaining=2, refunded=False),
        told(
            market,
            prepaid.CreditsExpired,
            2,
            owner_id=mentee,
            remaining=2,
            refunded=True,
            unbookable=True,
        ),
        told(market, prepaid.CreditsRefunded, 2, **REFUND),
        told(market, prepaid.CreditsRefundFailed, 3, **REFUND),
        told(market, prepaid.SponsoredSessionCompleted, 3, session_id=new_id(), sponsor_id=mentee),
    ]


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        (
            "en",
            [
                "Your gift: 1 session with Mia Mentor ends soon",
                "$300.00 off your next session ends soon",
                "Yours: 3 sessions with Mia Mentor",
                "1 session with Mia Mentor ends soon",
                "Taken back: 2 sessions with Mia Mentor",
                "$300.00 off your next session",
            ],
        ),
        (
            "de",
            [
                "Dein Geschenk: 1 Sitzung mit Mia Mentor endet bald",
                "300,00 $ weniger bei deiner nächsten Sitzung: endet bald",
                "Dein Guthaben: 3 Sitzungen mit Mia Mentor",
                "1 Sitzung mit Mia Mentor endet bald",
                "Zurückgenommen: 2 Sitzungen mit Mia Mentor",
                "300,00 $ weniger bei deiner nächsten Sitzung",
            ],
        ),
    ],
)
async def test_every_step_has_its_letter(market: Marketplace, locale: str, words: list[str]):
    """Bought, given, granted, amends, soon over, over, paid back; a plan speaks for itself."""
    await market.meet(mentee_locale=locale)
    for fact in everything(market):
        assert await market.hear(fact) == "handled"
    await market.work()
    subjects = [str(mail["Subject"]) for mail in market.mailbox.to(MENTEE)]
    assert len(subjects) == 15
    missing = [each for each in words if not any(found.startswith(each) for found in subjects)]
    assert not missing, "|".join(subjects)
    assert not market.mailbox.to("mia@example.test")


async def test_a_credit_that_is_back_is_told_with_its_session(market: Marketplace):
    """The letter names the session; before the purchase was heard of, the fact waits."""
    await market.meet()
    fact = told(
        market, prepaid.CreditsReturned, 5,
        order_id=market.order, session_id=market.session, lot_id=new_id(), expires_at=UNTIL,
    )  # fmt: skip
    assert await market.hear(fact) == "deferred"
    await market.confirm()
    await market.work()
    subjects = [str(mail["Subject"]) for mail in market.mailbox.to(MENTEE)]
    assert "Your credit is back: Career talk" in subjects


async def test_nobody_gets_a_receipt_of_nothing(market: Marketplace):
    """What credits paid in full is confirmed, without a receipt of zero."""
    await market.meet()
    await market.hear(market.held())
    await market.hear(market.paid().model_copy(update={"amount_minor": 0}))
    await market.work()
    assert not [each for each in market.mailbox.subjects if "Receipt" in each]


@pytest.mark.parametrize(
    ("kind", "own", "named"),
    [
        ("package", True, "Your package: "),
        ("plan", True, "Your plan: "),
        ("gift", True, "Your gift: "),
        ("gift", False, "The gift you bought: "),
        ("sponsorship", True, "Paid for you by a sponsor: "),
        ("sponsorship", False, "What you sponsor: "),
    ],
)
async def test_what_ends_soon_is_called_what_it_is(
    market: Marketplace, kind: str, own: bool, named: str
):
    """A package, a plan's month, a gift and a sponsored session, by who reads of it."""
    await market.meet()
    owner = market.mentee if own else None
    reminder = told(
        market, prepaid.CreditsReminded, 2, owner_id=owner, kind=kind, remaining=2, expires_at=UNTIL
    )
    await market.hear(reminder)
    await market.work()
    (mail,) = market.mailbox.to(MENTEE)
    assert str(mail["Subject"]) == f"{named}2 sessions with Mia Mentor end soon"


@pytest.mark.parametrize(
    ("locale", "subject"),
    [("en", "You owe $300.00 less"), ("de", "Du schuldest 300,00 $ weniger")],
)
async def test_a_mentor_is_told_what_is_owed_no_more(
    market: Marketplace, locale: str, subject: str
):
    """A debt that is written off has a letter, in the mentor's language; the mentee has none."""
    await market.meet(mentor_locale=locale)
    fact = DebtWrittenOff(write_off_id=new_id(), mentor_id=market.mentor, version=1, **MONEY)
    assert await market.hear(fact) == "handled"
    await market.work()
    assert [str(mail["Subject"]) for mail in market.mailbox.to("mia@example.test")] == [subject]
    assert not market.mailbox.to(MENTEE)
