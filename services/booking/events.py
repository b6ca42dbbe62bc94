"""The facts of other services that booking obeys."""

from __future__ import annotations

from services.booking.commands.holds import close_hold
from services.booking.commands.objections import note_release
from services.booking.commands.orders import settle_payment
from services.booking.store.openings import mark_openings
from services.booking.store.people import note_account, note_person
from services.booking.store.words import forget_words
from shared.contracts.payments import (
    AccountChanged,
    AccountConnected,
    AccountFact,
    AccountSnapshot,
    CheckoutClosed,
    EarningsReleased,
    MoneyFact,
    PaymentSucceeded,
)
from shared.contracts.profiles import (
    ContactErased,
    MentorApproved,
    MentorChangesRequested,
    MentorProfileSubmitted,
    MentorSuspended,
    PersonFact,
    PersonRegistered,
    PersonSnapshot,
    PersonVerified,
)
from shared.db import Connection
from shared.ids import OrderId, PersonId, SessionId
from shared.inbox import Ears, Heard
from shared.log import logger

PEOPLE: tuple[type[PersonFact], ...] = (
    PersonRegistered,
    PersonVerified,
    MentorProfileSubmitted,
    MentorChangesRequested,
    MentorApproved,
    MentorSuspended,
    PersonSnapshot,
)
ACCOUNTS: tuple[type[AccountFact], ...] = (AccountConnected, AccountChanged, AccountSnapshot)

_log = logger("booking")


def ears() -> Ears:
    """Return what booking listens for."""
    listening = Ears()
    for kind in PEOPLE:
        listening.on(kind)(hear_person)
    for kind in ACCOUNTS:
        listening.on(kind)(hear_account)
    listening.on(ContactErased)(hear_erasure)
    listening.on(PaymentSucceeded)(hear_payment)
    listening.on(CheckoutClosed)(hear_checkout_closed)
    listening.on(EarningsReleased)(hear_release)
    return listening


async def hear_person(conn: Connection, heard: Heard[PersonFact]) -> None:
    """Remember who is approved; every such fact tells the whole state."""
    await note_person(conn, heard.fact)
    await mark_openings(conn, PersonId(heard.fact.person_id))


async def hear_erasure(conn: Connection, heard: Heard[ContactErased]) -> None:
    """Forget what a person wrote; the purchases stay, for the other side and for the books."""
    await forget_words(conn, PersonId(heard.fact.person_id))


async def hear_account(conn: Connection, heard: Heard[AccountFact]) -> None:
    """Remember whose account can receive money."""
    await note_account(conn, heard.fact)


async def hear_payment(conn: Connection, heard: Heard[PaymentSucceeded]) -> None:
    """Confirm or lose the order that was paid."""
    order = await settle_payment(conn, OrderId(heard.fact.order_id), now=heard.now)
    _warn_if_unknown(order, heard.fact)


async def hear_checkout_closed(conn: Connection, heard: Heard[CheckoutClosed]) -> None:
    """Give back the time of a hold at once: nobody can pay for it any more."""
    order = await close_hold(conn, OrderId(heard.fact.order_id), now=heard.now)
    _warn_if_unknown(order, heard.fact)


async def hear_release(conn: Connection, heard: Heard[EarningsReleased]) -> None:
    """Take no more objections to a session whose money is out of our hands."""
    fact = heard.fact
    session_id = SessionId(fact.session_id) if fact.session_id else None
    order = await note_release(conn, OrderId(fact.order_id), session_id, now=heard.now)
    _warn_if_unknown(order, fact)


def _warn_if_unknown(order: object, fact: MoneyFact) -> None:
    # Orders are made here, so one that is not here never was: waiting would not help.
    if order is None:
        _log.warning("order_unknown", order_id=str(fact.order_id))
