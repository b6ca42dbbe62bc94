"""What each side of a session may do now, for whoever shows it; the rules decide again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.booking.domain.moves import PROPOSALS_AT_MOST, moves_left, proposals_made
from services.booking.domain.objections import OBJECTIONABLE
from services.booking.domain.orders import OrderState, Session
from services.booking.domain.terms import Terms
from shared.contracts.common import Party


@dataclass(frozen=True)
class Can:
    """What a viewer may do with a session now."""

    cancel: bool
    complete: bool
    join: bool
    move: bool
    answer_move: bool
    report_absence: bool
    object: bool


def can(session: Session, by: Party, *, now: datetime, terms: Terms) -> Can:
    """Return what one side may do now."""
    confirmed = session.state is OrderState.CONFIRMED
    takes_part = by in ("mentee", "mentor")
    begun = now >= session.starts_at
    opens, closes = session.starts_at - terms.join_early, session.ends_at + terms.join_late
    return Can(
        cancel=(confirmed and (by == "operator" or not begun)) or session.state is OrderState.HELD,
        complete=confirmed and by == "mentee" and now >= session.ends_at,
        join=confirmed and takes_part and opens <= now < closes,
        move=confirmed
        and not begun
        and session.proposal is None
        and moves_left(session, by, terms) > 0
        and not _asked_in_vain(session, by),
        answer_move=takes_part and _waits_for(session, by, now),
        report_absence=confirmed and takes_part and now >= session.starts_at + terms.absent_after,
        object=takes_part
        and session.state in OBJECTIONABLE
        and now < session.ends_at + terms.objection
        and session.objection is None
        and session.released_at is None,
    )


def _asked_in_vain(session: Session, by: Party) -> bool:
    # A mentee may still move at once; whether there is time for that is for the rules to say.
    return by == "mentor" and proposals_made(session, by) >= PROPOSALS_AT_MOST


def _waits_for(session: Session, by: Party, now: datetime) -> bool:
    proposal = session.proposal
    return proposal is not None and proposal.by != by and now < proposal.answer_by
