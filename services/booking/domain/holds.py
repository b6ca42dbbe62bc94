"""Holding a mentor's time for a mentee, and giving it back (product: *Holding and paying*)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.booking.domain.offerings import Offering, OfferingNotPublished
from services.booking.domain.orders import Change, NotHeld, Order, OrderState, change, tell
from services.booking.domain.terms import Terms
from services.booking.slots import Rules, is_offered
from shared.contracts.booking import BookingExpired, BookingHeld, FrozenPolicy, OrderFact
from shared.errors import Refusal
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


class TooManyHolds(Refusal):
    """The person holds as many slots as one may without paying."""

    code = "too_many_holds"
    detail = "Pay for a slot you hold or give one up, then hold another."


@dataclass(frozen=True)
class Wish:
    """What a mentee asks for, and the policy that was shown to them."""

    order_id: OrderId
    session_id: SessionId
    mentee_id: PersonId
    starts_at: datetime
    accepted_policy: FrozenPolicy


def place_hold(
    offering: Offering, wish: Wish, rules: Rules, *, bookable: bool, now: datetime, terms: Terms
) -> Change:
    """Return the held order; whether its time is free is for the database to say.

    `bookable`: the mentor is approved. Raises `OwnOffering`, `OfferingNotPublished`,
    `MentorUnavailable`, `PolicyChanged` or `SlotNotOffered`.
    """
    if offering.mentor_id == wish.mentee_id:
        raise OwnOffering
    if not offering.is_published:
        raise OfferingNotPublished
    if not bookable:
        raise MentorUnavailable
    if wish.accepted_policy != _reference(offering):
        raise PolicyChanged(policy_version=offering.policy.policy_version)
    if not is_offered(rules, offering.slot_policy(terms), now, wish.starts_at):
        raise SlotNotOffered
    order = _held(offering, wish, now, terms)
    return order, _told_held(order)


def check_open_holds(others: int, terms: Terms) -> None:
    """Raise `TooManyHolds` when somebody with `others` open holds may not have one more."""
    if others >= terms.open_holds:
        raise TooManyHolds(at_most=terms.open_holds)


def expire_hold(order: Order) -> Change | None:
    """Return the order expired; nothing when it is not held (any more)."""
    if order.state is not OrderState.HELD:
        return None
    return change(order, BookingExpired, {"state": OrderState.EXPIRED})


def release_hold(order: Order) -> Change:
    """Return the order expired because the mentee gives it up; raises `NotHeld`."""
    expired = expire_hold(order)
    if expired is None:
        raise NotHeld
    return expired


def _reference(offering: Offering) -> FrozenPolicy:
    policy = offering.policy
    return FrozenPolicy(preset=policy.preset, policy_version=policy.policy_version)


def _held(offering: Offering, wish: Wish, now: datetime, terms: Terms) -> Order:
    content = offering.content
    ends_at = wish.starts_at + timedelta(minutes=content.minutes)
    return Order(
        order_id=wish.order_id,
        session_id=wish.session_id,
        offering_id=offering.offering_id,
        mentor_id=offering.mentor_id,
        mentee_id=wish.mentee_id,
        title=content.title,
        starts_at=wish.starts_at,
        ends_at=ends_at,
        buffer_before_minutes=content.buffer_before_minutes,
        buffer_after_minutes=content.buffer_after_minutes,
        price_minor=content.price_minor,
        currency=content.currency,
        policy=offering.policy,
        state=OrderState.HELD,
        hold_until=now + terms.hold,
        expires_at=now + terms.hold + terms.hold_grace,
        completes_at=ends_at + terms.completion_delay,
    )


def _told_held(order: Order) -> OrderFact:
    policy = FrozenPolicy(preset=order.policy.preset, policy_version=order.policy.policy_version)
    return tell(
        order,
        BookingHeld,
        offering_id=order.offering_id,
        title=order.title,
        price_minor=order.price_minor,
        currency=order.currency,
        hold_until=order.hold_until,
        policy=policy,
    )
