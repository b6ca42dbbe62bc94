"""Money that leaves a session's part of the price, or comes back to it, whoever moves it. Pure.

A refund takes, and so does a bank that withdraws a disputed charge; a bank that reinstates one
gives. Before the release it is the clearing account that has less. Afterwards the part is divided
anew, and what the mentor and the platform have too much they give back: the mentor out of what was
not transferred yet, and else as a debt. What exceeds the price is the platform's loss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from services.payments.domain.orders import Order, Session
from services.payments.domain.outcomes import Earnings, TransferState, divided
from services.payments.domain.splits import Split
from shared.money import Money

REVERSAL, WRITTEN_OFF, OWED_AGAIN = "reversal", "debt_written_off", "debt_owed_again"
"""What the ledger calls the steps of a debt that are not alike to all others."""


@dataclass(frozen=True)
class Sides:
    """Out of which account how much is taken; negative what each is given.

    They sum to the amount that moves.
    """

    clearing: Money
    payable: Money
    debt: Money
    platform: Money
    losses: Money

    @property
    def mentor(self) -> Money:
        """Return what the mentor gives back."""
        return self.payable + self.debt

    @property
    def total(self) -> Money:
        """Return the amount that moves."""
        return self.clearing + self.mentor + self.platform + self.losses


def take(
    order: Order, session: Session, earnings: Earnings, amount: Money
) -> tuple[Earnings, Sides]:
    """Let an amount leave a session's part; return what stays, and who has less."""
    return _moved(order, session, earnings, amount)


def give(
    order: Order, session: Session, earnings: Earnings, amount: Money
) -> tuple[Earnings, Sides]:
    """Let an amount come back to a session's part; return what it is then, and who has more."""
    return _moved(order, session, earnings, Money(-amount.minor, amount.currency))


def after(order: Order, session: Session, gone: Money) -> Split:
    """Divide a session's part of which so much has gone; never less than nothing is left."""
    most = Money(min(gone.minor, session.price.minor), gone.currency)
    return divided(order, session, most)


def _moved(
    order: Order, session: Session, earnings: Earnings, amount: Money
) -> tuple[Earnings, Sides]:
    gone = earnings.gone + amount
    split = after(order, session, gone)
    losses = _beyond(session, gone) - _beyond(session, earnings.gone)
    moved = replace(earnings, gone=gone, mentor=split.mentor, platform=split.platform)
    nothing = Money(0, amount.currency)
    if earnings.released_at is None:
        waits: TransferState = "waiting" if split.mentor.minor else "nothing"
        sides = Sides(amount - losses, nothing, nothing, nothing, losses)
        return replace(moved, transfer_state=waits), sides
    mentor = earnings.mentor - split.mentor
    payable = Money(min(mentor.minor, earnings.payable.minor), amount.currency)
    platform = earnings.platform - split.platform
    moved = _with_payable(moved, earnings.payable - payable)
    return moved, Sides(nothing, payable, mentor - payable, platform, losses)


def _with_payable(earnings: Earnings, payable: Money) -> Earnings:
    """Say what is to be transferred; a transfer that is on its way is waited for."""
    state = earnings.transfer_state
    if payable.minor and state in ("nothing", "sent"):
        state = "waiting"
    elif not payable.minor and state in ("waiting", "refused"):
        state = "nothing"
    return replace(earnings, payable=payable, transfer_state=state)


def _beyond(session: Session, gone: Money) -> Money:
    """Return what of the amount that has gone exceeds the price."""
    return Money(max(0, gone.minor - session.price.minor), gone.currency)


@dataclass(frozen=True)
class DebtStep:
    """What made a mentor's debt more (positive) or less; a write-off is of no session."""

    kind: str
    session_id: UUID | None
    minor: int


Debts = Counter[UUID | None]
"""How much of each session, in minor units; the oldest debt stands first."""


def written_off(steps: Iterable[DebtStep]) -> Debts:
    """Return what was written off of each session's debt and is not owed again.

    Later shares and operators bring the oldest debts down first. A reversal is of its own session:
    what came back was not forgiven, and a write-off that had been put to it was of another debt.
    """
    owed, written = Debts(), Debts()
    for step in steps:
        of, minor = step.session_id, abs(step.minor)
        if step.minor > 0:
            owed[of] += minor
            written[of] -= minor if step.kind == OWED_AGAIN else 0
        elif step.kind == WRITTEN_OFF:
            written += _bring_down(owed, minor)
        elif step.kind == REVERSAL:
            own = min(minor, owed[of])
            forgiven = min(minor - own, written[of])
            owed[of] -= own
            written[of] -= forgiven
            written += _bring_down(owed, forgiven)
            _bring_down(owed, minor - own - forgiven)
        else:
            _bring_down(owed, minor)
        owed = +owed
    return written


def _bring_down(owed: Debts, minor: int) -> Debts:
    """Bring the oldest debts down by an amount; return how much of each."""
    parts = Debts()
    for session_id, of_it in owed.items():
        parts[session_id] = min(of_it, minor - parts.total())
    owed.subtract(parts)
    return parts
