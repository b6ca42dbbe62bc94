"""Who may use which route, and whose things it shows or changes; written by hand, on purpose.

A route that is missing here fails the tests: whoever adds one says here who may use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from shared.auth import Role
from shared.web.api import ANYONE, SIGNED_IN, May

MENTOR = May(roles=frozenset({Role.MENTOR}))
OPERATOR = May(roles=frozenset({Role.OPERATOR}))


class Owner(Enum):
    """Whose things a route shows or changes."""

    PUBLIC = "the same for everybody"
    OWN = "the caller's own, found by the token and by nothing else"
    PARTIES = "those named by the path; whoever is no party to them gets 404"
    OPERATORS = "anybody's: operators see all"


PUBLIC, OWN, PARTIES, OPERATORS = Owner


@dataclass(frozen=True)
class Access:
    """One row: who may use a route, and what it reaches."""

    may: May
    owner: Owner
    body: Mapping[str, object] | None = None
    """A body of the right shape, for routes that are tried with somebody else's things."""


GOAL = {"title": "G", "measure": None, "target_on": None, "state": "open"}
OFFERING = {
    "title": "T",
    "description": "D",
    "minutes": 60,
    "price_minor": 12_000,
    "currency": "USD",
}
MOVE = {
    "starts_at": "2026-03-06T15:00:00Z",
    "shown_immediate": True,
    "shown_refundable_after": True,
}
REVIEW = {"rating": 5, "text": "Good."}

KIT = {
    "GET /v1/operator/orders/{order_id}/steps": Access(OPERATOR, OPERATORS),
    "GET /v1/operator/stuck": Access(OPERATOR, OPERATORS),
    "GET /v1/operator/dead-letters": Access(OPERATOR, OPERATORS),
    "POST /v1/operator/dead-letters/{event_id}/replay": Access(OPERATOR, OPERATORS),
    "GET /v1/operator/log": Access(OPERATOR, OPERATORS),
}
"""The routes of `shared.web.operators`, which every service has."""

ACCESS: dict[str, dict[str, Access]] = {
    "profiles": {
        **KIT,
        "POST /v1/accounts": Access(ANYONE, PUBLIC),
        "POST /v1/accounts/verify": Access(ANYONE, PUBLIC),
        "POST /v1/accounts/verification": Access(ANYONE, PUBLIC),
        "POST /v1/accounts/password-reset": Access(ANYONE, PUBLIC),
        "POST /v1/accounts/password-reset/complete": Access(ANYONE, PUBLIC),
        "GET /v1/me": Access(SIGNED_IN, OWN),
        "PUT /v1/me": Access(SIGNED_IN, OWN),
        "GET /v1/me/mentor-profile": Access(SIGNED_IN, OWN),
        "PUT /v1/me/mentor-profile": Access(SIGNED_IN, OWN),
        "POST /v1/me/mentor-profile/submit": Access(SIGNED_IN, OWN),
        "GET /v1/me/mentee-profile": Access(SIGNED_IN, OWN),
        "PUT /v1/me/mentee-profile": Access(SIGNED_IN, OWN),
        "GET /v1/people": Access(SIGNED_IN, PUBLIC),
        "GET /v1/expertise": Access(ANYONE, PUBLIC),
        "GET /v1/mentors": Access(ANYONE, PUBLIC),
        "GET /v1/mentors/{person_id}": Access(ANYONE, PUBLIC),
        "GET /v1/mentors/{person_id}/reviews": Access(ANYONE, PUBLIC),
        "POST /v1/sessions/{session_id}/reviews": Access(SIGNED_IN, PARTIES, REVIEW),
        "GET /v1/sessions/{session_id}/reviews": Access(SIGNED_IN, PARTIES),
        "POST /v1/sign-ins": Access(ANYONE, PUBLIC),
        "POST /v1/sign-ins/refresh": Access(ANYONE, PUBLIC),
        "DELETE /v1/sign-ins/current": Access(SIGNED_IN, OWN),
        "GET /v1/operator/mentors": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/mentors/{person_id}": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/mentors/{person_id}/approve": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/mentors/{person_id}/request-changes": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/mentors/{person_id}/suspend": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/mentors/{person_id}/reinstate": Access(OPERATOR, OPERATORS),
    },
    "booking": {
        **KIT,
        "GET /v1/waitlist": Access(SIGNED_IN, OWN),
        "POST /v1/waitlist": Access(SIGNED_IN, OWN),
        "POST /v1/waitlist/{entry_id}/leave": Access(SIGNED_IN, PARTIES),
        "GET /v1/goals": Access(SIGNED_IN, OWN),
        "POST /v1/goals": Access(SIGNED_IN, OWN),
        "PUT /v1/goals/{goal_id}": Access(SIGNED_IN, PARTIES, GOAL),
        "GET /v1/me/offerings": Access(MENTOR, OWN),
        "POST /v1/me/offerings": Access(MENTOR, OWN),
        "GET /v1/me/offerings/{offering_id}": Access(MENTOR, PARTIES),
        "PUT /v1/me/offerings/{offering_id}": Access(MENTOR, PARTIES, OFFERING),
        "POST /v1/me/offerings/{offering_id}/publish": Access(MENTOR, PARTIES),
        "POST /v1/me/offerings/{offering_id}/withdraw": Access(MENTOR, PARTIES),
        "GET /v1/me/availability": Access(MENTOR, OWN),
        "PUT /v1/me/availability": Access(MENTOR, OWN),
        "GET /v1/me/calendars": Access(MENTOR, OWN),
        "POST /v1/me/calendars": Access(MENTOR, OWN),
        "DELETE /v1/me/calendars/{calendar_id}": Access(MENTOR, PARTIES),
        "POST /v1/me/calendars/{calendar_id}/refresh": Access(MENTOR, PARTIES),
        "GET /v1/holidays/countries": Access(MENTOR, PUBLIC),
        "GET /v1/holidays": Access(MENTOR, PUBLIC),
        "GET /v1/mentors/{mentor_id}/offerings": Access(ANYONE, PUBLIC),
        "GET /v1/offerings/{offering_id}": Access(ANYONE, PUBLIC),
        "POST /v1/orders": Access(SIGNED_IN, OWN),
        "GET /v1/orders": Access(SIGNED_IN, OWN),
        "GET /v1/operator/orders": Access(OPERATOR, OPERATORS),
        "GET /v1/orders/{order_id}": Access(SIGNED_IN, PARTIES),
        "GET /v1/orders/{order_id}/cancellation-preview": Access(SIGNED_IN, PARTIES),
        "POST /v1/orders/{order_id}/cancel": Access(SIGNED_IN, PARTIES, {}),
        "POST /v1/orders/{order_id}/release-hold": Access(SIGNED_IN, PARTIES),
        "POST /v1/orders/{order_id}/complete": Access(SIGNED_IN, PARTIES, {}),
        "POST /v1/orders/{order_id}/accept": Access(SIGNED_IN, PARTIES),
        "POST /v1/orders/{order_id}/decline": Access(SIGNED_IN, PARTIES, {}),
        "GET /v1/orders/{order_id}/move-preview": Access(SIGNED_IN, PARTIES),
        "GET /v1/orders/{order_id}/move-slots": Access(SIGNED_IN, PARTIES),
        "POST /v1/orders/{order_id}/move": Access(SIGNED_IN, PARTIES, MOVE),
        "POST /v1/orders/{order_id}/move/accept": Access(SIGNED_IN, PARTIES, {}),
        "POST /v1/orders/{order_id}/move/decline": Access(SIGNED_IN, PARTIES, {}),
        "POST /v1/orders/{order_id}/report-absence": Access(SIGNED_IN, PARTIES, {}),
        "POST /v1/orders/{order_id}/object": Access(SIGNED_IN, PARTIES, {"reason": "Short."}),
        "GET /v1/operator/objections": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/orders/{order_id}/settle-objection": Access(OPERATOR, OPERATORS),
        "GET /v1/sessions/{session_id}/attendance": Access(SIGNED_IN, PARTIES),
        "POST /v1/sessions/{session_id}/join": Access(SIGNED_IN, PARTIES),
        "POST /v1/sessions/{session_id}/leave": Access(SIGNED_IN, PARTIES),
        "GET /v1/offerings/{offering_id}/slots": Access(ANYONE, PUBLIC),
        "GET /v1/offerings/{offering_id}/series": Access(ANYONE, PUBLIC),
        "POST /v1/series": Access(SIGNED_IN, OWN),
        "POST /v1/me/calendar-feed": Access(SIGNED_IN, OWN),
        "GET /v1/me/calendar-feed": Access(SIGNED_IN, OWN),
        "DELETE /v1/me/calendar-feed": Access(SIGNED_IN, OWN),
        "GET /v1/feeds/{token}/calendar.ics": Access(ANYONE, PUBLIC),
        "GET /v1/sessions/{session_id}/calendar.ics": Access(SIGNED_IN, PARTIES),
    },
    "payments": {
        **KIT,
        "GET /v1/operator/orders/{order_id}/money-state": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/orders/{order_id}/release": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/orders/{order_id}/refund-preview": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/orders/{order_id}/refund": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/debts": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/mentors/{mentor_id}/debt/reverse": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/debts/{mentor_id}/write-off": Access(OPERATOR, OPERATORS),
        "GET /v1/me/debts": Access(MENTOR, OWN),
        "GET /v1/me/receipts": Access(SIGNED_IN, OWN),
        "GET /v1/receipts/{document_id}": Access(SIGNED_IN, PARTIES),
        "GET /v1/receipts/{document_id}/receipt.pdf": Access(SIGNED_IN, PARTIES),
        "GET /v1/me/statements": Access(MENTOR, OWN),
        "GET /v1/me/yearly-summary": Access(MENTOR, OWN),
        "GET /v1/me/yearly-summary/summary.csv": Access(MENTOR, OWN),
        "GET /v1/statements/{statement_id}": Access(SIGNED_IN, PARTIES),
        "GET /v1/statements/{statement_id}/statement.pdf": Access(SIGNED_IN, PARTIES),
        "GET /v1/statements/{statement_id}/statement.csv": Access(SIGNED_IN, PARTIES),
        "GET /v1/operator/mentors/{mentor_id}/statements": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/mentors/{mentor_id}/yearly-summary": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/orders/{order_id}/refund/retry": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/orders/{order_id}/refund/paid-otherwise": Access(OPERATOR, OPERATORS),
        "POST /v1/me/account": Access(MENTOR, OWN),
        "GET /v1/me/account": Access(MENTOR, OWN),
        "POST /v1/me/account/onboarding-link": Access(MENTOR, OWN),
        "GET /v1/me/earnings": Access(MENTOR, OWN),
        "GET /v1/me/earnings/months": Access(MENTOR, OWN),
        "GET /v1/me/earnings/orders": Access(MENTOR, OWN),
        "GET /v1/me/payouts": Access(MENTOR, OWN),
        "GET /v1/checkouts/{order_id}": Access(SIGNED_IN, PARTIES),
        "POST /v1/checkouts/{order_id}/look-up": Access(SIGNED_IN, PARTIES),
        "GET /v1/orders/{order_id}/money": Access(SIGNED_IN, PARTIES),
        "GET /v1/mentors/{mentor_id}/packages": Access(ANYONE, PUBLIC),
        "GET /v1/packages/{package_id}": Access(ANYONE, PUBLIC),
        "POST /v1/packages/{package_id}/purchases": Access(SIGNED_IN, PUBLIC),
        "GET /v1/me/packages": Access(MENTOR, OWN),
        "POST /v1/me/packages": Access(MENTOR, OWN),
        "POST /v1/me/packages/{package_id}/withdraw": Access(MENTOR, PARTIES),
        "GET /v1/mentors/{mentor_id}/plans": Access(ANYONE, PUBLIC),
        "GET /v1/plans/{plan_id}": Access(ANYONE, PUBLIC),
        "POST /v1/plans/{plan_id}/subscriptions": Access(SIGNED_IN, PUBLIC),
        "GET /v1/me/plans": Access(MENTOR, OWN),
        "POST /v1/me/plans": Access(MENTOR, OWN),
        "POST /v1/me/plans/{plan_id}/withdraw": Access(MENTOR, PARTIES),
        "GET /v1/me/subscriptions": Access(SIGNED_IN, OWN),
        "GET /v1/subscriptions/{subscription_id}": Access(SIGNED_IN, PARTIES),
        "GET /v1/subscriptions/{subscription_id}/months": Access(SIGNED_IN, PARTIES),
        "GET /v1/subscriptions/{subscription_id}/end-preview": Access(SIGNED_IN, PARTIES),
        "GET /v1/subscriptions/{subscription_id}/change-preview": Access(SIGNED_IN, PARTIES),
        "POST /v1/subscriptions/{subscription_id}/look-up": Access(SIGNED_IN, PARTIES),
        "POST /v1/subscriptions/{subscription_id}/pause": Access(SIGNED_IN, PARTIES),
        # Of the parties only the mentee, who pays: `only_the_payer`.
        "POST /v1/subscriptions/{subscription_id}/resume": Access(SIGNED_IN, PARTIES),
        "POST /v1/subscriptions/{subscription_id}/end": Access(
            SIGNED_IN, PARTIES, {"at": "period_end"}
        ),
        # Again only the mentee.
        "POST /v1/subscriptions/{subscription_id}/change": Access(
            SIGNED_IN, PARTIES, {"plan_id": "00000000-0000-0000-0000-0000000000f4"}
        ),
        "GET /v1/operator/subscriptions": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/subscriptions/{subscription_id}": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/subscriptions/{subscription_id}/pause": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/subscriptions/{subscription_id}/end": Access(OPERATOR, OPERATORS),
        "POST /v1/gifts": Access(SIGNED_IN, OWN),
        "POST /v1/gifts/{purchase_id}/code": Access(SIGNED_IN, PARTIES),
        "POST /v1/gifts/redeem": Access(SIGNED_IN, OWN),
        "POST /v1/sponsorships": Access(SIGNED_IN, OWN),
        "GET /v1/me/credits": Access(SIGNED_IN, OWN),
        "GET /v1/me/purchases": Access(SIGNED_IN, OWN),
        "GET /v1/purchases/{purchase_id}": Access(SIGNED_IN, PARTIES),
        "POST /v1/purchases/{purchase_id}/refund": Access(
            SIGNED_IN, PARTIES, {"shown_amount_minor": 1}
        ),
        "POST /v1/operator/purchases/{purchase_id}/refund": Access(OPERATOR, OPERATORS),
        "GET /v1/me/fund": Access(MENTOR, OWN),
        "POST /v1/me/fund/grants": Access(MENTOR, OWN),
        "GET /v1/orders/{order_id}/refund-preview": Access(SIGNED_IN, PARTIES),
        "POST /v1/quotes": Access(SIGNED_IN, OWN),
        "GET /v1/me/amends": Access(SIGNED_IN, OWN),
        "GET /v1/me/promotions": Access(MENTOR, OWN),
        "POST /v1/me/promotions": Access(MENTOR, OWN),
        "POST /v1/me/promotions/{promotion_id}/pause": Access(MENTOR, PARTIES),
        "POST /v1/me/promotions/{promotion_id}/resume": Access(MENTOR, PARTIES),
        "GET /v1/operator/promotions": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/promotions": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/promotions/{promotion_id}/pause": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/promotions/{promotion_id}/resume": Access(OPERATOR, OPERATORS),
        "GET /v1/me/fees": Access(MENTOR, OWN),
        "GET /v1/operator/fees": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/fees": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/fees/mentors": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/fees/mentors/{mentor_id}/end": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/ledger/trial-balance": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/ledger/reconciliation": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/disputes": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/disputes/{dispute_id}": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/disputes/{dispute_id}/evidence": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/disputes/{dispute_id}/accept": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/disputes/{dispute_id}/look": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/operations": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/operations/open": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/operations/{operation_id}": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/operations/{operation_id}/retry": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/operations/{operation_id}/look": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/webhooks": Access(OPERATOR, OPERATORS),
        "GET /v1/operator/webhooks/waiting": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/webhooks/{event}/obey": Access(OPERATOR, OPERATORS),
        "POST /v1/operator/webhooks/read-events": Access(OPERATOR, OPERATORS),
        "POST /webhooks/stripe": Access(ANYONE, PUBLIC),
        "POST /webhooks/stripe-connect": Access(ANYONE, PUBLIC),
    },
    "notifications": {
        **KIT,
        "GET /v1/me/feed": Access(SIGNED_IN, OWN),
        "POST /v1/me/feed/read": Access(SIGNED_IN, OWN),
        "GET /v1/me/feed/unread": Access(SIGNED_IN, OWN),
    },
}
