"""Orders in every state, for tests of pure rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.booking.domain.cancellation import PRESETS
from services.booking.domain.holds import end_hold, expire
from services.booking.domain.moves import Meaning, MoveWish, move
from services.booking.domain.objections import raise_objection
from services.booking.domain.orders import Change, Order, OrderState, Session
from services.booking.domain.requests import decline
from services.booking.domain.sessions import CallOff, cancel, complete
from services.booking.domain.settlement import settle
from services.booking.domain.terms import Terms
from shared.ids import OfferingId, OrderId, PersonId, SessionId

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STARTS = datetime(2026, 3, 6, 14, 0, tzinfo=UTC)
ENDS = STARTS + timedelta(hours=1)

HELD = Order(
    order_id=OrderId(UUID(int=1)),
    offering_id=OfferingId(UUID(int=3)),
    offering_revision=1,
    mentor_id=PersonId(UUID(int=4)),
    mentee_id=PersonId(UUID(int=5)),
    title="Career talk",
    buffer_before_minutes=5,
    buffer_after_minutes=10,
    minimum_notice_minutes=60,
    price_minor=12_000,
    currency="USD",
    policy=PRESETS["standard"],
    hold_until=NOW + timedelta(minutes=15),
    expires_at=NOW + timedelta(minutes=17),
    sessions=(
        Session(
            session_id=SessionId(UUID(int=2)),
            starts_at=STARTS,
            ends_at=ENDS,
            price_minor=12_000,
            state=OrderState.HELD,
            completes_at=ENDS + timedelta(hours=24),
        ),
    ),
)


def done(changed: Change | None) -> Order:
    """Return the order of a change that must have happened."""
    assert changed
    return changed[0]


CONFIRMED = done(settle(HELD, None, now=NOW))
COMPLETED = done(complete(CONFIRMED, CONFIRMED.lead, "mentee", now=ENDS))
LATER = STARTS + timedelta(hours=3)
"""Another time for the session."""
MENTORS_MOVE = MoveWish(LATER, Meaning(immediate=False, refundable_after=True))
EXPIRED = done(end_hold(HELD))


def standing(state: OrderState, **fields: Any) -> Order:
    """Return the held order as it stands in another state."""
    session = replace(HELD.lead, state=state, **fields)
    return replace(HELD, sessions=(session,))


REQUESTED = standing(OrderState.REQUESTED)
IN_STATE: dict[str, Order] = {
    "requested": REQUESTED,
    "offered": standing(OrderState.OFFERED),
    "held": HELD,
    "confirmed": CONFIRMED,
    "move proposed": done(
        move(CONFIRMED, CONFIRMED.lead, "mentor", MENTORS_MOVE, now=NOW, terms=Terms())
    ),
    "completed": COMPLETED,
    "objected to": done(
        raise_objection(COMPLETED, COMPLETED.lead, "mentee", "Too short.", now=ENDS, terms=Terms())
    ),
    "no_show": replace(standing(OrderState.NO_SHOW, missed_by="mentee"), confirmed_at=NOW),
    "declined": done(decline(REQUESTED, "mentor", None, now=NOW)),
    "lapsed": done(expire(REQUESTED)),
    "expired": EXPIRED,
    "cancelled": done(cancel(CONFIRMED, CONFIRMED.lead, "mentor", CallOff(shown=10_000), now=NOW)),
    "cancelled while held": done(cancel(HELD, HELD.lead, "mentor", CallOff(), now=NOW)),
    "lost": done(settle(EXPIRED, "time_sold", now=NOW)),
}
