"""What Stripe tells us: stored once, obeyed by reading the object again, found when it was lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from services.payments.commands.plans import WEBHOOKS_BELL, plan
from services.payments.domain.notices import (
    HELD_UP_AFTER,
    PAYMENT_CALLS,
    UNMATCHED_AFTER,
    About,
    about,
    pause_after,
)
from services.payments.domain.requests import (
    LookAtAccount,
    LookAtCheckout,
    LookAtDispute,
    LookAtPayout,
    LookAtRefund,
    ReadEvents,
    Request,
)
from services.payments.domain.seen import EventSeen, EventsSeen
from services.payments.domain.subscription_steps import look
from services.payments.store import (
    accounts,
    disputes,
    operations,
    orders,
    outcomes,
    subscriptions,
)
from services.payments.store import webhooks as store
from services.payments.store.webhooks import Notice
from shared.clock import system_now
from shared.db import Connection, ring
from shared.errors import NotFound
from shared.log import logger

READ_EVENTS_EVERY = timedelta(hours=1)
"""Business time between two readings of the platform's event list."""
EVENTS_KEPT = timedelta(days=30)
"""How long Stripe lists an event (https://docs.stripe.com/api/events)."""
READ_ACCOUNT_EVENTS_EVERY = timedelta(days=1)
"""The same for a connected account: there are many, and a transfer looks for itself."""

_log = logger("webhooks")


class Unmatched(Exception):
    """The event is about nothing of ours, and waiting would not change that."""


async def store_webhook(conn: Connection, event: EventSeen) -> bool:
    """Store an event once; return whether it is new. Unknown types are marked as ignored."""
    state = "ignored" if _tells_nothing(event) else "waiting"
    new = await store.add_webhook(conn, event, state)
    if new and state == "waiting":
        await ring(conn, WEBHOOKS_BELL)
    return new


def _tells_nothing(event: EventSeen) -> bool:
    """Return whether nothing follows; the charge of an invoice is read with its invoice."""
    kind = about(event.type)
    unnamed_charge = kind is About.ORDER and event.type.startswith("charge.") and not event.subject
    return kind is About.NOTHING or unnamed_charge


async def obey_next_webhook(conn: Connection, now: datetime) -> bool:
    """Plan what the stored event whose turn it is makes us read; return whether there was one."""
    notice = await store.next_webhook(conn)
    if notice is None:
        return False
    event = notice.event
    try:
        request = await _request_for(conn, event)
    except Unmatched:
        await _put_aside(conn, event)
        return True
    if request is not None and (call := await _planned(conn, request, now)):
        await store.end_webhook(conn, event.event_id, "obeyed", call)
    elif request is None and await _is_in_vain(conn, notice):
        await _put_aside(conn, event)
    else:
        await _wait(conn, notice)
    return True


async def plan_next_event_read(conn: Connection, now: datetime) -> bool:
    """Plan to read the event list whose turn it is; return whether there was one."""
    await store.add_event_source(conn, None, now, now)
    source = await store.next_event_source(conn, now)
    if source is None:
        return False
    request = source.request
    if now - source.read_at > EVENTS_KEPT:
        # What is older Stripe does not list any more; the books tell what was missed.
        _log.error("events_beyond_retention", source=request.source, read_at=source.read_at)
    pause = READ_ACCOUNT_EVENTS_EVERY if request.account_id else READ_EVENTS_EVERY
    await store.plan_next_read(conn, request.source, now + pause)
    await plan(conn, request, now)
    return True


async def read_events_now(conn: Connection, now: datetime) -> int:
    """Have every event list read now; return how many there are."""
    return await store.read_all_now(conn, now)


async def obey_again(conn: Connection, event_id: str) -> None:
    """Have a notice that matched nothing obeyed anew; raises `NotFound` when it is no such one."""
    if not await store.wait_again(conn, event_id):
        raise NotFound
    await ring(conn, WEBHOOKS_BELL)


async def wake_notices(conn: Connection, *subjects: str) -> None:
    """Have notices obeyed that came before we knew what they are about, or were put aside for it.

    Whoever records an id of Stripe's that notices lead to us by calls this with it.
    """
    if await store.wake(conn, subjects):
        await ring(conn, WEBHOOKS_BELL)


async def follow_account_events(conn: Connection, account_id: str, now: datetime) -> None:
    """Begin to read the events of a new account; what happens from `now` on is found."""
    first_read_at = now + READ_ACCOUNT_EVENTS_EVERY
    await store.add_event_source(conn, account_id, now, first_read_at)


async def leave_account_events(conn: Connection, account_id: str) -> None:
    """Read the events of an account no more that cannot be reached."""
    await store.forget_event_source(conn, account_id)


async def keep_events(
    conn: Connection, request: ReadEvents, seen: EventsSeen, now: datetime
) -> None:
    """Store the events of a list that no webhook brought; remember how far it was read."""
    missed = [event for event in seen.events if await store_webhook(conn, event)]
    if missed:
        _log.info("events_found", source=request.source, events=len(missed))
    here = max((event.created_at for event in seen.events), default=request.since)
    newest = max(here, request.newest or here)
    if seen.complete:
        await store.note_read(conn, request.source, newest, now)
    else:
        older = {"before": seen.events[-1].event_id, "newest": newest}
        await plan(conn, request.model_copy(update=older), now)


async def _planned(conn: Connection, request: Request, now: datetime) -> UUID | None:
    """Write a look down; return the one that begins after the event, if it is certain to."""
    await plan(conn, request, now)
    return await operations.ahead(conn, request)


async def _wait(conn: Connection, notice: Notice) -> None:
    await store.postpone_webhook(conn, notice.event.event_id, pause_after(notice.attempts))


async def _is_in_vain(conn: Connection, notice: Notice) -> bool:
    """Return whether an event was tried for long enough, and no answer that is due may explain it.

    How long ago it came says nothing: the worker or Stripe may have been away meanwhile.
    """
    now, event = system_now(), notice.event
    if notice.first_tried_at is None or now <= notice.first_tried_at + UNMATCHED_AFTER:
        return False
    kinds = PAYMENT_CALLS if about(event.type) is About.DISPUTE else ()
    return not await operations.may_tell(conn, event.subject or "", kinds, now - HELD_UP_AFTER)


async def _put_aside(conn: Connection, event: EventSeen) -> None:
    _log.warning("webhook_unmatched", type=event.type, event_id=event.event_id)
    await store.end_webhook(conn, event.event_id, "unmatched")


async def _request_for(conn: Connection, event: EventSeen) -> Request | None:
    """Return what to read, or None when our own row may still come; raises `Unmatched`."""
    kind = about(event.type)
    if kind is About.ORDER:
        return await _look_at_order(conn, event)
    if kind is About.REFUND:
        return await _look_at_refund(conn, event)
    if kind is About.DISPUTE:
        return await _look_at_dispute(conn, event)
    if kind is About.SUBSCRIPTION:
        return await _look_at_subscription(conn, _our_id(event), event)
    return await _look_at_account(conn, event, kind)


async def _look_at_order(conn: Connection, event: EventSeen) -> Request | None:
    order = await orders.load_order(conn, _our_id(event))
    if order is None:
        return await _look_at_subscription(conn, _our_id(event), event)
    if order.kind == "plan":
        subscription_id = await subscriptions.subscription_of_order(conn, order.order_id)
        return await _look_at_subscription(conn, subscription_id, event)
    if order.checkout_id is None:
        return None
    if event.type.startswith("checkout.") and order.checkout_id != event.object_id:
        raise Unmatched
    return LookAtCheckout(order_id=order.order_id, checkout_id=order.checkout_id)


async def _look_at_refund(conn: Connection, event: EventSeen) -> Request | None:
    refund = await outcomes.load_refund(conn, _our_id(event))
    if refund is None:
        raise Unmatched
    if refund.stripe_refund_id == event.object_id:
        return LookAtRefund(refund_id=refund.refund_id, stripe_refund_id=event.object_id)
    if refund.state != "planned":
        raise Unmatched
    return None


async def _look_at_dispute(conn: Connection, event: EventSeen) -> Request | None:
    """Lead from the payment that is disputed to its purchase, once the payment is recorded."""
    order_id = await disputes.order_of_payment(conn, event.subject or "")
    if order_id is None:
        return None
    return LookAtDispute(order_id=order_id, dispute_id=event.object_id)


async def _look_at_subscription(
    conn: Connection, subscription_id: UUID | None, event: EventSeen
) -> Request | None:
    if subscription_id is None:
        return None
    subscription = await subscriptions.load_subscription(conn, subscription_id)
    if subscription is None:
        raise Unmatched
    if event.type.startswith("checkout.") and subscription.checkout_id not in (
        None,
        event.object_id,
    ):
        raise Unmatched
    return look(subscription, await subscriptions.read_from(conn, subscription.subscription_id))


async def _look_at_account(conn: Connection, event: EventSeen, kind: About) -> Request | None:
    account_id = event.account_id or event.object_id
    mentor_id = await accounts.mentor_of(conn, account_id)
    if mentor_id is None:
        return None
    if kind is About.ACCOUNT:
        return LookAtAccount(mentor_id=mentor_id, account_id=account_id)
    return LookAtPayout(mentor_id=mentor_id, account_id=account_id, payout_id=event.object_id)


def _our_id(event: EventSeen) -> UUID:
    try:
        return UUID(event.subject or "")
    except ValueError:
        raise Unmatched from None
