"""What follows from Stripe's answers: from each kind of call to the command it leads to."""

from __future__ import annotations

from datetime import datetime

from services.payments.commands import (
    accounts,
    orders,
    recovery,
    refunds,
    subscriptions,
    transfers,
)
from services.payments.commands.books import keep_movements
from services.payments.commands.disputes import follow_dispute, note_answer, note_refusal
from services.payments.commands.webhooks import keep_events
from services.payments.domain.accounts import UNREACHABLE
from services.payments.domain.operations import Refused
from services.payments.domain.requests import (
    CreateAccount,
    CreateAccountLink,
    CreateCheckout,
    CreateRefund,
    CreateReversal,
    CreateTransfer,
    DisputeRequest,
    ExpireCheckout,
    LookAtAccount,
    LookAtCheckout,
    LookAtDispute,
    LookAtPayout,
    LookAtRefund,
    MentorRequest,
    ReadEvents,
    ReadMovements,
    Request,
)
from services.payments.domain.seen import (
    AccountLinkSeen,
    AccountSeen,
    BooksSeen,
    CheckoutSeen,
    DisputeSeen,
    EventsSeen,
    PayoutSeen,
    RefundSeen,
    ReversalSeen,
    Seen,
    TransferSeen,
)
from services.payments.domain.subscription_calls import SubscriptionRequest, SubscriptionSeen
from shared.db import Connection


class AnswerUnexpected(TypeError):
    """A call was answered with something that does not belong to it: a mistake of ours."""


async def apply_answer(
    conn: Connection,
    request: Request,
    seen: Seen,
    now: datetime,
    *,
    sent_at: datetime | None = None,
) -> None:
    """Do everything that follows from an answer, in the transaction that ends the call.

    `sent_at` is when the call was first sent: what it shows is not older.
    """
    if isinstance(request, MentorRequest):
        return await _about_mentor(conn, request, seen, now)
    if isinstance(request, LookAtPayout) and isinstance(seen, PayoutSeen):
        return await accounts.follow_payout(conn, request.mentor_id, seen, now)
    if isinstance(request, ReadEvents) and isinstance(seen, EventsSeen):
        return await keep_events(conn, request, seen, now)
    if isinstance(request, ReadMovements) and isinstance(seen, BooksSeen):
        return await keep_movements(conn, request, seen, now)
    if isinstance(request, SubscriptionRequest) and isinstance(seen, SubscriptionSeen):
        return await subscriptions.follow(conn, request, seen, now, sent_at=sent_at or now)
    if isinstance(request, LookAtDispute) and isinstance(seen, DisputeSeen):
        return await follow_dispute(conn, request, seen, now)
    if isinstance(request, DisputeRequest) and isinstance(seen, DisputeSeen):
        return await note_answer(conn, request, now)
    return await _about_order(conn, request, seen, now)


async def apply_refusal(
    conn: Connection, request: Request, refused: Refused, now: datetime
) -> None:
    """Do what follows from a definite no; a refused look-up changes nothing but of an account."""
    if isinstance(request, CreateCheckout):
        order = await orders.need_order(conn, request.order_id)
        await orders.close_order(conn, order, refused.code, now)
    elif isinstance(request, CreateRefund):
        await refunds.refuse_refund(conn, request.refund_id, refused.code, now)
    elif isinstance(request, CreateTransfer):
        await transfers.refuse_transfer(conn, request, refused.code, now)
    elif isinstance(request, CreateReversal):
        await recovery.refuse_reversal(conn, request, refused.code, now)
    elif isinstance(request, CreateAccount):
        await accounts.refuse_account(conn, request.mentor_id, refused.code)
    elif isinstance(request, SubscriptionRequest):
        await subscriptions.refuse(conn, request, refused.code, now)
    elif isinstance(request, DisputeRequest):
        await note_refusal(conn, request, refused.code, now)
    elif refused.code in UNREACHABLE:
        await _miss_account(conn, request, now)


async def _miss_account(conn: Connection, request: Request, now: datetime) -> None:
    """Look at an account that a call did not find; one that is not there either is lost."""
    if isinstance(request, LookAtAccount):
        await accounts.lose_account(conn, request, now)
    elif isinstance(request, CreateAccountLink | ReadEvents) and request.account_id:
        await accounts.look_for_account(conn, request.account_id, now)


async def _about_mentor(
    conn: Connection, request: MentorRequest, seen: Seen, now: datetime
) -> None:
    if isinstance(seen, AccountLinkSeen):
        await accounts.record_link(conn, request.mentor_id, seen)
    elif isinstance(seen, AccountSeen):
        follow = (
            accounts.record_account
            if isinstance(request, CreateAccount)
            else accounts.follow_account
        )
        await follow(conn, request.mentor_id, seen, now)
    else:
        raise AnswerUnexpected(request.kind)


async def _about_order(conn: Connection, request: Request, seen: Seen, now: datetime) -> None:
    if isinstance(request, CreateCheckout | ExpireCheckout | LookAtCheckout) and isinstance(
        seen, CheckoutSeen
    ):
        await orders.follow_checkout(conn, request.order_id, seen, now)
    elif isinstance(request, CreateRefund | LookAtRefund) and isinstance(seen, RefundSeen):
        await refunds.follow_refund(conn, request, seen, now)
    elif isinstance(request, CreateTransfer) and isinstance(seen, TransferSeen):
        await transfers.record_transfer(conn, request, seen, now)
    elif isinstance(request, CreateReversal) and isinstance(seen, ReversalSeen):
        await recovery.record_reversal(conn, request, seen, now)
    else:
        raise AnswerUnexpected(request.kind)
