"""Orders in every state, for tests of pure rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.booking.domain.cancellation import PRESETS
from services.booking.domain.holds import expire_hold
from services.booking.domain.orders import Change, Order, OrderState
from services.booking.domain.sessions import CallOff, cancel, complete
from services.booking.domain.settlement import settle
from shared.ids import OfferingId, OrderId, PersonId, SessionId

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STARTS = datetime(2026, 3, 6, 14, 0, tzinfo=UTC)
ENDS = STARTS + timedelta(hours=1)

HELD = Order(
    order_id=OrderId(UUID(int=1)),
    session_id=SessionId(UUID(int=2)),
    offering_id=OfferingId(UUID(int=3)),
    mentor_id=PersonId(UUID(int=4)),
    mentee_id=PersonId(UUID(int=5)),
    title="Career talk",
    starts_at=STARTS,
    ends_at=ENDS,
    buffer_before_minutes=5,
    buffer_after_minutes=10,
    price_minor=12_000,
    currency="USD",
    policy=PRESETS["standard"],
    state=OrderState.HELD,
    hold_until=NOW + timedelta(minutes=15),
    expires_at=NOW + timedelta(minutes=17),
    completes_at=ENDS + timedelta(hours=24),
)


def done(changed: Change | None) -> Order:
    """Return the order of a change that must have happened."""
    assert changed
    return changed[0]


CONFIRMED = done(settle(HELD, None, now=NOW))
EXPIRED = done(expire_hold(HELD))
IN_STATE: dict[str, Order] = {
    "held": HELD,
    "confirmed": CONFIRMED,
    "completed": done(complete(CONFIRMED, "mentee", now=ENDS)),
    "expired": EXPIRED,
    "cancelled": done(cancel(CONFIRMED, "mentor", CallOff(shown=10_000), now=NOW)),
    "cancelled while held": done(cancel(HELD, "mentor", CallOff(), now=NOW)),
    "lost": done(settle(EXPIRED, "time_sold", now=NOW)),
}
