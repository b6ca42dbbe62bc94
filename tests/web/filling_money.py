"""What the services say about money, for every page that shows it; see `filling`."""

from __future__ import annotations

from tests.web.conftest import MENTOR, ORDER, SESSION, STARTS
from tests.web.papers import papers
from tests.web.plans import plans
from tests.web.prepaid import prepaid


def payments() -> dict[str, object]:
    """Return what a mentor earns, owes and is paid out, and what prices come to."""
    total = {"currency": "JPY", "held_minor": 1, "released_minor": 2, "transferred_minor": 3,
             "paid_out_minor": 5000}  # fmt: skip
    earned = {"order_id": ORDER, "title": "First steps", "mentor_minor": 10200, "currency": "USD",
              "due_at": STARTS, "release_delay_hours": 48}  # fmt: skip
    payout = {"amount_minor": 10200, "currency": "USD", "state": "paid", "arrives_at": STARTS}
    back = {**payout, "state": "failed", "failure_words": "The bank account is closed."}
    account = {"state": "restricted", "country": "DE", "can_receive": False,
               "next_action": "give_details",
               "requirements": ["Your date of birth"], "overdue": ["Your date of birth"],
               "being_verified": ["Your address"], "requirements_until": STARTS,
               "disabled_because": "Details are missing whose date has passed.",
               "payout_schedule": {"interval": "weekly", "day": "monday", "delay_days": 7},
               "payout_returned": {"amount_minor": 10200, "currency": "USD",
                                   "words": "The bank account is closed."},
               "onboarding_url": "https://stripe.example/x"}  # fmt: skip
    step = {"at": STARTS, "words": "Given back to the mentee after you were paid.",
            "amount_minor": 3400, "currency": "USD", "order_id": ORDER,
            "title": "First steps"}  # fmt: skip
    owing = {"owed": [{"currency": "USD", "owed_minor": 2400, "asked_minor": 400}],
             "steps": [{**step, "words": "Kept from a later share.", "amount_minor": -1000},
                       step]}  # fmt: skip
    debt = {"mentor_id": MENTOR, "currency": "USD", "owed_minor": 2400, "since": STARTS,
            "beyond_floor": True, "refusal": "balance_insufficient",
            "asked_again_at": STARTS}  # fmt: skip
    return {
        "/v1/me/debts": owing,
        "/v1/operator/debts": {"items": [debt]},
        "/v1/me/account": account,
        "/v1/me/earnings": {"totals": [total], "release_delay_hours": 48},
        "/v1/me/earnings/months": {"items": [earned_months()]},
        "/v1/me/earnings/orders": {"items": [earned], "next_cursor": "abc"},
        "/v1/me/payouts": {"items": [back, {**back, "sent_again": True}, payout],
                           "next_cursor": "def"},
        **_prices(),
        **prepaid(),
        **plans(),
        **papers(),
    }  # fmt: skip


def earned_months() -> dict[str, object]:
    """Return a year up to March 2030 in which more was earned from month to month, but for two."""
    earned = {9: 0, 11: 1_234_500}
    back = {6: -310_000, 10: -10_200}
    starts = [f"2029-{month:02d}" for month in range(4, 13)] + ["2030-01", "2030-02", "2030-03"]
    return {"currency": "USD", "months": [
        {"since": f"{start}-01T00:00:00Z", "earned_minor": earned.get(at, at * 51_000),
         "given_back_minor": back.get(at, 0)} for at, start in enumerate(starts)
    ]}  # fmt: skip


def _prices() -> dict[str, object]:
    code = {"promotion_id": SESSION, "code": "SPRING-25", "paid_by": "platform", "used": 3,
            "percent_basis_points": 2500, "at_most": 10, "ends_at": STARTS}  # fmt: skip
    fixed = {"promotion_id": ORDER, "code": "TEN-OFF", "paid_by": "mentor", "used": 1,
             "amount_minor": 1000, "currency": "USD", "per_person": 1,
             "paused_at": STARTS}  # fmt: skip
    tier = {"currency": "USD", "from_minor": 1000000, "share_basis_points": 1200}
    rule = {"version": 2, "mentor_id": MENTOR, "share_basis_points": 1500, "tiers": [tier],
            "minimums": [{"currency": "USD", "minimum_minor": 100}]}  # fmt: skip
    mine = {"currency": "USD", "volume_minor": 250000, "share_basis_points": 1500,
            "minimum_minor": 100, "stripe_fee": "mentor", "tiers": [tier]}  # fmt: skip
    return {
        "/v1/me/promotions": {"items": [code, fixed]},
        "/v1/operator/promotions": {"items": [code, fixed], "next_cursor": "abc"},
        "/v1/me/fees": mine,
        "/v1/operator/fees": rule,
        "/v1/operator/fees/mentors": {"items": [rule]},
    }


def disputes() -> dict[str, object]:
    """Return payments that banks dispute."""
    moved = {"moved_at": STARTS, "amount_minor": -12000, "fee_minor": 1500}
    moved |= {"currency": "USD", "foreign": False}
    evidence = {
        "service_date": "2030-03-04",
        "product_description": "Online mentoring.",
        "access_activity_log": "Session:\n- the customer was in the room",
        "cancellation_policy_disclosure": "Shown before paying.",
        "refund_policy_disclosure": "Shown before paying.",
        "refund_refusal_explanation": "Nothing was refunded.",
        "uncategorized_text": "",
    }
    dispute = {
        "dispute_id": "du_1", "order_id": ORDER, "amount_minor": 12000, "currency": "USD",
        "reason": "product_not_received", "state": "needs_response", "inquiry": False,
        "opened_at": STARTS, "due_by": "2030-03-18T23:59:59Z", "title": "Career <talk>",
        "movements": [moved], "evidence": evidence, "can": {"answer": True, "accept": True},
    }  # fmt: skip
    decided = dispute | {
        "dispute_id": "du_2", "state": "won", "answered_at": STARTS, "closed_at": STARTS,
        "refusal": "too_late", "movements": [moved, moved | {"amount_minor": 12000}],
        "can": {"answer": False, "accept": False},
    }  # fmt: skip
    return {
        "/v1/operator/disputes": {"items": [dispute, decided], "next_cursor": "abc"},
        "/v1/operator/disputes/du_1": dispute,
        "/v1/operator/disputes/du_2": decided,
    }


def reconciliation() -> dict[str, object]:
    """Return where the ledger and the list of Stripe differ."""
    reasons = ("unexplained", "not_booked_yet", "not_listed_yet", "fee_not_known_yet")
    items = [{"source": f"ch_<{n}>", "currency": "USD", "ledger_minor": 12000, "reason": reason,
              "stripe_minor": 11999 - n, "since": STARTS}
             for n, reason in enumerate(reasons)]  # fmt: skip
    return {"items": items, "unexplained": 1, "explained": 3, "read_at": STARTS,
            "movements": 1234, "unanswered": 2}  # fmt: skip


def stripe() -> dict[str, object]:
    """Return calls to Stripe, and its notices."""
    call = {"operation_id": SESSION, "kind": "refund.create", "subject": ORDER,
            "state": "undetermined", "attempts": 3, "planned_at": STARTS, "next_try_at": STARTS,
            "outcome": {"because": "Stripe replays a failure"}, "idempotency_key": "refund:1",
            "parameters": {"amount_minor": 12000, "account_id": None}, "order_id": ORDER,
            "can": {"retry": True, "look": True}}  # fmt: skip
    notice = {"event_id": "evt_1", "type": "charge.refunded", "object_id": "ch_1",
              "received_at": STARTS, "created_at": STARTS, "state": "unmatched", "attempts": 2,
              "operation_id": SESSION, "call": "refund.retrieve", "call_state": "done",
              "order_id": ORDER, "account_id": "acct_1"}  # fmt: skip
    open_calls = {"kind": "refund.create", "state": "undetermined", "calls": 1,
                  "oldest_at": STARTS, "most_attempts": 3}  # fmt: skip
    waiting = {"state": "unmatched", "notices": 2, "oldest_at": STARTS}
    return {
        "/v1/operator/operations": {"items": [call], "next_cursor": "abc"},
        "/v1/operator/operations/open": {
            "lines": [{"state": "open", "failures": 7, "since": STARTS}], "items": [open_calls],
        },
        f"/v1/operator/operations/{SESSION}": call,
        "/v1/operator/webhooks": {"items": [notice], "next_cursor": "abc"},
        "/v1/operator/webhooks/waiting": {
            "items": [waiting], "sources": 2, "read_until": STARTS,
        },
    }  # fmt: skip
