"""What a subscription looks like when it begins, and how its months are counted."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime

from simulators.stripe.act import Act
from simulators.stripe.errors import Json
from simulators.stripe.ids import new_id
from simulators.stripe.lists import listing

_PAYMENT_SETTINGS: Json = {
    "payment_method_options": None,
    "payment_method_types": None,
    "save_default_payment_method": "off",
}


def months_after(moment: int, months: int) -> int:
    """Return the same day and time so many months later, or the last day of that month."""
    start = datetime.fromtimestamp(moment, UTC)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())


def _new_item(act: Act, subscription: str, price: Json, quantity: int) -> Json:
    months = price["recurring"]["interval_count"]
    return {
        "id": new_id("si"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": act.moment,
        "current_period_end": months_after(act.moment, months),
        "current_period_start": act.moment,
        "discounts": [],
        "metadata": {},
        "price": price,
        "quantity": quantity,
        "subscription": subscription,
        "tax_rates": [],
    }


def new_subscription(act: Act, customer: Json, given: Json) -> Json:
    """Return an active subscription to a recurring price, in its first period."""
    empty = (
        "application application_fee_percent billing_cycle_anchor_config billing_thresholds "
        "cancel_at canceled_at customer_account days_until_due default_source ended_at "
        "latest_invoice next_pending_invoice_item_invoice on_behalf_of pause_collection "
        "pending_invoice_item_interval pending_setup_intent pending_update schedule test_clock "
        "transfer_data trial_end trial_start"
    )
    identifier = new_id("sub")
    item = _new_item(act, identifier, given["price"], given["quantity"])
    return {
        **dict.fromkeys(empty.split()),
        "id": identifier,
        "object": "subscription",
        "automatic_tax": {"enabled": False, "disabled_reason": None, "liability": None},
        "billing_cycle_anchor": act.moment,
        "billing_mode": {"type": "flexible", "flexible": {"proration_discounts": "included"}},
        "billing_schedules": [],
        "cancel_at_period_end": False,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": act.moment,
        "currency": given["price"]["currency"],
        "customer": customer["id"],
        "default_payment_method": new_id("pm"),
        "default_tax_rates": [],
        "description": given.get("description"),
        "discounts": [],
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": listing([item], f"/v1/subscription_items?subscription={identifier}"),
        "livemode": False,
        "metadata": given["metadata"],
        "payment_settings": _PAYMENT_SETTINGS,
        "start_date": act.moment,
        "status": "active",
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
    }
