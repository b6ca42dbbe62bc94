"""What the pages of plans show: what is offered, and subscriptions in every state."""

from __future__ import annotations

from collections.abc import Mapping

from tests.web.conftest import ME, MENTOR, OFFERING, ORDER, STARTS

STATES = (
    "active",
    "open",
    "closed",
    "past_due",
    "ended",
    "ending",
    "pausing",
    "mentoring",
    "resting",
)
OF_STATE = {state: f"0190a000-0000-7000-8000-00000000050{n}" for n, state in enumerate(STATES)}
PLANS: Mapping[str, tuple[str, ...]] = {
    "/plans/{plan_id}": (f"/plans/{ORDER}",),
    "/plans": ("/plans",),
    "/subscriptions/{subscription_id}": tuple(
        f"/subscriptions/{each}" for each in OF_STATE.values()
    ),
    "/subscriptions/{subscription_id}/return": (f"/subscriptions/{OF_STATE['open']}/return",),
    "/mentor/plans": ("/mentor/plans",),
    "/operator/subscriptions": (
        "/operator/subscriptions",
        f"/operator/subscriptions?person={MENTOR}&order={ORDER}",
    ),
    "/operator/subscriptions/{subscription_id}": tuple(
        f"/operator/subscriptions/{each}" for each in OF_STATE.values()
    ),
}
PLAN = {
    "plan_id": ORDER, "offering_id": OFFERING, "mentor_id": MENTOR, "title": "First <steps>",
    "minutes": 60, "sessions": 4, "unit_price_minor": 10000, "price_minor": 40000,
    "saved_minor": 8000, "currency": "USD", "offered": True,
}  # fmt: skip
OTHER = {**PLAN, "plan_id": OFFERING, "sessions": 2, "price_minor": 20000}
MONTH = {
    "order_id": ORDER, "paid_at": STARTS, "price_minor": 40000, "currency": "USD", "sessions": 4,
    "remaining": 3, "good_until": "2999-01-01T00:00:00Z",
}  # fmt: skip
END = {"period_end": STARTS, "unused": 3, "back_minor": 30000, "currency": "USD"}
INVOICE = {
    "stripe_invoice_id": "in_1", "state": "paid", "attempts": 1, "created_at": STARTS,
    "order_id": ORDER,
}  # fmt: skip
AT_STRIPE = {
    "begun_at": STARTS, "stripe_subscription_id": "sub_1", "checkout_id": f"cs_test_{58 * 'a'}",
    "shown_at": STARTS, "look_at": STARTS,
    "invoices": [INVOICE, {**INVOICE, "state": "open", "order_id": None, "attempts": 3}],
}  # fmt: skip
SPECIAL: Mapping[str, Mapping[str, object]] = {
    "open": {"url": "https://stripe.example/pay", "period_end": None},
    "past_due": {"invoice_url": "https://stripe.example/i", "next_attempt_at": STARTS},
    "ended": {"ended_at": STARTS, "ended_because": "payment_failed"},
    "ending": {"state": "active", "ending": True, "next_payment_at": None},
    "pausing": {"state": "active", "pausing": True, "next_plan": OTHER},
    "resting": {"state": "active", "resting": True, "next_payment_at": None},
    "mentoring": {"state": "past_due", "ending": True, "mentor_id": ME, "mentee_id": MENTOR},
}


def subscription(state: str) -> dict[str, object]:
    """Return a subscription as payments shows it."""
    return {
        "subscription_id": OF_STATE[state], "state": state, "plan": PLAN, "next_plan": PLAN,
        "mentor_id": MENTOR, "mentee_id": ME, "period_end": STARTS, "next_payment_at": STARTS,
        **SPECIAL.get(state, {}),
    }  # fmt: skip


def plans() -> dict[str, object]:
    """Return what payments answers."""
    found = {state: subscription(state) for state in STATES}
    of_one: dict[str, object] = {}
    for state, identifier in OF_STATE.items():
        path = f"/v1/subscriptions/{identifier}"
        of_one |= {
            path: found[state],
            f"{path}/months": {"items": [MONTH] if state != "closed" else []},
            f"{path}/end-preview": END,
            f"/v1/operator/subscriptions/{identifier}": {
                "subscription": found[state],
                **AT_STRIPE,
            },
        }
    return {
        f"/v1/mentors/{MENTOR}/plans": {"items": [PLAN, OTHER]},
        f"/v1/mentors/{ME}/plans": {"items": [PLAN, OTHER]},
        f"/v1/plans/{ORDER}": PLAN,
        "/v1/me/plans": {"items": [PLAN]},
        "/v1/me/subscriptions": {"items": [*found.values()]},
        "/v1/operator/subscriptions": {"items": [*found.values()], "next_cursor": "abc"},
        **of_one,
    }
