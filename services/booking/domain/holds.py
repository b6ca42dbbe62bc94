"""Taking a mentor's time for a mentee, and giving it back (product: *Holding and paying*)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.booking.domain.offerings import Offering, OfferingNotPublished
from services.booking.domain.orders import (
    UNANSWERED,
    Answer,
    Change,
    NotHeld,
    Order,
    OrderState,
    Session,
    change,
    sold,
    tell,
)
from services.booking.domain.terms import Terms
from services.booking.slots import Interval, Rules, is_offered
from shared.contracts.booking import (
    BookingExpired,
    BookingHeld,
    BookingRequested,
    FrozenPolicy,
    OrderFact,
    RequestLapsed,
    Suggestion,
    WaitlistOffered,
    WaitlistOfferEnded,
)
from shared.errors import Kind, Refusal
from shared.ids import OrderId, PersonId, SessionId


class SlotTaken(Refusal):
    """The time is sold; `whose` says whether the mentor's or one's own."""

    code = "slot_taken"
    detail = "Somebody was faster, or you have a session at that time; choose another slot."


class SlotNotOffered(Refusal):
    """No session of this offering starts then."""

    code = "slot_not_offered"
    detail = "Load the slots again and choose one of them."


class OwnOffering(Refusal):
    """Nobody can book themselves."""

    code = "own_offering"
    detail = "This is your own offering."


class MentorUnavailable(Refusal):
    """The mentor takes no new sessions."""

    code = "mentor_unavailable"
    detail = "This mentor takes no new sessions; choose another mentor."


class PolicyChanged(Refusal):
    """The accepted cancellation policy is not the one of the offering now."""

    code = "policy_changed"
    detail = "Load the offering again, read its cancellation policy, and accept that one."


class AnswersMissing(Refusal):
    """The mentor asks something that was not answered, or the questions have changed."""

    code = "answers_missing"
    kind = Kind.SHAPE
    detail = "Load the offering again and answer each of its questions that must be answered."


class TooManyHolds(Refusal):
    """The person holds as many slots as one may without paying."""

    code = "too_many_holds"
    detail = "You keep as many slots unpaid as one may: pay for one or give one up, then try again."


class TooManyLapses(Refusal):
    """The person let more slots lapse within a day than one may."""

    code = "too_many_lapses"
    detail = "You held many slots today without taking them; try again tomorrow."


@dataclass(frozen=True)
class Start:
    """When a session shall begin, and the id it will have."""

    session_id: SessionId
    starts_at: datetime


@dataclass(frozen=True)
class Wish:
    """What a mentee asks for, the policy that was shown to them, and what they answered.

    `starts` are in order, and several only for a series.
    """

    order_id: OrderId
    starts: tuple[Start, ...]
    mentee_id: PersonId
    accepted_policy: FrozenPolicy
    answers: tuple[Answer, ...] = ()
    promotion_code: str | None = None


def place_order(
    offering: Offering,
    wish: Wish,
    rules: Rules,
    busy: Sequence[Interval] = (),
    *,
    bookable: bool,
    now: datetime,
    terms: Terms,
) -> Change:
    """Return the order, held or requested; whether its time is sold is for the database to say.

    `busy`: what the mentor's own calendars say. `bookable`: the mentor is approved. Raises
    `SlotNotOffered` and what `check_wish` raises.
    """
    check_wish(offering, wish, bookable=bookable)
    policy = offering.slot_policy(terms)
    if not all(is_offered(rules, policy, now, start.starts_at, busy) for start in wish.starts):
        raise SlotNotOffered
    if offering.content.by_request:
        order = draft_order(offering, wish, OrderState.REQUESTED, now=now, terms=terms)
        return order, told_unanswered(order, BookingRequested)
    order = draft_order(offering, wish, OrderState.HELD, now=now, terms=terms)
    return order, told_held(order)


def check_wish(offering: Offering, wish: Wish, *, bookable: bool) -> None:
    """Raise what forbids a purchase whatever its time.

    That is `OwnOffering`, `OfferingNotPublished`, `MentorUnavailable`, `PolicyChanged` or
    `AnswersMissing`.
    """
    if offering.mentor_id == wish.mentee_id:
        raise OwnOffering
    if not offering.is_published:
        raise OfferingNotPublished
    if not bookable:
        raise MentorUnavailable
    if wish.accepted_policy != _reference(offering):
        raise PolicyChanged(policy_version=offering.policy.policy_version)
    check_answers(offering, wish.answers)


def check_answers(offering: Offering, answers: Iterable[Answer]) -> None:
    """Raise `AnswersMissing` unless what the mentor asks was answered, and nothing else."""
    asked = {question.text: question.required for question in offering.content.questions}
    given = {answer.question for answer in answers}
    if not given <= asked.keys() or any(asked[text] and text not in given for text in asked):
        raise AnswersMissing


def check_open_holds(others: int, terms: Terms) -> None:
    """Raise `TooManyHolds` when somebody with `others` open holds may not have one more."""
    if others >= terms.open_holds:
        raise TooManyHolds(at_most=terms.open_holds)


def check_lapses(lapsed: int, terms: Terms) -> None:
    """Raise `TooManyLapses` when somebody let too many slots lapse within a day."""
    if lapsed >= terms.lapses_a_day:
        raise TooManyLapses(at_most=terms.lapses_a_day)


def expire(order: Order, next_best: Suggestion | None = None) -> Change | None:
    """Return the order without its time because it ran out; nothing when it did not wait.

    Whoever asked in vain is told of the `next_best` mentor.
    """
    if order.state is OrderState.HELD:
        return change(order, OrderState.EXPIRED, BookingExpired)
    if order.state is OrderState.REQUESTED:
        return change(order, OrderState.LAPSED, RequestLapsed, next_best=next_best)
    if order.state is OrderState.OFFERED:
        return change(order, OrderState.LAPSED, WaitlistOfferEnded, by="system")
    return None


def end_hold(order: Order) -> Change | None:
    """Return the order expired when it is held; nothing when it is not held (any more)."""
    return expire(order) if order.state is OrderState.HELD else None


def release_hold(order: Order) -> Change:
    """Return the order expired because the mentee gives it up; raises `NotHeld`."""
    if order.state is not OrderState.HELD:
        raise NotHeld
    return change(order, OrderState.EXPIRED, BookingExpired, {"given_up": True}, by="mentee")


def draft_order(
    offering: Offering, wish: Wish, state: OrderState, *, now: datetime, terms: Terms
) -> Order:
    """Return a purchase with everything frozen that was sold; a series costs N times the price."""
    content = offering.content
    first = wish.starts[0].starts_at
    hold_until, expires_at = _deadlines(offering, state, first, now, terms)
    return Order(
        order_id=wish.order_id,
        offering_id=offering.offering_id,
        offering_revision=offering.revision,
        mentor_id=offering.mentor_id,
        mentee_id=wish.mentee_id,
        title=content.title,
        buffer_before_minutes=content.buffer_before_minutes,
        buffer_after_minutes=content.buffer_after_minutes,
        minimum_notice_minutes=content.minimum_notice_minutes,
        price_minor=content.price_minor * len(wish.starts),
        currency=content.currency,
        policy=offering.policy,
        hold_until=hold_until,
        expires_at=expires_at,
        sessions=tuple(_session(offering, start, state, terms) for start in wish.starts),
        answers=wish.answers,
        promotion_code=wish.promotion_code,
    )


def told_held(order: Order) -> OrderFact:
    """Return the fact that a purchase is held, with everything that paying needs."""
    policy = FrozenPolicy(preset=order.policy.preset, policy_version=order.policy.policy_version)
    return tell(
        order,
        BookingHeld,
        **_said_of(order),
        hold_until=order.hold_until,
        policy=policy,
        promotion_code=order.promotion_code,
    )


def told_unanswered(
    order: Order, kind: type[BookingRequested] | type[WaitlistOffered]
) -> OrderFact:
    """Return the fact that one of the two has to agree, and until when."""
    return tell(order, kind, **_said_of(order), answer_by=order.expires_at)


def request_window(order: Order, now: datetime, terms: Terms) -> datetime:
    """Return until when the mentor answers a request that is made now."""
    notice = timedelta(minutes=max(order.minimum_notice_minutes, terms.payment_minutes))
    return _answer_by(order.sessions[0].starts_at - notice, terms.request_answer, now)


def _deadlines(
    offering: Offering, state: OrderState, first: datetime, now: datetime, terms: Terms
) -> tuple[datetime, datetime]:
    if state not in UNANSWERED:
        return now + terms.hold, now + terms.hold + terms.hold_grace
    # After an answer there must be time left to pay before the session may no longer be booked.
    patience = terms.request_answer if state is OrderState.REQUESTED else terms.offer_answer
    notice = timedelta(minutes=offering.slot_policy(terms).minimum_notice_minutes)
    answer_by = _answer_by(first - notice, patience, now)
    return answer_by, answer_by


def _answer_by(latest: datetime, patience: timedelta, now: datetime) -> datetime:
    return min(now + patience, max(now, latest))


def _session(offering: Offering, start: Start, state: OrderState, terms: Terms) -> Session:
    ends_at = start.starts_at + timedelta(minutes=offering.content.minutes)
    return Session(
        session_id=start.session_id,
        starts_at=start.starts_at,
        ends_at=ends_at,
        price_minor=offering.content.price_minor,
        state=state,
        completes_at=ends_at + terms.completion_delay,
    )


def _reference(offering: Offering) -> FrozenPolicy:
    policy = offering.policy
    return FrozenPolicy(preset=policy.preset, policy_version=policy.policy_version)


def _said_of(order: Order) -> dict[str, Any]:
    return {
        "offering_id": order.offering_id,
        "title": order.title,
        "price_minor": order.price_minor,
        "currency": order.currency,
        "sessions": sold(order),
    }
