"""How a dispute begins, is answered and ends, and which money that moves.

https://docs.stripe.com/disputes/how-disputes-work: the bank takes the disputed amount and Stripe
its fee at once; a dispute that is won gives the amount back and leaves the fee. An inquiry (its
states begin with `warning_`) moves no money unless it becomes a dispute. Without an answer in time
a dispute is lost and an inquiry runs out.
"""

from __future__ import annotations

from simulators.stripe import books
from simulators.stripe.act import Act
from simulators.stripe.errors import Json, invalid
from simulators.stripe.ids import new_id
from simulators.stripe.money import check_fraction, written

FEE_MINOR_UNITS = 1_500
"""What Stripe keeps of every dispute (https://stripe.com/pricing), here in any currency."""
EVIDENCE_DAYS = 14
"""Days until evidence is due, at the end of the day; banks give seven to twenty-one."""
INQUIRY_DAYS = 120
"""An inquiry that became no dispute by then is over
(https://docs.stripe.com/disputes/how-disputes-work#inquiries)."""
DISPUTES_PER_CHARGE_MAX = 100
OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
ANSWERABLE = ("needs_response", "warning_needs_response")
WINNING, LOSING, ESCALATING = "winning_evidence", "losing_evidence", "escalate_inquiry_evidence"
"""What a test says in `uncategorized_text` to be told the end at once
(https://docs.stripe.com/testing#disputes)."""

_EVIDENCE = (
    "access_activity_log billing_address cancellation_policy cancellation_policy_disclosure "
    "cancellation_rebuttal customer_communication customer_email_address customer_name "
    "customer_purchase_ip customer_signature duplicate_charge_documentation "
    "duplicate_charge_explanation duplicate_charge_id product_description receipt refund_policy "
    "refund_policy_disclosure refund_refusal_explanation service_date service_documentation "
    "shipping_address shipping_carrier shipping_date shipping_documentation "
    "shipping_tracking_number uncategorized_file uncategorized_text"
).split()
_NETWORK_REASONS = {"fraudulent": "10.4", "product_not_received": "13.1"}


def open_dispute(
    act: Act, charge: Json, reason: str, amount: int | None = None, *, inquiry: bool = False
) -> Json:
    """Let the bank dispute a charge, or only ask about it; the whole rest if no amount is named."""
    taken: int = amount or charge["amount"] - charge["amount_refunded"]
    if charge["status"] != "succeeded" or taken + withdrawn_of(act, charge) > charge["amount"]:
        raise invalid(f"Charge {charge['id']} has no {written(taken, charge['currency'])} left.")
    check_fraction(taken, charge["currency"], "amount")
    dispute = act.add("dispute", _dispute(act, charge, reason, taken, inquiry=inquiry))
    act.save(charge, disputed=True)
    if inquiry:
        act.schedule(act.moment + INQUIRY_DAYS * books.DAY_SECONDS, "end_dispute", dispute["id"])
    else:
        dispute = _withdraw(act, dispute)
    act.announce("charge.dispute.created", dispute)
    if not inquiry:
        act.announce("charge.dispute.funds_withdrawn", dispute)
    return dispute


def _dispute(act: Act, charge: Json, reason: str, amount: int, *, inquiry: bool) -> Json:
    card = charge["payment_method_details"]["card"]
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": act.moment,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": _due_by(act),
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "type": "card",
            "card": {
                "brand": card["brand"],
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": card["network"],
                "network_reason_code": _NETWORK_REASONS.get(reason),
            },
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


def _due_by(act: Act) -> int:
    return books.midnight_after(act.moment) + EVIDENCE_DAYS * books.DAY_SECONDS - 1


def _withdraw(act: Act, dispute: Json) -> Json:
    details = dispute["evidence_details"]
    act.schedule(details["due_by"] + 1, "end_dispute", dispute["id"])
    return _move(act, dispute, -dispute["amount"], FEE_MINOR_UNITS)


def _move(act: Act, dispute: Json, amount: int, fee: int) -> Json:
    charge = act.find("charge", dispute["charge"])
    source = act.find("balance_transaction", charge["balance_transaction"])
    taken = amount < 0
    details = {"amount": fee, "application": None, "currency": dispute["currency"]}
    posting = books.Posting(
        kind="adjustment",
        category="dispute" if taken else "dispute_reversal",
        amount=amount,
        currency=dispute["currency"],
        source=dispute["id"],
        other_side=books.CARDS,
        fee=fee,
        fee_details=[{**details, "description": "Dispute fee", "type": "stripe_fee"}]
        if fee
        else [],
        available_on=max(source["available_on"], act.moment),
        description=f"Chargeback {'withdrawal' if taken else 'reversal'} for {charge['id']}",
    )
    moved = [*dispute["balance_transactions"], books.post(act, posting)]
    return act.save(dispute, balance_transactions=moved)


def is_open(dispute: Json) -> bool:
    """Return whether it is not decided yet."""
    return dispute["status"] in OPEN


def can_be_answered(act: Act, dispute: Json) -> bool:
    """Return whether the bank still takes evidence, which it does once."""
    in_time = act.moment <= dispute["evidence_details"]["due_by"]
    return dispute["status"] in ANSWERABLE and in_time


def withdrawn_of(act: Act, charge: Json) -> int:
    """Return what disputes have taken of a charge and not given back."""
    disputes = act.store.page("dispute", act.owner, {"charge": charge["id"]},
                              DISPUTES_PER_CHARGE_MAX)  # fmt: skip
    return -sum(
        transaction["amount"]
        for dispute in disputes
        for transaction in dispute.body["balance_transactions"]
    )


def stage(act: Act, old: Json, kept: Json) -> Json:
    """Keep evidence without handing it in."""
    details = {**kept["evidence_details"], "has_evidence": True}
    staged = act.save(kept, evidence_details=details)
    act.changed("charge.dispute.updated", old, staged)
    return staged


def submit(act: Act, old: Json, kept: Json) -> Json:
    """Hand the evidence to the bank; a test's words decide at once."""
    details = kept["evidence_details"]
    handed_in = act.save(
        kept,
        evidence_details={
            **details,
            "has_evidence": True,
            "submission_count": details["submission_count"] + 1,
        },
        status=kept["status"].replace("needs_response", "under_review"),
    )
    act.changed("charge.dispute.updated", old, handed_in)
    if not handed_in["status"].startswith("warning_"):
        # An inquiry runs out all the same; a dispute is the bank's to decide from here on.
        act.store.unschedule("end_dispute", handed_in["id"])
    word = (handed_in["evidence"]["uncategorized_text"] or "").strip()
    decide = {WINNING: win, LOSING: lose, ESCALATING: escalate}.get(word)
    return decide(act, handed_in) if decide else handed_in


def win(act: Act, dispute: Json, *, fee_returned: bool = False) -> Json:
    """Decide for the merchant: the amount comes back; even of a dispute that was lost before."""
    if dispute["status"] in ("won", "warning_closed"):
        raise invalid("This dispute is already closed.")
    if dispute["status"].startswith("warning_"):
        return _close(act, dispute, "warning_closed")
    dispute = _move(act, dispute, dispute["amount"], -FEE_MINOR_UNITS if fee_returned else 0)
    won = _close(act, dispute, "won")
    act.announce("charge.dispute.funds_reinstated", won)
    return won


def lose(act: Act, dispute: Json) -> Json:
    """Decide for the card holder; an inquiry ends without taking anything."""
    if not is_open(dispute):
        raise invalid("This dispute is already closed.")
    inquiry = dispute["status"].startswith("warning_")
    return _close(act, dispute, "warning_closed" if inquiry else "lost")


def _close(act: Act, dispute: Json, status: str) -> Json:
    act.store.unschedule("end_dispute", dispute["id"])
    closed = act.save(dispute, status=status, is_charge_refundable=status != "lost")
    act.announce("charge.dispute.closed", closed)
    return closed


def escalate(act: Act, dispute: Json) -> Json:
    """Make an inquiry a dispute: the money is taken now, and there is a new time to answer."""
    if dispute["status"] not in ("warning_needs_response", "warning_under_review"):
        raise invalid("Only an open inquiry can be escalated.")
    if act.find("charge", dispute["charge"])["refunded"]:
        raise invalid("The charge was refunded: nothing is left to dispute.")
    act.store.unschedule("end_dispute", dispute["id"])
    method = dispute["payment_method_details"]
    card = {**method["card"], "case_type": "chargeback"}
    raised = act.save(
        dispute,
        status="needs_response",
        is_charge_refundable=False,
        payment_method_details={**method, "card": card},
        evidence_details={**dispute["evidence_details"], "due_by": _due_by(act)},
    )
    raised = _withdraw(act, raised)
    act.changed("charge.dispute.updated", dispute, raised)
    act.announce("charge.dispute.funds_withdrawn", raised)
    return raised


def open_when_due(act: Act, charge_id: str) -> None:
    """Let the bank of a test card dispute its charge."""
    filed = act.filed("charge", charge_id)
    if filed is not None:
        behaviour = filed.hidden["dispute"]
        open_dispute(act, filed.body, behaviour["reason"], inquiry=behaviour["inquiry"])


def end_when_due(act: Act, identifier: str) -> None:
    """End what was not answered in time, or an inquiry that became no dispute."""
    dispute = act.find("dispute", identifier)
    if not is_open(dispute):
        return
    if dispute["status"] == "needs_response":
        dispute = act.save(
            dispute, evidence_details={**dispute["evidence_details"], "past_due": True}
        )
    lose(act, dispute)
