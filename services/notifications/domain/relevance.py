"""Whether a message still makes sense when its time has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from services.notifications.domain.messages import (
    REMIND_HOUR_BEFORE,
    REMINDERS,
    SECRET_KINDS,
    Situation,
)
from services.notifications.domain.orders import Session, SessionState

Rule = Callable[[Situation], str | None]
"""Returns why a message makes no sense any more, or nothing when it is to be sent."""


def reason_to_skip(situation: Situation) -> str | None:
    """Return why a message makes no sense any more, or nothing when it is to be sent."""
    if situation.erased:
        return "person_erased"
    rule = _RULES.get(situation.message.kind)
    return rule(situation) if rule else None


def _not_outdated(state: str) -> Rule:
    return lambda situation: None if situation.mentor_state == state else "state_changed_since"


def _while_open(state: SessionState) -> Rule:
    """Return the rule of what can be done until an instant, while nobody did it."""

    def rule(situation: Situation) -> str | None:
        until = situation.message.instant("until")
        if until and situation.now >= until:
            return "time_over"
        return _stands(situation.session, state)

    return rule


def _stands(session: Session | None, state: SessionState) -> str | None:
    if session is None:
        return "session_unknown"
    return None if session.state == state else f"session_{session.state}"


def _confirmed(situation: Situation) -> str | None:
    # Of a series this is the first that takes place: it is worth confirming while there is one.
    return _stands(situation.session, "confirmed")


def _remind(situation: Situation) -> str | None:
    session, message = situation.session, situation.message
    if session is None or session.state != "confirmed":
        return _stands(session, "confirmed")
    if message.planned_at != session.starts_at - REMINDERS[message.kind]:
        return "session_moved"
    if situation.now >= session.starts_at:
        return "session_begun"
    late = situation.now >= session.starts_at - REMIND_HOUR_BEFORE
    return "next_reminder_due" if late and message.kind == "reminder_day" else None


def _propose(situation: Situation) -> str | None:
    session = situation.session
    if session is None or session.proposal != situation.message.details["proposal"]:
        return "answered_already"
    return _while_open("confirmed")(situation)


def _moved(situation: Situation) -> str | None:
    session = situation.session
    if session and session.calendar_sequence != situation.message.details["sequence"]:
        return "moved_again"
    return _stands(session, "confirmed")


def _object(situation: Situation) -> str | None:
    session = situation.session
    return None if session and session.objected else "settled_already"


def _ask_review(situation: Situation) -> str | None:
    order, session = situation.order, situation.session
    done = order and session and order.reviewed_by(situation.message.person_id, session)
    return "reviewed_already" if done else None


def _link_good(situation: Situation) -> str | None:
    return "link_expired" if situation.secret_over else None


def _account_ready(situation: Situation) -> str | None:
    return None if situation.can_receive else "state_changed_since"


def _in_time(situation: Situation) -> str | None:
    until = situation.message.instant("until")
    return "time_over" if until and situation.now >= until else None


_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(SECRET_KINDS, _link_good),
    **dict.fromkeys(REMINDERS, _remind),
    "request_received": _while_open("requested"),
    "request_sent": _while_open("requested"),
    "request_accepted": _while_open("held"),
    "request_unpaid": lambda situation: _stands(situation.session, "expired"),
    "waitlist_offered": _while_open("offered"),
    "session_confirmed": _confirmed,
    "move_proposed": _propose,
    "move_declined": _confirmed,
    "session_moved": _moved,
    "objection_raised": _object,
    "review_wanted": _ask_review,
    "mentor_approved": _not_outdated("approved"),
    "mentor_changes_requested": _not_outdated("changes_requested"),
    "mentor_suspended": _not_outdated("suspended"),
    "account_ready": _account_ready,
    "credits_expiring": _in_time,
    "amends_granted": _in_time,
    "amends_expiring": _in_time,
}
"""What must still hold at send time; a kind that is not here always goes out."""
