"""Between our shapes and Stripe's: the parameters we send, and what we keep of its objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from services.payments.domain.requests import (
    CreateAccount,
    CreateCheckout,
    CreateRefund,
    CreateReversal,
    CreateTransfer,
)
from services.payments.domain.seen import (
    AccountSeen,
    BookedSeen,
    CheckoutSeen,
    DisputeSeen,
    EventSeen,
    MovementSeen,
    PaymentSeen,
    PayoutSeen,
    RefundSeen,
    ReversalSeen,
    TransferSeen,
)
from shared.clock import from_epoch_seconds, to_epoch_seconds

SUBJECT_KEYS = ("order_id", "refund_id", "subscription_id", "person_id")
"""Under which names our ids stand in the metadata of Stripe's objects."""

Json = dict[str, Any]


def carries(found: Json, name: str, value: object) -> bool:
    """Return whether an object of Stripe carries our id in its metadata."""
    return _part(found, "metadata").get(name) == str(value)


def checkout_params(request: CreateCheckout) -> Json:
    """Return the parameters of a new payment page."""
    metadata = {"order_id": str(request.order_id)}
    price = {
        "currency": request.currency.lower(),
        "unit_amount": request.amount_minor,
        "product_data": {"name": request.title},
    }
    return {
        "mode": "payment",
        "line_items": [{"price_data": price, "quantity": 1}],
        "client_reference_id": str(request.order_id),
        "metadata": {**metadata, "person_id": str(request.mentee_id)},
        "payment_intent_data": {"metadata": metadata, "transfer_group": str(request.order_id)},
        "payment_method_types": ["card"],
        "expires_at": to_epoch_seconds(request.expires_at),
        "success_url": request.success_url,
        "cancel_url": request.cancel_url,
    }


def refund_params(request: CreateRefund) -> Json:
    """Return the parameters of a refund.

    Those of a first attempt stay as they were: one key is resent with the same parameters only.
    """
    again = {"attempt": str(request.attempt)} if request.attempt > 1 else {}
    return {
        "payment_intent": request.payment_intent_id,
        "amount": request.amount_minor,
        "metadata": {"refund_id": str(request.refund_id), **again},
    }


def transfer_params(request: CreateTransfer) -> Json:
    """Return the parameters of a transfer, tied to its charge if that carries it."""
    named = {
        name: str(value)
        for name in ("order_id", "session_id", "transfer_id")
        if (value := getattr(request, name))
    }
    source = {"source_transaction": request.charge_id} if request.charge_id else {}
    return {
        **source,
        "amount": request.amount_minor,
        "currency": request.currency.lower(),
        "destination": request.account_id,
        "transfer_group": request.group,
        "metadata": named,
    }


def is_transfer(transfer: Json, request: CreateTransfer) -> bool:
    """Return whether a transfer is the effect of a call."""
    if request.transfer_id is not None:
        return carries(transfer, "transfer_id", request.transfer_id)
    only = request.session_id is None  # Then the purchase had no other transfer.
    return carries(transfer, "order_id", request.order_id) and (
        only or carries(transfer, "session_id", request.session_id)
    )


def reversal_params(request: CreateReversal) -> Json:
    """Return the parameters of a reversal of a part of a transfer."""
    metadata = {"order_id": str(request.order_id), "reversal_id": str(request.reversal_id)}
    return {"amount": request.amount_minor, "metadata": metadata}


def account_params(request: CreateAccount) -> Json:
    """Return the parameters of a new Express account; Stripe asks for everything else."""
    return {
        "type": "express",
        "country": request.country,
        "capabilities": {
            "card_payments": {"requested": True},
            "transfers": {"requested": True},
        },
        "metadata": {"person_id": str(request.mentor_id)},
    }


def read_checkout(session: Json) -> CheckoutSeen:
    """Return what we keep of a Checkout Session; its payment when it was expanded."""
    paid = session["status"] == "complete" and session["payment_status"] == "paid"
    intent = session["payment_intent"]
    return CheckoutSeen(
        checkout_id=session["id"],
        status=session["status"],
        url=session.get("url"),
        payment=read_payment(cast("Json", intent)) if paid and isinstance(intent, dict) else None,
    )


def read_payment(intent: Json) -> PaymentSeen:
    """Return what we keep of a payment that succeeded, its charge expanded."""
    charge = intent["latest_charge"]
    booked = _part(charge, "balance_transaction")
    return PaymentSeen(
        payment_intent_id=intent["id"],
        charge_id=charge["id"],
        amount_minor=charge["amount"],
        currency=charge["currency"].upper(),
        paid_at=from_epoch_seconds(charge["created"]),
        fee_minor=booked.get("fee"),
        fee_currency=booked["currency"].upper() if booked else None,
    )


def read_refund(refund: Json) -> RefundSeen:
    """Return what we keep of a refund."""
    return RefundSeen(
        stripe_refund_id=refund["id"],
        status=refund["status"],
        booked=refund.get("balance_transaction") is not None,
        failure_code=refund.get("failure_reason"),
    )


def read_dispute(dispute: Json) -> DisputeSeen:
    """Return what we keep of a dispute and of the money it moved."""
    details = dispute["evidence_details"]
    due_by = details.get("due_by")
    return DisputeSeen(
        dispute_id=dispute["id"],
        state=dispute["status"],
        amount_minor=dispute["amount"],
        currency=dispute["currency"].upper(),
        reason=dispute["reason"],
        opened_at=from_epoch_seconds(dispute["created"]),
        due_by=from_epoch_seconds(due_by) if due_by else None,
        submissions=details["submission_count"],
        movements=tuple(_movement(each) for each in dispute["balance_transactions"]),
    )


def _movement(booked: Json) -> MovementSeen:
    return MovementSeen(
        movement_id=booked["id"],
        amount_minor=booked["amount"],
        currency=booked["currency"].upper(),
        fee_minor=booked["fee"],
        moved_at=from_epoch_seconds(booked["created"]),
    )


def read_transfer(transfer: Json) -> TransferSeen:
    """Return what we keep of a transfer."""
    return TransferSeen(stripe_transfer_id=transfer["id"])


def read_reversal(reversal: Json) -> ReversalSeen:
    """Return what we keep of a reversal."""
    return ReversalSeen(stripe_reversal_id=reversal["id"])


def read_account(account: Json) -> AccountSeen:
    """Return what we keep of a connected account."""
    asked = _part(account, "requirements")
    until = asked.get("current_deadline")
    schedule = _part(_part(_part(account, "settings"), "payouts"), "schedule")
    return AccountSeen(
        account_id=account["id"],
        can_receive=_part(account, "capabilities").get("transfers") == "active",
        details_submitted=account["details_submitted"],
        payouts_enabled=account["payouts_enabled"],
        requirements=tuple(asked.get("currently_due") or []),
        past_due=tuple(asked.get("past_due") or []),
        being_verified=tuple(asked.get("pending_verification") or []),
        requirements_until=from_epoch_seconds(until) if until else None,
        disabled_reason=asked.get("disabled_reason"),
        payout_schedule=schedule or None,
    )


def read_payout(payout: Json, carried: Sequence[Json]) -> PayoutSeen:
    """Return what we keep of a payout, of the transfers it carries and of payouts it repeats."""
    transfers = (
        row["source"].get("source_transfer") for row in carried if row["type"] == "payment"
    )
    failed = (row["source"]["id"] for row in carried if row["type"] == "payout_failure")
    return PayoutSeen(
        payout_id=payout["id"],
        status=payout["status"],
        amount_minor=payout["amount"],
        currency=payout["currency"].upper(),
        created_at=from_epoch_seconds(payout["created"]),
        arrives_at=from_epoch_seconds(payout["arrival_date"]),
        failure_code=payout.get("failure_code"),
        transfer_ids=tuple(found for found in transfers if found),
        replaces=tuple(failed),
    )


def read_movement(transaction: Json) -> BookedSeen:
    """Return what we keep of a balance transaction."""
    return BookedSeen(
        movement_id=transaction["id"],
        type=transaction["type"],
        source=transaction["source"] or transaction["id"],
        amount_minor=transaction["amount"],
        fee_minor=transaction["fee"],
        currency=transaction["currency"].upper(),
        created_at=from_epoch_seconds(transaction["created"]),
    )


def read_event(event: Json) -> EventSeen:
    """Return what we keep of one of Stripe's events.

    A dispute carries no id of ours: the payment it disputes leads to the purchase. An invoice
    carries those of its subscription.
    """
    about = event["data"]["object"]
    subscribed = _part(_part(about, "parent"), "subscription_details")
    metadata = _part(about, "metadata") or _part(subscribed, "metadata")
    return EventSeen(
        event_id=event["id"],
        type=event["type"],
        account_id=event.get("account"),
        object_id=about.get("id") or "",
        subject=next((metadata[name] for name in SUBJECT_KEYS if name in metadata), None)
        or (about.get("payment_intent") if about.get("object") == "dispute" else None),
        created_at=from_epoch_seconds(event["created"]),
    )


def payout_interval(account: Json) -> str:
    """Return how often an account is paid out; `unknown` where our key may not see it.

    https://docs.stripe.com/api/accounts/object#account_object-settings-payouts-schedule
    """
    payouts = _part(_part(account, "settings"), "payouts")
    return str(_part(payouts, "schedule").get("interval", "unknown"))


def _part(found: Json, name: str) -> Json:
    return cast("Json", found.get(name) or {})
