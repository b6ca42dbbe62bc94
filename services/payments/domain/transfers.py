"""A mentor's share on its way to the connected account, and back when it was too much. Pure.

A session has as many transfers as its share takes: one as a rule, another when something came back
after the first. What a mentor owes is kept back from the next transfer, unless Stripe is being
asked to reverse an earlier one for it (https://docs.stripe.com/connect/separate-charges-and-transfers#reverse-transfers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.payments.domain.operations import NO_BALANCE
from services.payments.domain.orders import Order
from services.payments.domain.outcomes import Earnings
from services.payments.ledger.entries import Part
from shared.contracts.payments import DebtIncurred, TransferReversed, TransferSent
from shared.ids import new_id
from shared.money import Money, decimals, smallest_charge

State = Literal["planned", "sent", "refused", "netted"]
ReversalState = Literal["planned", "done", "refused"]
Because = Literal["refund", "dispute"]
"""Why a mentor owes something."""

DEBT_FLOOR_CHARGES = 400
"""How many smallest charges a mentor may owe before operators are told: about 200 dollars."""
DEBT_FLOORS_WHOLE = {"INR": 17_000, "JPY": 30_000, "KRW": 270_000, "KWD": 60}
"""The same in whole units where Stripe's smallest charge is worth much less, or more."""
ASK_AGAIN_AFTER = timedelta(days=1)
"""How long an account that did not hold enough is left alone."""
ASKED_AT_MOST = 30
"""How often by itself; then a later share, or an operator, brings the debt down."""


@dataclass(frozen=True)
class Transfer:
    """One transfer: `amount` goes to the account, `netted` is kept for what the mentor owes.

    One that Stripe refused is tried again under its name, which `attempt` counts. `reverse_minor`
    became too much while Stripe was being asked for it.
    """

    transfer_id: UUID
    order_id: UUID
    session_id: UUID
    mentor_id: UUID
    number: int
    amount: Money
    netted: Money
    state: State
    planned_at: datetime
    refusal: str | None = None
    stripe_transfer_id: str | None = None
    sent_at: datetime | None = None
    reverse_minor: int = 0
    reversed_minor: int = 0
    attempt: int = 1


@dataclass(frozen=True)
class Reversal:
    """A part of a transfer that is asked back, at `ask_at` once more; `attempt` counts."""

    reversal_id: UUID
    transfer_id: UUID
    order_id: UUID
    session_id: UUID
    mentor_id: UUID
    amount: Money
    state: ReversalState
    planned_at: datetime
    stripe_reversal_id: str | None = None
    refusal: str | None = None
    ended_at: datetime | None = None
    attempt: int = 1
    ask_at: datetime | None = None


@dataclass(frozen=True)
class Debt:
    """What a mentor owes in one currency; `asked` of it Stripe is being asked to reverse."""

    mentor_id: UUID
    owed: Money
    asked: Money

    @property
    def free(self) -> Money:
        """Return what can be kept back from a transfer, or be asked for."""
        return self.owed - self.asked

    @property
    def beyond_floor(self) -> bool:
        """Return whether operators are to be told."""
        currency = self.owed.currency
        whole = DEBT_FLOORS_WHOLE.get(currency, 0) * 10 ** decimals(currency)
        return self.owed.minor > (whole or DEBT_FLOOR_CHARGES * smallest_charge(currency))


def plan(
    part: Part, earnings: Earnings, known: Sequence[Transfer], debt: Debt, now: datetime
) -> tuple[Earnings, Transfer, Money]:
    """Send what is payable of a session, less what the mentor owes, which is returned as well."""
    nothing = Money(0, earnings.payable.currency)
    netted = Money(min(earnings.payable.minor, debt.free.minor), nothing.currency)
    amount = earnings.payable - netted
    transfer = replace(
        _next_transfer(part, earnings, known, now),
        amount=amount,
        state="planned" if amount.minor else "netted",
    )
    planned = replace(
        earnings, payable=nothing, transfer_state="planned" if amount.minor else "nothing"
    )
    return planned, replace(transfer, netted=transfer.netted + netted), netted


def _next_transfer(
    part: Part, earnings: Earnings, known: Sequence[Transfer], now: datetime
) -> Transfer:
    """Return the transfer that was refused last for another try, or a new one.

    The first of a session goes under the name of its part, as before there were several.
    """
    if known and known[-1].state == "refused":
        return replace(known[-1], attempt=known[-1].attempt + 1, refusal=None)
    nothing = Money(0, earnings.payable.currency)
    return Transfer(
        new_id() if known else part.name,
        part.order_id,
        earnings.session_id,
        earnings.mentor_id,
        len(known) + 1,
        nothing,
        nothing,
        "planned",
        now,
    )


def send(
    order: Order, earnings: Earnings, transfer: Transfer, stripe_transfer_id: str, now: datetime
) -> tuple[Order, Earnings, Transfer, TransferSent]:
    """Note that the share is at the connected account; what came to it since goes next."""
    told = replace(order, version=order.version + 1)
    state = "waiting" if earnings.payable.minor else "sent"
    sent = replace(transfer, state="sent", stripe_transfer_id=stripe_transfer_id, sent_at=now)
    fact = TransferSent(
        order_id=order.order_id,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        version=told.version,
        amount_minor=transfer.amount.minor,
        currency=transfer.amount.currency,
        session_id=transfer.session_id,
        netted_minor=transfer.netted.minor,
    )
    return told, replace(earnings, transfer_state=state), sent, fact


def refuse(earnings: Earnings, transfer: Transfer, code: str) -> tuple[Earnings, Transfer]:
    """Keep a share that Stripe refused to transfer as payable."""
    payable = earnings.payable + transfer.amount
    kept = replace(earnings, payable=payable, transfer_state="refused")
    return kept, replace(transfer, state="refused", refusal=code, reverse_minor=0)


def parts_to_reverse(
    transfers: Sequence[Transfer], asked: Sequence[Reversal], amount: Money
) -> list[tuple[Transfer, Money]]:
    """Return what to reverse of which transfers, the last first, as far as they reach."""
    parts: list[tuple[Transfer, Money]] = []
    left = amount.minor
    for transfer in sorted(transfers, key=lambda each: each.number, reverse=True):
        if transfer.state == "sent":
            part = min(left, _rest(transfer, asked))
            parts += [(transfer, Money(part, amount.currency))] if part > 0 else []
            left -= max(part, 0)
    return parts


def _rest(transfer: Transfer, asked: Sequence[Reversal]) -> int:
    """Return what of a transfer was not reversed, nor is asked back now."""
    mine = (each for each in asked if each.transfer_id == transfer.transfer_id)
    waiting = sum(each.amount.minor for each in mine if each.state == "planned")
    return transfer.amount.minor - transfer.reversed_minor - waiting


def refuse_reversal(reversal: Reversal, code: str, now: datetime) -> Reversal:
    """Leave a part as a debt; what the account did not hold is asked for again in a day."""
    again = code == NO_BALANCE and reversal.attempt < ASKED_AT_MOST
    ask_at = now + ASK_AGAIN_AFTER if again else None
    return replace(reversal, state="refused", refusal=code, ended_at=now, ask_at=ask_at)


def ask_again(
    reversal: Reversal, transfer: Transfer, asked: Sequence[Reversal], debt: Debt
) -> Reversal:
    """Ask for a refused part once more, as far as it is owed still and nobody asks for it."""
    amount = min(reversal.amount.minor, debt.free.minor, _rest(transfer, asked))
    if amount <= 0:
        return replace(reversal, ask_at=None)
    return replace(
        reversal,
        amount=Money(amount, reversal.amount.currency),
        state="planned",
        refusal=None,
        ended_at=None,
        attempt=reversal.attempt + 1,
        ask_at=None,
    )


def incur(
    order: Order, session_id: UUID, amount: Money, because: Because
) -> tuple[Order, DebtIncurred]:
    """Tell that the mentor got more of a session than is left for the mentor."""
    told = replace(order, version=order.version + 1)
    return told, DebtIncurred(
        order_id=order.order_id,
        mentor_id=order.mentor_id,
        mentee_id=order.mentee_id,
        version=told.version,
        amount_minor=amount.minor,
        currency=amount.currency,
        because=because,
        session_id=session_id,
    )


def end_reversal(
    order: Order, reversal: Reversal, stripe_reversal_id: str, now: datetime
) -> tuple[Order, Reversal, TransferReversed]:
    """Note that Stripe took a part of a transfer back."""
    told = replace(order, version=order.version + 1)
    done = replace(reversal, state="done", stripe_reversal_id=stripe_reversal_id, ended_at=now)
    return (
        told,
        done,
        TransferReversed(
            order_id=order.order_id,
            mentor_id=order.mentor_id,
            mentee_id=order.mentee_id,
            version=told.version,
            amount_minor=reversal.amount.minor,
            currency=reversal.amount.currency,
            session_id=reversal.session_id,
        ),
    )
