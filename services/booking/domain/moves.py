"""Moving a session: at once, or as soon as the other side agrees (product: *Reschedule*).

The window is the time in which a mentee who cancelled would not get everything back. Outside it a
mentee moves at once; inside it, and whenever the mentor wants to move, the other side must agree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from services.booking.domain.cancellation import is_inside_window
from services.booking.domain.holds import SlotNotOffered
from services.booking.domain.offerings import Offering
from services.booking.domain.orders import (
    Change,
    NotConfirmed,
    NotYourPart,
    Order,
    OrderState,
    Proposal,
    Session,
    change_session,
)
from services.booking.domain.sessions import PreviewOutdated, SessionBegun
from services.booking.domain.terms import Terms
from services.booking.slots import SlotPolicy
from shared.contracts.booking import MoveDeclined, MoveProposed, SessionMoved
from shared.contracts.common import Party
from shared.errors import Refusal


class NoMovesLeft(Refusal):
    """One side moved the session as often as one may."""

    code = "no_moves_left"
    detail = "You cannot move this session once more; keep its time or call it off."


class ProposalOpen(Refusal):
    """Another time is proposed already, and not answered."""

    code = "proposal_open"
    detail = "Another time is proposed for this session; accept, decline or withdraw that first."


class TooManyProposals(Refusal):
    """One side asked for another time as often as one may."""

    code = "too_many_proposals"
    detail = "You have asked for another time as often as one may; keep the time or call it off."


class NoProposal(Refusal):
    """No other time is proposed for the session: it was answered, withdrawn, or it lapsed."""

    code = "no_proposal"
    detail = "No move is waiting for an answer; load the session to see when it takes place."


PROPOSALS_AT_MOST = 5
"""How often one side asks for another time of a session: each time the other one gets a letter."""


@dataclass(frozen=True)
class Meaning:
    """What a move comes to: whether it happens at once, and whether money may come back after."""

    immediate: bool
    refundable_after: bool


@dataclass(frozen=True)
class MoveWish:
    """To when one side wants to move a session, and what it was shown that this means."""

    starts_at: datetime
    shown: Meaning
    reason: str | None = None


def check_move(
    order: Order, session: Session, by: Party, starts_at: datetime, *, now: datetime, terms: Terms
) -> Meaning:
    """Return what a move means; whether the time is offered and free is for others to say.

    Raises `NotConfirmed`, `NotYourPart`, `SessionBegun`, `ProposalOpen`, `NoMovesLeft`,
    `SlotNotOffered` or `TooManyProposals`.
    """
    if session.state is not OrderState.CONFIRMED:
        raise NotConfirmed
    if by not in ("mentee", "mentor"):
        raise NotYourPart
    if now >= session.starts_at:
        raise SessionBegun
    if session.proposal:
        raise ProposalOpen
    if not moves_left(session, by, terms):
        raise NoMovesLeft(at_most=terms.moves)
    if starts_at == session.starts_at:
        raise SlotNotOffered("The session takes place then already; choose another time.")
    meaning = _meaning(order, session, by, now)
    if not meaning.immediate and proposals_made(session, by) >= PROPOSALS_AT_MOST:
        raise TooManyProposals(at_most=PROPOSALS_AT_MOST)
    return meaning


def moves_left(session: Session, by: Party, terms: Terms) -> int:
    """Return how often one side may still move a session."""
    if by not in ("mentee", "mentor"):
        return 0
    made = session.mentee_moves if by == "mentee" else session.mentor_moves
    return max(0, terms.moves - made)


def proposals_made(session: Session, by: Party) -> int:
    """Return how often one side asked for another time of a session."""
    return session.mentee_proposals if by == "mentee" else session.mentor_proposals


def frozen_policy(order: Order, session: Session, offering: Offering, terms: Terms) -> SlotPolicy:
    """Return what a new start must meet: as it was sold, within the offering's horizon of today.

    There is nothing left to pay, so that the notice need not leave time for that.
    """
    return replace(
        offering.slot_policy(terms),
        minutes=(session.ends_at - session.starts_at) // timedelta(minutes=1),
        buffer_before_minutes=order.buffer_before_minutes,
        buffer_after_minutes=order.buffer_after_minutes,
        minimum_notice_minutes=order.minimum_notice_minutes,
    )


def move(
    order: Order, session: Session, by: Party, wish: MoveWish, *, now: datetime, terms: Terms
) -> Change:
    """Return the order with a session moved, or with the move proposed to the other side.

    Raises `PreviewOutdated` and what `check_move` raises.
    """
    meaning = check_move(order, session, by, wish.starts_at, now=now, terms=terms)
    if meaning != wish.shown:
        raise PreviewOutdated(
            "What this move means has changed: look at it again and confirm that.",
            immediate=meaning.immediate,
            refundable_after=meaning.refundable_after,
        )
    ends_at = session.ends_at + (wish.starts_at - session.starts_at)
    answer_by = min(now + terms.move_answer, session.starts_at, wish.starts_at)
    proposal = Proposal(by, wish.starts_at, ends_at, answer_by, wish.reason)
    if meaning.immediate:
        return _moved(order, session, proposal)
    return _proposed(order, session, proposal)


def accept_move(order: Order, session: Session, by: Party, *, now: datetime) -> Change:
    """Return the order with a session moved as the other side proposed.

    Raises `NoProposal`, or `NotYourPart` for whoever proposed it.
    """
    proposal = _open_proposal(session)
    if now >= proposal.answer_by:
        raise NoProposal
    if by in (proposal.by, "operator"):
        raise NotYourPart
    return _moved(order, session, proposal)


def decline_move(order: Order, session: Session, by: Party) -> Change:
    """Return the order without the proposal: declined, or withdrawn; raises `NoProposal`."""
    _open_proposal(session)
    if by not in ("mentee", "mentor"):
        raise NotYourPart
    return change_session(order, session, MoveDeclined, {"proposal": None}, by=by)


def lapse_move(order: Order, session: Session, *, now: datetime) -> Change | None:
    """Return the order without a proposal that nobody answered in time; nothing without one."""
    if session.proposal is None or now < session.proposal.answer_by:
        return None
    return change_session(order, session, MoveDeclined, {"proposal": None}, by="system")


def _meaning(order: Order, session: Session, by: Party, now: datetime) -> Meaning:
    inside = session.refund_closed or is_inside_window(order.policy, session.starts_at, now)
    if by == "mentee":
        return Meaning(immediate=not inside, refundable_after=not inside)
    return Meaning(immediate=False, refundable_after=not session.refund_closed)


def _open_proposal(session: Session) -> Proposal:
    if session.proposal is None:
        raise NoProposal
    return session.proposal


def _proposed(order: Order, session: Session, proposal: Proposal) -> Change:
    made = f"{proposal.by}_proposals"
    return change_session(
        order,
        session,
        MoveProposed,
        {"proposal": proposal, made: proposals_made(session, proposal.by) + 1},
        by=proposal.by,
        proposed_starts_at=proposal.starts_at,
        proposed_ends_at=proposal.ends_at,
        answer_by=proposal.answer_by,
        reason_given=proposal.reason is not None,
    )


def _moved(order: Order, session: Session, proposal: Proposal) -> Change:
    later = proposal.starts_at - session.starts_at
    fields: dict[str, Any] = {
        "starts_at": proposal.starts_at,
        "ends_at": proposal.ends_at,
        "completes_at": session.completes_at + later,
        "calendar_sequence": session.calendar_sequence + 1,
        "proposal": None,
    }
    if proposal.by == "mentee":
        fields["mentee_moves"] = session.mentee_moves + 1
    else:
        fields["mentor_moves"] = session.mentor_moves + 1
    # Only inside the window a mentee has to propose, and what was agreed there is paid for.
    closed = session.refund_closed or (proposal.by == "mentee" and session.proposal is not None)
    return change_session(
        order,
        session,
        SessionMoved,
        fields | {"refund_closed": closed},
        by=proposal.by,
        was_starts_at=session.starts_at,
        was_ends_at=session.ends_at,
        refundable=not closed,
    )
