"""Disputes: read, answered with evidence, accepted (https://docs.stripe.com/api/disputes).

How they begin and end, and which money that moves, is in `dispute_flow`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from simulators.stripe import dispute_flow as flow
from simulators.stripe.act import Act
from simulators.stripe.errors import InvalidParameters, Json, invalid, missing
from simulators.stripe.lists import page
from simulators.stripe.params import ListParams, Metadata, Params, Shape, Text, merged_metadata
from simulators.stripe.routes import Route

EVIDENCE_CHARS_MAX = 150_000
"""All fields together (https://docs.stripe.com/api/disputes/update#update_dispute-evidence)."""
FILES = (
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
)
"""The parts of evidence that are uploaded files; nothing can be uploaded here yet."""

LongText = Annotated[str, Field(max_length=EVIDENCE_CHARS_MAX)]


class Evidence(Shape):
    """What can be said against a dispute; an empty text takes one back."""

    access_activity_log: LongText | None = None
    billing_address: Text | None = None
    cancellation_policy: Text | None = None
    cancellation_policy_disclosure: LongText | None = None
    cancellation_rebuttal: LongText | None = None
    customer_communication: Text | None = None
    customer_email_address: Text | None = None
    customer_name: Text | None = None
    customer_purchase_ip: Text | None = None
    customer_signature: Text | None = None
    duplicate_charge_documentation: Text | None = None
    duplicate_charge_explanation: LongText | None = None
    duplicate_charge_id: Text | None = None
    product_description: LongText | None = None
    receipt: Text | None = None
    refund_policy: Text | None = None
    refund_policy_disclosure: LongText | None = None
    refund_refusal_explanation: LongText | None = None
    service_date: Text | None = None
    service_documentation: Text | None = None
    shipping_address: Text | None = None
    shipping_carrier: Text | None = None
    shipping_date: Text | None = None
    shipping_documentation: Text | None = None
    shipping_tracking_number: Text | None = None
    uncategorized_file: Text | None = None
    uncategorized_text: LongText | None = None


class UpdateDispute(Params):
    """What is said, and whether the bank is to read it at once."""

    evidence: Evidence | None = None
    submit: bool = True
    metadata: Metadata | None = None


class ListDisputes(ListParams):
    """Filters of the list of disputes."""

    charge: str | None = None
    payment_intent: str | None = None


def update_dispute(act: Act, params: UpdateDispute, ids: Mapping[str, str]) -> Json:
    """Keep evidence, and hand it to the bank unless it is only to be kept."""
    old = act.find("dispute", ids["id"])
    metadata = merged_metadata(old["metadata"], params.metadata)
    if params.evidence is None:
        new = act.save(old, metadata=metadata)
        act.changed("charge.dispute.updated", old, new)
        return new
    if not flow.can_be_answered(act, old):
        raise invalid("This dispute is already closed or under review: evidence is too late.")
    evidence = {**old["evidence"], **_given(params.evidence)}
    kept = act.save(old, metadata=metadata, evidence=evidence)
    return flow.submit(act, old, kept) if params.submit else flow.stage(act, old, kept)


def _given(evidence: Evidence) -> Json:
    given = evidence.model_dump(exclude_none=True)
    for name in FILES:
        if given.get(name):
            raise missing("file upload", given[name], param=f"evidence[{name}]")
    if sum(len(text) for text in given.values()) > EVIDENCE_CHARS_MAX:
        message = f"The combined character count of evidence is limited to {EVIDENCE_CHARS_MAX:,}."
        raise InvalidParameters(message, param="evidence")
    return {name: text or None for name, text in given.items()}


def close_dispute(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Accept a dispute: it is lost, for good."""
    dispute = act.find("dispute", ids["id"])
    if not flow.is_open(dispute):
        raise invalid("This dispute is already closed.")
    return flow.lose(act, dispute)


def retrieve_dispute(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return a dispute."""
    return act.find("dispute", ids["id"])


def list_disputes(act: Act, params: ListDisputes, _ids: Mapping[str, str]) -> Json:
    """Return a page of disputes."""
    filters = {"charge": params.charge, "payment_intent": params.payment_intent}
    return page(act, "dispute", params, "/v1/disputes", filters)


ROUTES = (
    Route("GET", "/v1/disputes", ListDisputes, list_disputes),
    Route("GET", "/v1/disputes/{id}", Params, retrieve_dispute),
    Route("POST", "/v1/disputes/{id}", UpdateDispute, update_dispute),
    Route("POST", "/v1/disputes/{id}/close", Params, close_dispute),
)
