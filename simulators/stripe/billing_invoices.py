"""Invoices of subscriptions: made, finalized an hour later, paid, or tried again in vain.

https://docs.stripe.com/invoicing/overview, https://docs.stripe.com/billing/collection-method. How
often a failed payment is tried again is a setting of the account on Stripe
(https://docs.stripe.com/billing/revenue-recovery/smart-retries#retry-schedule); here it is fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from simulators.stripe import payments
from simulators.stripe.act import Act
from simulators.stripe.books import DAY_SECONDS
from simulators.stripe.cards import CardEntry
from simulators.stripe.errors import Json
from simulators.stripe.ids import new_id
from simulators.stripe.lists import listing, page
from simulators.stripe.params import ListParams, Page, Params

DRAFT_SECONDS = 3600
"""A renewal is a draft for about an hour before it is finalized and paid."""
RETRY_DAYS = (3, 5, 7)
"""After the first failure, after the second, after the third; then the subscription ends."""

Reason = Literal["subscription_create", "subscription_cycle", "subscription_update"]


@dataclass(frozen=True)
class Bill:
    """What an invoice is made of."""

    subscription: Json
    reason: Reason
    since: int
    """When the period began that this bill closes; its line is for the period that begins."""

    @property
    def item(self) -> Json:
        """Return the one item of the subscription."""
        item: Json = self.subscription["items"]["data"][0]
        return item

    @property
    def amount(self) -> int:
        """Return what is due."""
        return int(self.item["price"]["unit_amount"]) * int(self.item["quantity"])


class ListInvoices(ListParams):
    """Filters of the list of invoices."""

    customer: str | None = None
    status: Literal["draft", "open", "paid", "uncollectible", "void"] | None = None
    subscription: str | None = None


def draft(act: Act, bill: Bill) -> Json:
    """Make a draft."""
    invoice = _invoice(act, bill, act.find("customer", bill.subscription["customer"]))
    act.add("invoice", invoice, {"subscription": bill.subscription["id"]})
    act.announce("invoice.created", invoice)
    return invoice


def void(act: Act, invoice: Json) -> Json:
    """Void an invoice: nobody pays it any more."""
    voided = act.save(
        invoice,
        status="void",
        next_payment_attempt=None,
        auto_advance=False,
        status_transitions={**invoice["status_transitions"], "voided_at": act.moment},
    )
    act.store.unschedule("retry_invoice", invoice["id"])
    act.announce("invoice.voided", voided)
    return voided


def finalize(act: Act, invoice: Json, intent: Json | None = None) -> Json:
    """Make a draft final: from now on it can be paid; `intent` is there when it was paid before."""
    intent = intent or _intent_for(act, invoice)
    payment = _payment(act, invoice, intent)
    act.add("invoice_payment", payment, {"invoice": invoice["id"]})
    final = act.save(
        invoice,
        status="open",
        number=_next_number(act, invoice),
        effective_at=act.moment,
        automatically_finalizes_at=None,
        hosted_invoice_url=f"{act.base_url}/i/{invoice['id']}",
        invoice_pdf=f"{act.base_url}/i/{invoice['id']}/pdf",
        status_transitions={**invoice["status_transitions"], "finalized_at": act.moment},
    )
    act.announce("invoice.finalized", final)
    return final


def charge(act: Act, invoice: Json, entry: CardEntry) -> Json:
    """Try a card on an open invoice, which comes back paid, or with its next attempt."""
    payment = payment_of(act, invoice)
    intent = act.find("payment_intent", payment["payment"]["payment_intent"])
    # What was authenticated at the start is not asked again off session.
    intent = payments.confirm(act, intent, entry, authenticated=True, page="")
    return paid(act, invoice) if intent["status"] == "succeeded" else _failed(act, invoice)


def paid(act: Act, invoice: Json) -> Json:
    """Note that an open invoice is paid."""
    payment = payment_of(act, invoice)
    settled = {**payment["status_transitions"], "paid_at": act.moment}
    amount = invoice["amount_due"]
    payment = act.save(payment, status="paid", amount_paid=amount, status_transitions=settled)
    done = act.save(
        invoice,
        status="paid",
        amount_paid=amount,
        amount_remaining=0,
        attempt_count=invoice["attempt_count"] + 1,
        attempted=True,
        next_payment_attempt=None,
        status_transitions={**invoice["status_transitions"], "paid_at": act.moment},
    )
    act.store.unschedule("retry_invoice", invoice["id"])
    act.announce("invoice_payment.paid", payment)
    act.announce("invoice.paid", done)
    act.announce("invoice.payment_succeeded", done)
    return done


def payment_of(act: Act, invoice: Json) -> Json:
    """Return the payment of a finalized invoice."""
    (found,) = act.store.page("invoice_payment", act.owner, {"invoice": invoice["id"]}, 1)
    return found.body


def payments_of(act: Act, invoice: Json) -> Json:
    """Return the payments of an invoice as a list."""
    rows = act.store.page("invoice_payment", act.owner, {"invoice": invoice["id"]}, 1)
    return listing([row.body for row in rows], "/v1/invoice_payments")


def _failed(act: Act, invoice: Json) -> Json:
    attempts = int(invoice["attempt_count"]) + 1
    days = RETRY_DAYS[attempts - 1] if attempts <= len(RETRY_DAYS) else None
    due = act.moment + days * DAY_SECONDS if days else None
    act.store.unschedule("retry_invoice", invoice["id"])
    if due:
        act.schedule(due, "retry_invoice", invoice["id"])
    failed = act.save(invoice, attempt_count=attempts, attempted=True, next_payment_attempt=due)
    act.announce("invoice.payment_failed", failed)
    return failed


def _next_number(act: Act, invoice: Json) -> str:
    customer = act.find("customer", invoice["customer"])
    sequence = customer["next_invoice_sequence"]
    act.save(customer, next_invoice_sequence=sequence + 1)
    return f"{customer['invoice_prefix']}-{sequence:04}"


def _intent_for(act: Act, invoice: Json) -> Json:
    details = {"customer": invoice["customer"], "description": "Subscription update"}
    return payments.create_intent(act, invoice["amount_due"], invoice["currency"], details)


def _payment(act: Act, invoice: Json, intent: Json) -> Json:
    return {
        "id": new_id("inpay"),
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": invoice["amount_due"],
        "created": act.moment,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"type": "payment_intent", "payment_intent": intent["id"]},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }


def _invoice(act: Act, bill: Bill, customer: Json) -> Json:
    identifier = new_id("in")
    return {
        **_unused(),
        **_amounts(bill),
        **_settings(),
        "id": identifier,
        "object": "invoice",
        "automatically_finalizes_at": act.moment + DRAFT_SECONDS,
        "billing_reason": bill.reason,
        "created": act.moment,
        "currency": bill.subscription["currency"],
        "customer": customer["id"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "lines": listing([_line(bill, identifier)], f"/v1/invoices/{identifier}/lines"),
        "parent": _parent(bill.subscription),
        "period_start": bill.since,
        "period_end": act.moment,
        "status": "draft",
        "status_transitions": dict.fromkeys(
            ("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")
        ),
        "webhooks_delivered_at": act.moment,
    }


def _unused() -> Json:
    """Return the fields of features this platform does not use, as Stripe shows them then."""
    empty = (
        "account_tax_ids application customer_account customer_address customer_phone "
        "customer_shipping custom_fields default_payment_method default_source description "
        "due_date effective_at ending_balance footer from_invoice hosted_invoice_url invoice_pdf "
        "last_finalization_error latest_revision next_payment_attempt number on_behalf_of "
        "receipt_number rendering shipping_cost shipping_details statement_descriptor test_clock"
    )
    lists = (
        "customer_tax_ids default_tax_rates discounts total_discount_amounts "
        "total_pretax_credit_amounts total_taxes"
    )
    return {
        **dict.fromkeys(empty.split()),
        **{name: [] for name in lists.split()},
        "metadata": {},
    }


def _amounts(bill: Bill) -> Json:
    zero = (
        "amount_overpaid amount_paid amount_paid_off_stripe amount_shipping attempt_count "
        "post_payment_credit_notes_amount pre_payment_credit_notes_amount starting_balance"
    )
    due = "amount_due amount_remaining subtotal subtotal_excluding_tax total total_excluding_tax"
    return {**dict.fromkeys(zero.split(), 0), **dict.fromkeys(due.split(), bill.amount)}


def _settings() -> Json:
    untaxed = dict.fromkeys(("disabled_reason", "liability", "provider", "status"))
    payment = ("default_mandate", "payment_method_options", "payment_method_types")
    return {
        "account_country": "US",
        "account_name": "Mentorium",
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": {"enabled": False, **untaxed},
        "collection_method": "charge_automatically",
        "customer_tax_exempt": "none",
        "issuer": {"type": "self"},
        "livemode": False,
        "payment_settings": dict.fromkeys(payment),
    }


def _parent(subscription: Json) -> Json:
    details = {"metadata": subscription["metadata"], "subscription": subscription["id"]}
    return {
        "type": "subscription_details",
        "quote_details": None,
        "subscription_details": details,
    }


def _line(bill: Bill, invoice: str) -> Json:
    price = bill.item["price"]
    return {
        "id": new_id("il"),
        "object": "line_item",
        "amount": bill.amount,
        "currency": price["currency"],
        "description": "1 × monthly",
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice,
        "livemode": False,
        "metadata": bill.subscription["metadata"],
        "parent": {
            "type": "subscription_item_details",
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": bill.subscription["id"],
                "subscription_item": bill.item["id"],
            },
        },
        "period": {
            "start": bill.item["current_period_start"],
            "end": bill.item["current_period_end"],
        },
        "pretax_credit_amounts": [],
        "pricing": {
            "type": "price_details",
            "price_details": {"price": price["id"], "product": price["product"]},
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": bill.item["quantity"],
        "subtotal": bill.amount,
        "taxes": [],
    }


def retrieve_invoice(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return an invoice."""
    return act.find("invoice", ids["id"])


def list_invoices(act: Act, params: ListInvoices, _ids: Mapping[str, str]) -> Json:
    """Return a page of invoices."""
    filters = {name: getattr(params, name) for name in ("customer", "status", "subscription")}
    return page(act, "invoice", params, "/v1/invoices", filters)


def list_lines(act: Act, _params: Page, ids: Mapping[str, str]) -> Json:
    """Return the lines of an invoice."""
    lines: Json = act.find("invoice", ids["id"])["lines"]
    return lines
