"""Who came into the room and who did not, by the record of joining and leaving.

The record is evidence: a report needs somebody who came, and one who came in time is not missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.booking.domain.cancellation import MENTOR_FAILED_CREDIT, NOTHING, WHOLE
from services.booking.domain.orders import (
    Change,
    NotConfirmed,
    NotYourPart,
    Order,
    OrderState,
    Session,
    change_session,
)
from services.booking.domain.sessions import complete
from services.booking.domain.terms import Terms
from shared.contracts.booking import SessionMissed, SessionVisit
from shared.contracts.common import Party
from shared.errors import Refusal

Side = Literal["mentee", "mentor"]

VISITS_TOLD = 40
"""How much of a record of coming and going is told to others."""


class TooEarlyToReport(Refusal):
    """The other side may still come; `reports_from` says until when to wait."""

    code = "too_early_to_report"
    detail = "Wait in the room a little longer: the other side may still come."


class NeverCame(Refusal):
    """Whoever was not in the room cannot know who else was not."""

    code = "never_came"
    detail = "You did not come into the room yourself, so you cannot report the other side."


class OtherCame(Refusal):
    """The record shows that the other side was in the room in time; `joined_at` says when."""

    code = "other_came"
    detail = "The record shows that the other side came; complete the session, or object after it."


@dataclass(frozen=True)
class Visit:
    """One side in the room, from coming to leaving (none: it is still there)."""

    party: Side
    joined_at: datetime
    left_at: datetime | None


def arrival(session: Session, side: Side, visits: Iterable[Visit]) -> datetime | None:
    """Return when a side came to the session; none when it was not there while it lasted."""
    in_time = (each for each in visits if each.party == side and each.joined_at < session.ends_at)
    # Whoever left before the start did not come: they looked in, or the session was moved since.
    stayed = (each for each in in_time if each.left_at is None or each.left_at > session.starts_at)
    return min((visit.joined_at for visit in stayed), default=None)


def tell_visits(visits: Iterable[Visit]) -> list[SessionVisit]:
    """Return the record of the room as others are told of it."""
    shown = list(visits)[:VISITS_TOLD]
    return [
        SessionVisit(side=each.party, joined_at=each.joined_at, left_at=each.left_at)
        for each in shown
    ]


def late_minutes(session: Session, arrived_at: datetime | None) -> int:
    """Return by how many minutes a side came late, a begun one counted whole."""
    late = (arrived_at or session.starts_at) - session.starts_at
    return max(0, -(-late // timedelta(minutes=1)))


def report_absence(
    order: Order,
    session: Session,
    by: Party,
    visits: Iterable[Visit],
    *,
    now: datetime,
    terms: Terms,
) -> Change:
    """Return the order with a session that the other side missed.

    Raises `NotConfirmed`, `NotYourPart`, `TooEarlyToReport`, `NeverCame` or `OtherCame`.
    """
    if session.state is not OrderState.CONFIRMED:
        raise NotConfirmed
    if by not in ("mentee", "mentor"):
        raise NotYourPart
    reports_from = session.starts_at + terms.absent_after
    if now < reports_from:
        raise TooEarlyToReport(reports_from=reports_from.isoformat())
    seen = tuple(visits)
    arrived_at = arrival(session, by, seen)
    if arrived_at is None:
        raise NeverCame
    other: Side = "mentor" if by == "mentee" else "mentee"
    came_at = arrival(session, other, seen)
    # Whoever comes even later than the one they report was not the one who waited.
    if came_at and came_at < max(reports_from, arrived_at):
        raise OtherCame(joined_at=came_at.isoformat())
    return _missed(order, session, other, seen, now)


def end_by_itself(
    order: Order, session: Session, visits: Iterable[Visit], *, now: datetime
) -> Change:
    """Return the order with a session over about which nobody said anything.

    It took place, unless the record shows a mentee who came to a mentor who did not
    (docs/decisions/0021). Raises what `complete` raises.
    """
    seen = tuple(visits)
    completed = complete(order, session, "system", tell_visits(seen), now=now)
    waited = arrival(session, "mentee", seen) is not None
    in_vain = waited and arrival(session, "mentor", seen) is None
    return _missed(order, session, "mentor", seen, now) if in_vain else completed


def _missed(
    order: Order, session: Session, missing: Side, seen: Sequence[Visit], now: datetime
) -> Change:
    share = WHOLE if missing == "mentor" else NOTHING
    return change_session(
        order,
        session,
        SessionMissed,
        {"state": OrderState.NO_SHOW, "missed_by": missing, "refund_basis_points": share},
        missed_by=missing,
        missed_at=now,
        refund_basis_points=share,
        credit_basis_points=MENTOR_FAILED_CREDIT if missing == "mentor" else 0,
        visits=tell_visits(seen),
    )
