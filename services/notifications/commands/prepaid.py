"""Sessions paid in advance are told of: bought, given, granted, back, soon over, over, refunded.

And amends, which pay a part of a session to come.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.notifications.commands.orders import known_order
from services.notifications.commands.planning import plan
from services.notifications.domain.messages import Details, Plan, cause_of
from shared.contracts.payments import AmendsGranted, DebtWrittenOff, MoneyFact
from shared.contracts.prepaid import (
    AmendsReminded,
    CreditsBought,
    CreditsExpired,
    CreditsGranted,
    CreditsRefunded,
    CreditsRefundFailed,
    CreditsReminded,
    CreditsReturned,
    GiftRedeemed,
    SponsoredSessionCompleted,
)
from shared.db import Connection

BOUGHT = {
    "package": "credits_bought",
    "gift": "gift_bought",
    "sponsorship": "sponsorship_bought",
}
"""What the buyer is told, by what was bought; a plan tells of itself."""


async def tell_of_purchase(conn: Connection, fact: CreditsBought, *, at: datetime) -> None:
    """Tell who bought credits what they have now; a receipt at the same time."""
    kind = BOUGHT.get(fact.kind)
    if kind:
        details = _counted(fact.sessions, until=fact.expires_at) | _money(fact)
        await _tell(conn, fact, kind, fact.mentee_id, details, at)


async def tell_of_redemption(conn: Connection, fact: GiftRedeemed, *, at: datetime) -> None:
    """Tell who gave that the gift arrived, and who has it now what it is."""
    details = _counted(fact.sessions, until=fact.expires_at)
    await _tell(conn, fact, "gift_redeemed", fact.mentee_id, details, at)
    await _tell(conn, fact, "gift_received", fact.recipient_id, details, at)


async def tell_of_grant(conn: Connection, fact: CreditsGranted, *, at: datetime) -> None:
    """Tell a mentee of the session that somebody paid for."""
    details = _counted(1, until=fact.expires_at)
    await _tell(conn, fact, "credits_granted", fact.mentee_id, details, at)


async def tell_of_amends(conn: Connection, fact: AmendsGranted, *, at: datetime) -> None:
    """Tell a mentee who was let down what comes off the next purchase."""
    details = {"until": fact.expires_at.isoformat()} | _money(fact)
    await _tell(conn, fact, "amends_granted", fact.mentee_id, details, at)


async def tell_of_return(conn: Connection, fact: CreditsReturned, *, at: datetime) -> None:
    """Tell a mentee that a credit can be booked with again; raises `Missing`."""
    order = await known_order(conn, fact.order_id)
    about = order.session(fact.session_id).session_id
    details = {"until": fact.expires_at.isoformat()}
    cause = cause_of(fact)
    returned = Plan(fact.mentee_id, "credit_returned", cause, at, order.order_id, about, details)
    await plan(conn, returned)


async def remind(conn: Connection, fact: CreditsReminded, *, at: datetime) -> None:
    """Remind of what ends soon: who may book with it, or who paid for it."""
    details = _counted(fact.remaining, until=fact.expires_at) | _of(fact)
    await _tell(conn, fact, "credits_expiring", fact.owner_id or fact.mentee_id, details, at)


async def remind_of_amends(conn: Connection, fact: AmendsReminded, *, at: datetime) -> None:
    """Remind of what still comes off the next purchase, and until when."""
    details = {"until": fact.expires_at.isoformat()} | _money(fact)
    await _tell(conn, fact, "amends_expiring", fact.mentee_id, details, at)


async def tell_of_write_off(conn: Connection, fact: DebtWrittenOff, *, at: datetime) -> None:
    """Tell a mentor what is owed no more."""
    told = Plan(fact.mentor_id, "debt_written_off", cause_of(fact), at, details=_money(fact))
    await plan(conn, told)


def _of(fact: CreditsReminded) -> dict[str, str | int]:
    """Return what the credits are to the reader; before it was told what they are, nothing."""
    if fact.kind is None:
        return {}
    theirs = fact.kind if fact.owner_id else f"{fact.kind}_for_others"
    return {"of": theirs}


async def tell_of_end(conn: Connection, fact: CreditsExpired, *, at: datetime) -> None:
    """Tell whose credits are over; a sponsor's money comes with a message of its own."""
    if fact.owner_id or not fact.refunded:
        details = _counted(fact.remaining)
        kind = "credits_unbookable" if fact.unbookable else "credits_expired"
        await _tell(conn, fact, kind, fact.owner_id or fact.mentee_id, details, at)


async def tell_of_refund(
    conn: Connection, fact: CreditsRefunded | CreditsRefundFailed, *, at: datetime
) -> None:
    """Tell who bought credits that their money comes back, or that the bank sent it back."""
    failed = isinstance(fact, CreditsRefundFailed)
    kind = "credits_refund_failed" if failed else "credits_refunded"
    await _tell(conn, fact, kind, fact.mentee_id, _money(fact), at)


async def thank(conn: Connection, fact: SponsoredSessionCompleted, *, at: datetime) -> None:
    """Thank a sponsor for a session that took place; who came is not said."""
    await _tell(conn, fact, "sponsorship_thanks", fact.sponsor_id, {}, at)


async def _tell(
    conn: Connection, fact: MoneyFact, kind: str, to: UUID, details: Details, at: datetime
) -> None:
    said = {"other_id": str(fact.mentor_id), **details}
    await plan(conn, Plan(to, kind, cause_of(fact), at, details=said))


def _counted(count: int, *, until: datetime | None = None) -> dict[str, str | int]:
    said: dict[str, str | int] = {"count": count}
    return said | ({"until": until.isoformat()} if until else {})


def _money(
    fact: CreditsBought
    | CreditsRefunded
    | CreditsRefundFailed
    | AmendsGranted
    | AmendsReminded
    | DebtWrittenOff,
) -> dict[str, str | int]:
    return {"amount_minor": fact.amount_minor, "currency": fact.currency}
