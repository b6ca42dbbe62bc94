"""Every state of an order and everything that can happen to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta

import pytest

from services.booking.domain.absence import Visit, end_by_itself, report_absence
from services.booking.domain.allowed import can
from services.booking.domain.holds import end_hold, expire, release_hold
from services.booking.domain.moves import (
    Meaning,
    MoveWish,
    accept_move,
    decline_move,
    lapse_move,
    move,
)
from services.booking.domain.objections import raise_objection, settle_objection
from services.booking.domain.orders import Change, Order, OrderState
from services.booking.domain.requests import accept, decline
from services.booking.domain.sessions import CallOff, cancel, complete
from services.booking.domain.settlement import is_settled, obstacle, settle
from services.booking.domain.terms import Terms
from shared.contracts.booking import BookingExpired, LostReason
from shared.errors import Refusal
from tests.booking.orders import ENDS, HELD, IN_STATE, LATER, MENTORS_MOVE, NOW, STARTS

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
    return cancel(order, order.lead, "mentee", CallOff(shown=10_000), now=NOW)


def mentor_cancels(order: Order) -> Change:
    return cancel(order, order.lead, "mentor", CallOff(shown=10_000), now=NOW)


def mentor_cancels_begun(order: Order) -> Change:
    return cancel(order, order.lead, "mentor", CallOff(shown=10_000), now=STARTS)


def operator_cancels(order: Order) -> Change:
    return cancel(order, order.lead, "operator", CallOff(chosen=2_500), now=ENDS)


def mentee_completes(order: Order) -> Change:
    return complete(order, order.lead, "mentee", now=ENDS)


def mentee_completes_early(order: Order) -> Change:
    return complete(order, order.lead, "mentee", now=ENDS - timedelta(microseconds=1))


def mentor_accepts(order: Order) -> Change:
    return accept(order, "mentor", now=NOW, terms=TERMS)


def mentee_accepts(order: Order) -> Change:
    return accept(order, "mentee", now=NOW, terms=TERMS)


def mentor_declines(order: Order) -> Change:
    return decline(order, "mentor", None, now=NOW)


def mentee_withdraws(order: Order) -> Change:
    return decline(order, "mentee", None, now=NOW)


def mentee_moves(order: Order) -> Change:
    wish = MoveWish(LATER, Meaning(immediate=True, refundable_after=True))
    return move(order, order.lead, "mentee", wish, now=NOW, terms=TERMS)


def mentee_moves_late(order: Order) -> Change:
    """Inside the cancellation window."""
    wish = MoveWish(LATER, Meaning(immediate=False, refundable_after=False))
    return move(order, order.lead, "mentee", wish, now=STARTS - timedelta(hours=23), terms=TERMS)


def mentor_moves(order: Order) -> Change:
    return move(order, order.lead, "mentor", MENTORS_MOVE, now=NOW, terms=TERMS)


def mentee_accepts_move(order: Order) -> Change:
    return accept_move(order, order.lead, "mentee", now=NOW)


def mentor_accepts_move(order: Order) -> Change:
    return accept_move(order, order.lead, "mentor", now=NOW)


def mentee_declines_move(order: Order) -> Change:
    return decline_move(order, order.lead, "mentee")


def move_lapses(order: Order) -> Change | None:
    return lapse_move(order, order.lead, now=NOW + TERMS.move_answer)


def mentee_waits_in_vain(order: Order) -> Change:
    return report_absence(order, order.lead, "mentee", ALONE, now=WAITED, terms=TERMS)


def mentee_reports_early(order: Order) -> Change:
    return report_absence(order, order.lead, "mentee", ALONE, now=STARTS, terms=TERMS)


def nobody_says_anything(order: Order) -> Change:
    return end_by_itself(order, order.lead, (), now=order.lead.completes_at)


def mentee_waited_and_says_nothing(order: Order) -> Change:
    return end_by_itself(order, order.lead, ALONE, now=order.lead.completes_at)


def mentee_objects(order: Order) -> Change:
    return raise_objection(order, order.lead, "mentee", "We were cut off.", now=ENDS, terms=TERMS)


def operator_settles(order: Order) -> Change:
    return settle_objection(order, order.lead, 5_000, "Half was held.", now=ENDS)


WAITED = STARTS + TERMS.absent_after
ALONE = (Visit("mentee", STARTS, None),)
"""The record of a session to which the mentor did not come."""
NOTHING = "-"
STATES = tuple(IN_STATE)
PAID = ("confirmed", "move proposed")
NEVER_PAYABLE = ("requested", "offered", "declined", "lapsed", "cancelled while held")
LOST_LATE = dict.fromkeys(NEVER_PAYABLE, "BookingLost:cancelled")
"""Money for what cannot be paid any more, or never could, goes back."""
DECLINED = {"requested": "RequestDeclined", "offered": "WaitlistOfferEnded"}
CALLED_OFF = {"held": "BookingExpired"} | dict.fromkeys(PAID, "BookingCancelled")
TABLE: dict[Event, tuple[str, dict[str, str]]] = {
    pay: (NOTHING, LOST_LATE | {"held": "BookingConfirmed", "expired": "BookingConfirmed"}),
    pay_suspended: (
        NOTHING,
        LOST_LATE | {"held": "BookingConfirmed", "expired": "BookingLost:mentor_unavailable"},
    ),
    pay_begun: (
        NOTHING,
        LOST_LATE | {"held": "BookingLost:begun", "expired": "BookingLost:begun"},
    ),
    pay_sold: (
        NOTHING,
        LOST_LATE | {"held": "BookingConfirmed", "expired": "BookingLost:time_sold"},
    ),
    expire: (
        NOTHING,
        {"requested": "RequestLapsed", "offered": "WaitlistOfferEnded", "held": "BookingExpired"},
    ),
    end_hold: (NOTHING, {"held": "BookingExpired"}),
    release_hold: ("not_held", {"held": "BookingExpired"}),
    mentor_accepts: ("not_requested", {"requested": "BookingHeld"}),
    mentee_accepts: ("not_requested", {"requested": "not_your_part"}),
    mentor_declines: ("not_requested", DECLINED),
    mentee_withdraws: ("not_requested", DECLINED),
    mentee_cancels: ("not_confirmed", CALLED_OFF),
    mentor_cancels: ("not_confirmed", CALLED_OFF),
    mentor_cancels_begun: (
        "not_confirmed",
        {"held": "BookingExpired"} | dict.fromkeys(PAID, "session_begun"),
    ),
    operator_cancels: ("not_confirmed", CALLED_OFF),
    mentee_completes: ("not_confirmed", dict.fromkeys(PAID, "SessionCompleted")),
    mentee_completes_early: ("not_confirmed", dict.fromkeys(PAID, "not_ended")),
    mentee_moves: (
        "not_confirmed",
        {"confirmed": "SessionMoved", "move proposed": "proposal_open"},
    ),
    mentee_moves_late: (
        "not_confirmed",
        {"confirmed": "MoveProposed", "move proposed": "proposal_open"},
    ),
    mentor_moves: (
        "not_confirmed",
        {"confirmed": "MoveProposed", "move proposed": "proposal_open"},
    ),
    mentee_accepts_move: ("no_proposal", {"move proposed": "SessionMoved"}),
    mentor_accepts_move: ("no_proposal", {"move proposed": "not_your_part"}),
    mentee_declines_move: ("no_proposal", {"move proposed": "MoveDeclined"}),
    move_lapses: (NOTHING, {"move proposed": "MoveDeclined"}),
    mentee_waits_in_vain: ("not_confirmed", dict.fromkeys(PAID, "SessionMissed")),
    mentee_reports_early: ("not_confirmed", dict.fromkeys(PAID, "too_early_to_report")),
    nobody_says_anything: ("not_confirmed", dict.fromkeys(PAID, "SessionCompleted")),
    mentee_waited_and_says_nothing: ("not_confirmed", dict.fromkeys(PAID, "SessionMissed")),
    mentee_objects: (
        "not_over",
        {
            "completed": "ObjectionRaised",
            "no_show": "ObjectionRaised",
            "objected to": "objected_before",
        },
    ),
    operator_settles: ("no_objection", {"objected to": "ObjectionSettled"}),
}
"""What each event does: everywhere (a fact, a refusal's code, or nothing) but in these states."""

CASES = [
    (event, state, elsewhere.get(state, usual))
    for event, (usual, elsewhere) in TABLE.items()
    for state in STATES
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


@pytest.mark.parametrize("state", STATES)
def test_time_is_blocked_exactly_while_it_is_sold(state: str):
    """Whatever waits for an answer or money, takes place or took place keeps both people's time."""
    assert IN_STATE[state].lead.blocks_time is (
        state in ("requested", "offered", "held", *PAID, "completed", "objected to", "no_show")
    )
    assert is_settled(IN_STATE[state]) is (
        state in (*PAID, "completed", "objected to", "no_show", "cancelled", "lost")
    )


def test_calendars_hear_of_a_confirmation_and_of_a_cancellation_after_it():
    """SEQUENCE is 0 with the invitation and 1 when it is called off."""
    assert IN_STATE["confirmed"].lead.calendar_sequence == 0
    assert IN_STATE["cancelled"].lead.calendar_sequence == 1
    assert IN_STATE["cancelled while held"].lead.calendar_sequence == 0


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
        ("confirmed", "mentee", -60, "cancel move"),
        ("confirmed", "mentee", -15, "cancel join move"),
        ("confirmed", "operator", -15, "cancel"),
        ("confirmed", "mentor", 0, "join"),
        ("confirmed", "mentor", 15, "join report_absence"),
        ("confirmed", "mentee", 60, "complete join report_absence"),
        ("confirmed", "mentor", 60, "join report_absence"),
        ("confirmed", "mentee", 90, "complete report_absence"),
        ("confirmed", "operator", 90, "cancel"),
        ("move proposed", "mentee", -60 * 90, "cancel answer_move"),
        ("move proposed", "mentor", -60 * 90, "cancel"),
        ("move proposed", "mentee", -60, "cancel"),
        ("completed", "mentee", 60, "object"),
        ("completed", "operator", 60, ""),
        ("objected to", "mentor", 60, ""),
        ("no_show", "mentor", 60, "object"),
        ("lost", "mentee", -60, ""),
    ],
)
def test_each_side_is_told_what_it_may_do(
    state: str, by: str, minutes_from_start: int, allowed: str
):
    """The room opens 15 minutes before and closes 30 minutes after; the mentee completes.

    Both may move the session before it begins, and answer what the other proposes within 48 hours.
    """
    now = STARTS + timedelta(minutes=minutes_from_start)
    assert by in ("mentee", "mentor", "operator")
    found = can(IN_STATE[state].lead, by, now=now, terms=TERMS)
    assert [name for name, may in asdict(found).items() if may] == allowed.split()


@pytest.mark.parametrize(("ended", "by", "reason_given"), [
    (end_hold(HELD), "system", False),
    (release_hold(HELD), "mentee", False),
    (cancel(HELD, HELD.lead, "mentor", CallOff("I am ill."), now=NOW), "mentor", True),
])  # fmt: skip
def test_a_hold_that_ended_says_who_ended_it(ended: Change, by: str, reason_given: bool):
    """Whoever hears of it can tell the other side what happened."""
    fact = ended[1]
    assert isinstance(fact, BookingExpired)
    assert (fact.by, fact.reason_given) == (by, reason_given)
