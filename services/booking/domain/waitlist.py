"""Waiting for a slot: who may, whose turn it is, and what becomes of an offered one.

An entry is worth one offer, as on most lists of the field: whoever passes on it, or does not answer
in time, gives way to the next one, and joins again at the end. An entry whose window has passed is
over without anybody doing anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import NewType
from uuid import UUID

from services.booking.domain.holds import (
    MentorUnavailable,
    OwnOffering,
    Start,
    Wish,
    check_answers,
    draft_order,
    request_window,
    told_held,
    told_unanswered,
)
from services.booking.domain.offerings import Offering, OfferingNotPublished
from services.booking.domain.orders import Answer, Change, NotYourPart, Order, OrderState
from services.booking.domain.requests import check_open
from services.booking.domain.terms import Terms
from services.booking.slots import Interval
from shared.contracts.booking import BookingRequested, FrozenPolicy, WaitlistOffered
from shared.contracts.common import Party
from shared.errors import Kind, Refusal
from shared.ids import OfferingId, OrderId, PersonId, SessionId, new_id

WAITS_AT_MOST = 10
"""How many entries one person has at the same time: nobody waits for everything."""

EntryId = NewType("EntryId", UUID)


class WaitState(Enum):
    """Where an entry stands."""

    WAITING = "waiting"
    OFFERED = "offered"
    TAKEN = "taken"
    PASSED = "passed"
    LEFT = "left"
    OVER = "over"


class WindowNotAhead(Refusal):
    """The window one would wait for is empty, over, or reaches beyond the offering's horizon."""

    code = "window_not_ahead"
    kind = Kind.SHAPE
    detail = "Wait for a window that is ahead, begins before it ends, and ends by latest."


class SlotsAreFree(Refusal):
    """There is nothing to wait for."""

    code = "slots_are_free"
    detail = "There are free slots within this window; choose one of them."


class AlreadyWaiting(Refusal):
    """The person waits for this offering at that time already."""

    code = "already_waiting"
    detail = "You are on this waitlist for that time already; leave it first to change the window."


class TooManyWaits(Refusal):
    """The person waits for as much as one may."""

    code = "too_many_waits"
    detail = "You are on as many waitlists as one can be (see at_most); leave one first."


class NotWaiting(Refusal):
    """A slot was offered, or the person has left already."""

    code = "not_waiting"
    detail = "This entry does not wait any more; if a slot is offered to you, answer the offer."


@dataclass(frozen=True)
class Entry:
    """One person waiting for a start within a window; `offer` is the state of what was offered."""

    entry_id: EntryId
    offering_id: OfferingId
    mentor_id: PersonId
    person_id: PersonId
    window: Interval
    answers: tuple[Answer, ...] = ()
    has_left: bool = False
    order_id: OrderId | None = None
    offer: OrderState | None = None

    def state(self, now: datetime) -> WaitState:
        """Return where the entry stands."""
        if self.has_left:
            return WaitState.LEFT
        if self.offer is None:
            return WaitState.WAITING if now < self.window.ends_at else WaitState.OVER
        if self.offer is OrderState.OFFERED:
            return WaitState.OFFERED
        passed = self.offer in (OrderState.DECLINED, OrderState.LAPSED)
        return WaitState.PASSED if passed else WaitState.TAKEN


def check_entry(
    offering: Offering, entry: Entry, others: Sequence[Entry], *, bookable: bool, now: datetime
) -> None:
    """Raise what forbids to wait; `others` are the person's waiting entries.

    That is `OwnOffering`, `OfferingNotPublished`, `MentorUnavailable`, `WindowNotAhead`,
    `AnswersMissing`, `TooManyWaits` or `AlreadyWaiting`.
    """
    if offering.mentor_id == entry.person_id:
        raise OwnOffering
    if not offering.is_published:
        raise OfferingNotPublished
    if not bookable:
        raise MentorUnavailable
    check_answers(offering, entry.answers)
    latest = now + timedelta(days=offering.content.horizon_days)
    window = entry.window
    # Within the horizon time alone frees nothing: whatever does makes somebody look here.
    if not max(window.starts_at, now) < window.ends_at <= latest:
        raise WindowNotAhead(latest=latest.isoformat())
    if len(others) >= WAITS_AT_MOST:
        raise TooManyWaits(at_most=WAITS_AT_MOST)
    if any(
        each.offering_id == entry.offering_id and each.window.overlaps(window) for each in others
    ):
        raise AlreadyWaiting


def answerable(
    slots: Iterable[Interval], offering: Offering, terms: Terms, now: datetime
) -> list[Interval]:
    """Return the slots for which there is time to answer an offer before the minimum notice."""
    notice = timedelta(minutes=offering.slot_policy(terms).minimum_notice_minutes)
    return [slot for slot in slots if slot.starts_at >= now + notice + terms.hold]


def first_fitting(
    entry: Entry, slots: Iterable[Interval], own: Sequence[Interval]
) -> Interval | None:
    """Return the first slot within the window of an entry at which its person has time."""
    wanted = (
        slot
        for slot in slots
        if entry.window.starts_at <= slot.starts_at < entry.window.ends_at
        and not any(slot.overlaps(busy) for busy in own)
    )
    return next(wanted, None)


def offer_slot(
    offering: Offering, entry: Entry, starts_at: datetime, *, now: datetime, terms: Terms
) -> Change:
    """Return an order that keeps a slot for whoever waits, and the fact that says so."""
    policy = offering.policy
    wish = Wish(
        OrderId(new_id()),
        (Start(SessionId(new_id()), starts_at),),
        entry.person_id,
        FrozenPolicy(preset=policy.preset, policy_version=policy.policy_version),
        entry.answers,
    )
    order = draft_order(offering, wish, OrderState.OFFERED, now=now, terms=terms)
    return order, told_unanswered(order, WaitlistOffered)


def accept_offer(
    order: Order, by: Party, *, by_request: bool, now: datetime, terms: Terms
) -> Change:
    """Return the order held, or requested of a mentor who wants to be asked.

    Raises `NotRequested`, or `NotYourPart` unless the mentee accepts.
    """
    check_open(order, now, OrderState.OFFERED)
    if by != "mentee":
        raise NotYourPart
    if by_request:
        asked = _stand(order, OrderState.REQUESTED, request_window(order, now, terms))
        return asked, told_unanswered(asked, BookingRequested)
    held = _stand(order, OrderState.HELD, now + terms.hold, terms.hold_grace)
    return held, told_held(held)


def _stand(
    order: Order, state: OrderState, until: datetime, grace: timedelta = timedelta(0)
) -> Order:
    return replace(
        order,
        version=order.version + 1,
        hold_until=until,
        expires_at=until + grace,
        sessions=tuple(replace(each, state=state) for each in order.sessions),
    )
