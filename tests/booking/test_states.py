"""Every state of an order and everything that can happen to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from services.booking.domain.holds import expire_hold, release_hold
from services.booking.domain.orders import Change, Order, OrderState
from services.booking.domain.sessions import CallOff, can, cancel, complete
from services.booking.domain.settlement import is_settled, obstacle, settle
from services.booking.domain.terms import Terms
from shared.contracts.booking import LostReason
from shared.errors import Refusal
from tests.booking.orders import ENDS, IN_STATE, NOW, STARTS

TERMS = Terms()
Event = Callable[[Order], Change | None]


def pay(order: Order) -> Change | None:
    return settle(order, obstacle(order, bookable=True, now=NOW), now=NOW)


def pay_suspended(order: Order) -> Change | None:
    return settle(order, obstacle(order, bookable=False, now=NOW), now=NOW)


def pay_begun(order: Order) -> Change | None:
    return settle(order, obstacle(order, bookable=True, now=STARTS), now=STARTS)


def pay_sold(order: Order) -> Change | None:
    """Only a revival sells time once more, so only there it can be sold already."""
    sold: LostReason | None = obstacle(order, bookable=True, now=NOW)
    if sold is None and order.state is OrderState.EXPIRED:
        sold = "time_sold"
    return settle(order, sold, now=NOW)


def mentee_cancels(order: Order) -> Change:
    return cancel(order, "mentee", CallOff(shown=10_000), now=NOW)


def mentor_cancels(order: Order) -> Change:
    return cancel(order, "mentor", CallOff(shown=10_000), now=NOW)


def mentor_cancels_begun(order: Order) -> Change:
    return cancel(order, "mentor", CallOff(shown=10_000), now=STARTS)


def operator_cancels(order: Order) -> Change:
    return cancel(order, "operator", CallOff(chosen=2_500), now=ENDS)


def mentee_completes(order: Order) -> Change:
    return complete(order, "mentee", now=ENDS)


def mentee_completes_early(order: Order) -> Change:
    return complete(order, "mentee", now=ENDS - timedelta(microseconds=1))


NOTHING = "-"
STATES = ("held", "confirmed", "completed", "expired", "cancelled", "cancelled while held", "lost")
TABLE: dict[Event, str] = {
    pay: "BookingConfirmed - - BookingConfirmed - BookingLost:cancelled -",
    pay_suspended: "BookingConfirmed - - BookingLost:mentor_unavailable - BookingLost:cancelled -",
    pay_begun: "BookingLost:begun - - BookingLost:begun - BookingLost:cancelled -",
    pay_sold: "BookingConfirmed - - BookingLost:time_sold - BookingLost:cancelled -",
    expire_hold: "BookingExpired - - - - - -",
    release_hold: "BookingExpired not_held not_held not_held not_held not_held not_held",
    mentee_cancels: "BookingExpired BookingCancelled" + 5 * " not_confirmed",
    mentor_cancels: "BookingExpired BookingCancelled" + 5 * " not_confirmed",
    mentor_cancels_begun: "BookingExpired session_begun" + 5 * " not_confirmed",
    operator_cancels: "BookingExpired BookingCancelled" + 5 * " not_confirmed",
    mentee_completes: "not_confirmed SessionCompleted" + 5 * " not_confirmed",
    mentee_completes_early: "not_confirmed not_ended" + 5 * " not_confirmed",
}
"""What each event does in each state of `STATES`: a fact, a refusal's code, or nothing."""

CASES = [
    (event, state, expected)
    for event, row in TABLE.items()
    for state, expected in zip(STATES, row.split(), strict=True)
]


def outcome(event: Event, order: Order) -> str:
    try:
        changed = event(order)
    except Refusal as refusal:
        return refusal.code
    if changed is None:
        return NOTHING
    after, fact = changed
    assert fact.version == after.version == order.version + 1
    reason = getattr(fact, "reason", None)
    return f"{type(fact).__name__}:{reason}" if after.lost_reason else type(fact).__name__


@pytest.mark.parametrize(
    ("event", "state", "expected"), CASES, ids=lambda value: getattr(value, "__name__", value)
)
def test_what_happens_in_each_state(event: Event, state: str, expected: str):
    """The table is the state machine: one fact, one refusal or nothing at all."""
    assert outcome(event, IN_STATE[state]) == expected


def test_the_table_names_every_state():
    """A new state needs a column."""
    assert {order.state for order in IN_STATE.values()} == set(OrderState)
    assert tuple(IN_STATE) == STATES


@pytest.mark.parametrize("state", STATES)
def test_time_is_blocked_exactly_while_it_is_sold(state: str):
    """Held, confirmed and completed orders keep the time of both people."""
    assert IN_STATE[state].blocks_time is (state in ("held", "confirmed", "completed"))
    assert is_settled(IN_STATE[state]) is (state in ("confirmed", "completed", "cancelled", "lost"))


def test_calendars_hear_of_a_confirmation_and_of_a_cancellation_after_it():
    """SEQUENCE is 0 with the invitation and 1 when it is called off."""
    assert IN_STATE["confirmed"].calendar_sequence == 0
    assert IN_STATE["cancelled"].calendar_sequence == 1
    assert IN_STATE["cancelled while held"].calendar_sequence == 0


def test_the_mentors_seat_spans_the_buffers():
    """Five minutes before and ten after; the mentee's is the session alone."""
    mentor, mentee = IN_STATE["held"].seats()
    assert mentor.during.starts_at == STARTS - timedelta(minutes=5)
    assert mentor.during.ends_at == ENDS + timedelta(minutes=10)
    assert (mentee.during.starts_at, mentee.during.ends_at) == (STARTS, ENDS)


@pytest.mark.parametrize(
    ("state", "by", "minutes_from_start", "allowed"),
    [
        ("held", "mentee", -60, "cancel"),
        ("confirmed", "mentee", -60, "cancel"),
        ("confirmed", "mentee", -15, "cancel join"),
        ("confirmed", "mentor", 0, "join"),
        ("confirmed", "mentee", 60, "complete join"),
        ("confirmed", "mentor", 60, "join"),
        ("confirmed", "mentee", 90, "complete"),
        ("confirmed", "operator", 90, "cancel"),
        ("completed", "mentee", 60, ""),
        ("lost", "mentee", -60, ""),
    ],
)
def test_each_side_is_told_what_it_may_do(
    state: str, by: str, minutes_from_start: int, allowed: str
):
    """The room opens 15 minutes before and closes 30 minutes after; the mentee completes."""
    now = STARTS + timedelta(minutes=minutes_from_start)
    assert by in ("mentee", "mentor", "operator")
    found = can(IN_STATE[state], by, now=now, terms=TERMS)
    names = [name for name in ("cancel", "complete", "join") if getattr(found, name)]
    assert names == allowed.split()
