"""Services that have something for every page, and the addresses that show it, state by state."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.web.conftest import (
    ME,
    MENTOR,
    OFFERING,
    ORDER,
    SESSION,
    STARTS,
    Services,
    offering,
    order,
    problem,
)
from tests.web.filling_money import disputes, payments, reconciliation, stripe
from tests.web.plans import PLANS
from tests.web.prepaid import GIFT, PREPAID
from web.pages import ALL_ROUTES

CARD = {
    "person_id": MENTOR,
    "name": "Maya <Mentor>",
    "headline": "Leading & more",
    "expertise": ["sql", "a", "b", "c", "d"],
    "languages": ["en", "de"],
    "zone": "Europe/Berlin",
    "rating": {"mean": 4.5, "count": 3},
    "from_price": {"price_minor": 12000, "currency": "USD"},
}
PROFILE = {
    "headline": "Leading", "story": "Long.", "expertise": ["sql"], "languages": ["en"], "years": 3,
    "industries": ["Health"], "state": "changes_requested", "reason": "Say more.",
}  # fmt: skip
MONEY_LINES = [
    {"at": STARTS, "kind": kind, "amount_minor": 12000, "currency": "USD", "words": words,
     "whose": "mentee" if change else None, "change_minor": change}
    for kind, words, change in (
        ("charge", "The price was paid.", 12000),
        ("refund", "This part of the price goes back to the card.", -12000),
        ("refund_sent", "Stripe sent the refund to the bank of the card.", 0),
    )
]  # fmt: skip
MONEY_TOTALS = [{"whose": "mentee", "amount_minor": 0, "currency": "USD"},
                {"whose": "mentor", "amount_minor": -1, "currency": "USD"},
                {"whose": "nobody_yet", "amount_minor": 1, "currency": "USD"}]  # fmt: skip
CONSEQUENCES = {
    "back_minor": 3000, "price_back_minor": 4000,
    "mentee_minor": 3000, "mentor_minor": 7650, "platform_minor": 1350,
    "mentor_gives_minor": 2550, "platform_gives_minor": 450, "owed_minor": 2550,
    "reversible_minor": 1000, "currency": "USD",
}  # fmt: skip
MESSAGE = {
    "message_id": "1", "kind": "x", "title": "Hello", "text": "Body", "at": STARTS, "read": False,
    "order_id": ORDER,
}  # fmt: skip
WAIT = {
    "order_id": ORDER, "waits_for": "Stripe answers transfer.create", "since": STARTS,
    "due_at": None, "clock": "system", "needs_operator": True, "details": {"attempts": 3},
}  # fmt: skip
STATES = (
    "held", "confirmed", "completed", "expired", "cancelled", "lost", "requested", "offered",
    "no_show", "declined", "lapsed",
)  # fmt: skip
OF_STATE: Mapping[str, str] = {
    state: f"0190a000-0000-7000-8000-0000000001{number:02}" for number, state in enumerate(STATES)
}
"""An order in each state."""
BY_REQUEST = "0190a000-0000-7000-8000-000000000301"
FREE = "0190a000-0000-7000-8000-000000000302"
"""Offerings that are booked otherwise: the mentor accepts first, nothing is to be paid."""
ASKED = [
    {"text": "What shall be different after this hour?", "required": True},
    {"text": "What have you tried?", "required": False},
]
ANSWERS = [{"question": ASKED[0]["text"], "answer": "I give work away, and sleep."}]
DEEDS = ("cancel", "complete", "move", "answer_move", "report_absence", "object")
PROPOSAL = {"by": "mentor", "starts_at": STARTS, "ends_at": "2030-03-04T15:00:00Z",
            "answer_by": STARTS, "reason": "I travel."}  # fmt: skip
OBJECTION = {"by": "mentee", "reason": "Cut off after five minutes.", "raised_at": STARTS,
             "settled_at": None}  # fmt: skip
BILL = {"currency": "USD", "price_minor": 12000, "discount_minor": 3000, "credits_minor": 0,
        "credits_used": 0, "to_pay_minor": 9000, "promotion_code": "SPRING-25"}  # fmt: skip
BACK = [{"refund_basis_points": points, "mentee_minor": minor}
        for points, minor in ((0, 0), (3333, 2999), (10000, 9000))]  # fmt: skip
CODE_NOT_TAKEN = "0190a000-0000-7000-8000-000000000201"
"""An order whose code takes nothing off."""
NOT_ASKED_YET = "0190a000-0000-7000-8000-000000000200"
"""An order whose payment page is being prepared."""

FRAGMENTS = frozenset(
    {
        "/sessions/{order_id}/calendar.ics",
        "/feeds/{token}/calendar.ics",
        "/receipts/{document_id}/receipt.pdf",
        "/statements/{statement_id}/statement.pdf",
        "/statements/{statement_id}/statement.csv",
        "/statements/year/{year}.csv",
        "/orders/{order_id}/status",
        "/purchases/{purchase_id}/status",
        "/subscriptions/{subscription_id}/status",
        "/inbox/news",
        "/inbox/unread",
    }
)
"""Parts that pages load by themselves, each on a page that is walked, and files."""
PUBLIC: Mapping[str, tuple[str, ...]] = {
    "/": ("/", "/?q=lead"),
    "/mentors/{mentor_id}": (f"/mentors/{MENTOR}",),
    "/sign-up": ("/sign-up",),
    "/check-mail": ("/check-mail",),
    "/verify": ("/verify?token=t", "/verify"),
    "/sign-in": ("/sign-in",),
    "/forgot-password": ("/forgot-password",),
    "/reset-password": ("/reset-password?token=t",),
}
OWN: Mapping[str, tuple[str, ...]] = {
    "/settings": ("/settings",),
    "/hold": tuple(
        f"/hold?offering={each}&starts_at={STARTS}&code=SPRING-25"
        for each in (OFFERING, BY_REQUEST, FREE)
    ),
    "/orders/{order_id}": tuple(
        f"/orders/{OF_STATE[state]}"
        for state in ("held", "confirmed", "expired", "declined", "lapsed", "no_show")
    ),
    "/orders/{order_id}/pay": (f"/orders/{NOT_ASKED_YET}/pay", f"/orders/{CODE_NOT_TAKEN}/pay"),
    "/orders/{order_id}/return": (f"/orders/{OF_STATE['held']}/return",),
    "/sessions": ("/sessions", "/sessions?as=mentor"),
    "/sessions/{order_id}": tuple(f"/sessions/{each}" for each in OF_STATE.values()),
    "/sessions/{order_id}/cancel": (f"/sessions/{ORDER}/cancel",),
    "/sessions/{order_id}/move": (f"/sessions/{ORDER}/move", f"/sessions/{ORDER}/move?at={STARTS}"),
    "/sessions/{order_id}/absence": (f"/sessions/{ORDER}/absence",),
    "/sessions/{order_id}/object": (f"/sessions/{ORDER}/object",),
    "/series": (f"/series?offering={BY_REQUEST}&starts_at={STARTS}",),
    "/waitlist": ("/waitlist",),
    **PREPAID,
    **PLANS,
    "/waitlist/join": (f"/waitlist/join?offering={OFFERING}",),
    "/calendar": ("/calendar",),
    "/goals": ("/goals",),
    "/goals/{goal_id}": (f"/goals/{SESSION}",),
    "/inbox": ("/inbox",),
    "/mentor": ("/mentor",),
    "/mentor/requests": ("/mentor/requests",),
    "/mentor/profile": ("/mentor/profile",),
    "/mentor/account": ("/mentor/account",),
    "/mentor/offerings": ("/mentor/offerings",),
    "/mentor/offerings/new": ("/mentor/offerings/new",),
    "/mentor/prices": ("/mentor/prices",),
    "/operator/codes": ("/operator/codes",),
    "/operator/fees": ("/operator/fees", f"/operator/fees?mentor={MENTOR}"),
    "/mentor/offerings/{offering_id}": (f"/mentor/offerings/{OFFERING}",),
    "/mentor/hours": ("/mentor/hours",),
    "/mentor/hours/days": ("/mentor/hours/days", "/mentor/hours/days?country=DE&year=2030"),
    "/mentor/hours/travel": ("/mentor/hours/travel",),
    "/mentor/calendars": ("/mentor/calendars",),
    "/earnings": ("/earnings",),
    "/receipts": ("/receipts",),
    "/statements": ("/statements", "/statements?year=2029"),
    "/operator": ("/operator",),
    "/operator/mentors": ("/operator/mentors",),
    "/operator/mentors/{person_id}": (f"/operator/mentors/{MENTOR}",),
    "/operator/mentors/{person_id}/statements": (f"/operator/mentors/{MENTOR}/statements",),
    "/operator/orders": ("/operator/orders",),
    "/operator/orders/{order_id}": tuple(f"/operator/orders/{each}" for each in (ORDER, GIFT)),
    "/operator/orders/{order_id}/cancel": (f"/operator/orders/{ORDER}/cancel",),
    "/operator/orders/{order_id}/refund": (f"/operator/orders/{ORDER}/refund",),
    "/operator/debts": ("/operator/debts",),
    "/operator/stuck": ("/operator/stuck",),
    "/operator/objections": ("/operator/objections",),
    "/operator/objections/{order_id}/{session_id}": (f"/operator/objections/{ORDER}/{SESSION}",),
    "/operator/dead-letters": ("/operator/dead-letters",),
    "/operator/log": ("/operator/log",),
    "/operator/disputes": ("/operator/disputes", "/operator/disputes?state=closed"),
    "/operator/disputes/{dispute_id}": ("/operator/disputes/du_1", "/operator/disputes/du_2"),
    "/operator/ledger": ("/operator/ledger", "/operator/ledger?at=2030-03-11"),
    "/operator/reconciliation": ("/operator/reconciliation",),
    "/operator/calls": ("/operator/calls", "/operator/calls?state=any&kind=refund.create"),
    "/operator/calls/{operation_id}": (f"/operator/calls/{SESSION}",),
    "/operator/notices": ("/operator/notices", "/operator/notices?type=payout.paid"),
}
LISTS = ("/mentor/prices", "/operator/codes", "/operator/fees", "/", "/mentor/requests",
         "/sessions", "/sessions?as=mentor", "/goals", "/inbox", "/mentor",
         "/earnings", "/receipts", "/statements", "/waitlist", "/mentor/offerings", "/operator",
         "/operator/mentors",
         "/operator/orders", "/operator/stuck", "/operator/objections", "/operator/dead-letters",
         "/operator/log", "/operator/ledger", "/operator/calls", "/operator/notices",
         "/operator/disputes", "/operator/debts",
         f"/mentors/{MENTOR}")  # fmt: skip
"""What looks different when there is nothing yet."""


_PATTERN = re.compile(r":[^/]*\}")
"""What may stand at a place of a path, after the name of the place."""


def get_routes() -> set[str]:
    """Return every address of the web client that is read, parts of pages left out."""
    read = (row.path for row in ALL_ROUTES if row.method == "GET")
    return {_PATTERN.sub("}", path) for path in read} - FRAGMENTS


def every(addresses: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the addresses of all their routes."""
    return [address for found in addresses.values() for address in found]


def fill(services: Services) -> None:
    """Give the services something for every page."""
    parts = (
        _profiles(),
        _booking(),
        _time(),
        _orders(),
        payments(),
        _operators(),
        _notifications(),
    )
    for part in parts:
        for path, content in part.items():
            services.tell("GET", path, (200, content))
    services.tell("GET", f"/v1/checkouts/{NOT_ASKED_YET}", (404, problem(404, "not_found")))
    services.tell("POST", "/v1/quotes", (200, BILL | {"back": BACK}))


def empty(services: Services) -> None:
    """Take everything out of every list; what is not a list stays."""
    fill(services)
    for key, told in services.told.items():
        content = told.answers[0][1]
        names = {"items": [], "totals": [], "steps": [], "waits": []}
        if isinstance(content, dict) and not key[1].endswith(("/people", "/expertise")):
            kept = {name: names.get(name, value) for name, value in content.items()}
            services.tell(*key, (told.answers[0][0], {**kept, "next_cursor": None}))
    for path in ("/v1/me/mentor-profile", "/v1/me/availability"):
        services.tell("GET", path, (404, problem(404, "not_found")))
    services.tell("GET", "/v1/me/account", (200, {"state": "none"}))


def _profiles() -> dict[str, object]:
    vetted = {"person_id": MENTOR, "name": "Maya", "state": "submitted", **PROFILE}
    review = {"author_name": "Ed", "rating": 4, "text": "Good.", "published_at": STARTS}
    return {
        "/v1/mentors": {"items": [CARD], "next_cursor": "abc"},
        f"/v1/mentors/{MENTOR}": {**CARD, "story": "S", "years": 3, "industries": []},
        f"/v1/mentors/{MENTOR}/reviews": {"items": [review]},
        f"/v1/sessions/{SESSION}/reviews": {"state": "open", "mine": None, "theirs": None},
        "/v1/me/mentor-profile": PROFILE,
        "/v1/operator/mentors": {"items": [vetted]},
        f"/v1/operator/mentors/{MENTOR}": vetted,
    }


def _booking() -> dict[str, object]:
    mine = offering(state="draft", version=3, horizon_days=60, by_request=True, daily_cap=2,
                    questions=ASKED, cancellation_preset="strict")  # fmt: skip
    goal = {"goal_id": SESSION, "title": "Lead", "measure": "5", "target_on": "2030-01-01",
            "state": "open", "version": 1}  # fmt: skip
    preview = {"by": "mentee", "refund_basis_points": 5000, "valid_until": STARTS}
    some = [order(each, order_id=OF_STATE[each]) for each in ("confirmed", "held", "lost")]
    asking = order("requested", order_id=OF_STATE["requested"], mentee_id=MENTOR,
                   mentor_id=ME, answer_by=STARTS, answers=ANSWERS)  # fmt: skip
    slots = [{"starts_at": STARTS, "ends_at": "2030-03-04T15:00:00Z"}]
    return {
        f"/v1/mentors/{MENTOR}/offerings": {"items": [offering()]},
        f"/v1/offerings/{OFFERING}": offering(),
        f"/v1/offerings/{BY_REQUEST}": offering(
            offering_id=BY_REQUEST, by_request=True, questions=ASKED
        ),
        f"/v1/offerings/{FREE}": offering(offering_id=FREE, price_minor=0),
        f"/v1/offerings/{OFFERING}/slots": {"items": slots},
        "/v1/orders": {"items": [*some, asking], "next_cursor": "abc"},
        f"/v1/orders/{ORDER}/cancellation-preview": preview,
        **_mentees(),
        "/v1/goals": {"items": [goal]},
        "/v1/me/offerings": {"items": [mine]},
        f"/v1/me/offerings/{OFFERING}": mine,
        "/v1/operator/orders": {"items": [order()]},
    }


def _mentees() -> dict[str, object]:
    ends = "2030-03-04T15:00:00Z"
    slot = {"starts_at": STARTS, "ends_at": ends}
    weeks = [{**slot, "on": "2030-03-04", "free": True, "alternatives": []},
             {**slot, "on": "2030-03-11", "free": False, "alternatives": [slot]},
             {"on": "2030-03-18", "free": False, "alternatives": []}]  # fmt: skip
    change = {"on": "2030-03-10", "zone": "America/New_York", "shift_minutes": 60}
    entry = {"entry_id": SESSION, "offering_id": OFFERING, "mentor_id": MENTOR, "from": STARTS,
             "until": ends, "state": "waiting", "place": 2}  # fmt: skip
    case = order("completed", objection=OBJECTION)
    record = {"party": "mentor", "joined_at": STARTS, "left_at": ends, "late_minutes": 7}
    return {
        f"/v1/orders/{ORDER}/move-slots": {"items": [slot]},
        f"/v1/orders/{ORDER}/move-preview": {
            "by": "mentee", "immediate": False, "refundable_after": False, "moves_left": 1,
        },
        f"/v1/offerings/{BY_REQUEST}/series": {
            "dates": weeks, "price_minor": 36000, "currency": "USD", "clock_changes": [change],
        },
        "/v1/waitlist": {"items": [entry, {**entry, "state": "offered", "place": None}]},
        "/v1/me/calendar-feed": {"exists": True, "created_at": STARTS, "last_read_at": None},
        "/v1/operator/objections": {"items": [case]},
        f"/v1/sessions/{SESSION}/attendance": {"items": [record]},
    }  # fmt: skip


def _time() -> dict[str, object]:
    hours = {
        "zone": "Europe/Berlin", "room_url": "https://meet.example",
        "weekly": [{"weekday": 0, "starts": "09:00", "ends": "12:00"},
                   {"weekday": 0, "starts": "14:00", "ends": "24:00"}],
        "travels": [{"zone": "Asia/Tokyo", "from_on": "2030-04-01", "until_on": "2030-04-14"}],
        "overrides": [{"on": "2030-12-25", "hours": [], "name": "Christmas <Day>"},
                      {"on": "2030-12-27", "hours": [{"starts": "10:00", "ends": "12:00"}]}],
    }  # fmt: skip
    holidays = [
        {"on": "2030-12-25", "name": "Christmas Day"},
        {"on": "2030-10-03", "name": "Unity"},
    ]
    well = {"calendar_id": SESSION, "name": "Work", "host": "calendar.example.com",
            "fetched_at": STARTS, "busy_count": 12}  # fmt: skip
    ill = {**well, "calendar_id": ORDER, "name": "Home", "failure": "not_found",
           "failing_since": STARTS}  # fmt: skip
    new = {"calendar_id": ME, "name": "New", "host": "a.example"}
    return {
        "/v1/me/availability": hours,
        "/v1/holidays/countries": {"items": [{"code": "DE", "name": "Germany"}]},
        "/v1/holidays": {"items": holidays},
        "/v1/me/calendars": {"items": [well, ill, new]},
    }


def _orders() -> dict[str, object]:
    amounts = {"mentee_minor": 6000, "mentor_minor": 5100, "platform_minor": 900, "currency": "USD"}
    known = {ORDER: "completed", NOT_ASKED_YET: "held", CODE_NOT_TAKEN: "held"} | {
        v: k for k, v in OF_STATE.items()
    }
    found: dict[str, object] = {}
    for order_id, state in known.items():
        done = {"cancelled_by": "mentee", "refund_basis_points": 5000, "completed_at": STARTS,
                "missed_by": "mentor"}  # fmt: skip
        if state == "completed":
            done |= {"objection": OBJECTION}
        if state == "confirmed":
            done |= {"proposal": PROPOSAL}
        if state == "requested":
            done = {"answer_by": STARTS, "answers": ANSWERS}
        can = dict.fromkeys(DEEDS, state == "confirmed") | {"join": True}
        found[f"/v1/orders/{order_id}"] = order(state, order_id=order_id, can=can, **done)
        found[f"/v1/orders/{order_id}/money"] = {
            "items": MONEY_LINES, "totals": MONEY_TOTALS, "disputed_since": STARTS,
        }  # fmt: skip
        found[f"/v1/orders/{order_id}/refund-preview"] = amounts
        page = {"state": "open", "url": "https://stripe.example/pay", **BILL}
        if order_id == CODE_NOT_TAKEN:
            page |= {"discount_minor": 0, "to_pay_minor": 12000, "promotion_refused": "used_up"}
        found[f"/v1/checkouts/{order_id}"] = page
    return found


def _operators() -> dict[str, object]:
    here = f"/v1/operator/orders/{ORDER}"
    step = {"at": STARTS, "kind": "fact", "what": "BookingHeld", "state": "told", "details": {}}
    failed = [{"refund_id": SESSION, "amount_minor": 5000}]
    part = {"session_id": SESSION, "failed": failed, "can": {"release": True, "refund": True}}
    state = {"state": "paid", "price_minor": 12000, "currency": "USD", "failed": failed}
    letter = {"event_id": SESSION, "topic": "booking.orders", "key": ORDER, "type": "BookingHeld",
              "error": "KeyError", "attempts": 3, "kept_at": STARTS, "behind": 2}  # fmt: skip
    deed = {"id": 1, "who": ME, "action": "release", "subject": ORDER, "order_id": ORDER,
            "reason": "Asked", "outcome": "done", "details": {}, "acted_at": STARTS}  # fmt: skip
    balance = [{"account": "stripe_balance", "currency": "USD", "amount_minor": 5},
               {"account": "payable", "currency": "USD", "amount_minor": -5},
               {"account": "payable", "currency": "EUR", "amount_minor": 1}]  # fmt: skip
    return {
        f"{here}/steps": {"steps": [step], "waits": [WAIT]},
        f"/v1/operator/orders/{GIFT}/steps": {"steps": [step], "waits": []},
        f"{here}/refund-preview": CONSEQUENCES,
        f"{here}/money-state": state | {"sessions": [part]},
        f"/v1/operator/orders/{GIFT}/money-state": state | {"sessions": []},
        "/v1/operator/stuck": {"items": [WAIT]},
        "/v1/operator/dead-letters": {"items": [letter]},
        "/v1/operator/log": {"items": [deed]},
        **disputes(),
        "/v1/operator/ledger/trial-balance": {"items": balance},
        "/v1/operator/ledger/reconciliation": reconciliation(),
        **stripe(),
    }


def _notifications() -> dict[str, object]:
    return {
        "/v1/me/feed": {"items": [MESSAGE], "next_cursor": "abc"},
        "/v1/me/feed/unread": {"unread": 2},
    }
