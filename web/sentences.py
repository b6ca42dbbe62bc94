"""What a person is told instead of what a program was told: by the stable code of a refusal.

Most refusals say in their own words what to do next, and are shown as they are. Here are those
that speak of headers, tokens and requests, which nobody at a browser has ever seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared.web.problems import FieldProblem, Problem

_AGAIN = "Load the page again to see where it stands."
_ODD = "Go back, load the page again and repeat it."
SENTENCES: Mapping[str, str] = {
    "refused": f"This cannot be done now. {_AGAIN}",
    "not_found": "It may be gone, or belong to somebody else. Go back and look again.",
    "role_missing": "Your account may not do this. Sign in with one that may, or ask us for help.",
    "token_missing": "Please sign in and try again.",
    "token_invalid": "Your sign-in is over. Please sign in again.",
    "idempotency_key_missing": f"This form arrived damaged. {_ODD}",
    "idempotency_key_reused": f"This form was sent before with something else in it. {_ODD}",
    "version_missing": f"This form arrived damaged. {_ODD}",
    "version_outdated": "Somebody changed it since you opened it. Load the page again and repeat"
    " your change.",
    "too_many_requests": "That was too often. Wait a minute, then try again.",
    "text_unusable": "The text holds a character that cannot be kept. Type it anew.",
    "cursor_invalid": "This part of the list is gone. Begin again at its first page.",
    "window_too_long": "Choose a week closer to today.",
    "zone_unknown": "Choose a time zone from the list.",
    "expertise_unknown": "Choose what you can help with from the list.",
    "hours_overlap": "Let every span end after it begins, and no two of one day overlap.",
    "policy_changed": "The mentor has changed these terms meanwhile. Read them again below, then"
    " accept them.",
    "slot_not_offered": "This time is not offered any more. Pick another one.",
    "own_offering": "This is your own offering. Look for another mentor.",
    "price_too_small": "Choose a higher price: a card cannot be charged so little.",
    "price_too_large": "Choose a lower price: a card cannot be charged so much at once.",
    "price_not_chargeable": "Choose a rounder price: cards are charged in whole units here.",
    "currency_differs": "Use the currency of your other offerings: you are paid in one currency.",
    "currency_not_settled": "We cannot be paid in this currency. Choose another one.",
    "share_not_yours": "Only operators choose what goes back. Cancel on the terms shown.",
    "not_confirmed": f"This needs a confirmed session. {_AGAIN}",
    "session_unnamed": "This purchase has several sessions. Open the one you mean and try again.",
    "not_requested": f"It was answered meanwhile, or nobody answered in time. {_AGAIN}",
    "too_many_waits": "You wait for as many times as one can. Leave one list first.",
    "not_over": "This can be done once the session is over.",
    "not_held": f"The time is not kept for you any more. {_AGAIN}",
    "not_your_part": "The other side of the session does this. Ask them, or us.",
    "too_early": "The room opens 15 minutes before the start. Come back then.",
    "too_late": "The session is over and its room is closed. You can still review it.",
    "vetting_state_wrong": f"The profile has moved on meanwhile. {_AGAIN}",
    "already_reviewed": "You have reviewed this session already. One review is all it takes.",
    "reviews_closed": "The time for reviewing this session is over. Tell them by other means.",
    "shape_invalid": "Please correct what is marked.",
    "json_invalid": f"This form arrived damaged. {_ODD}",
    "malformed_request": f"This form arrived damaged. {_ODD}",
    "route_not_found": "Go back to the front page: there is nothing at this address.",
    "method_not_allowed": f"This is not possible here. {_ODD}",
    "request_timeout": "The connection was too slow. Please try again.",
    "body_too_large": "Write a shorter text.",
    "content_type_unsupported": f"This form arrived damaged. {_ODD}",
    "internal_error": "This is our mistake, and it has been noted. Try again later.",
}
"""What to do, by code; a test compares with every refusal of the services."""

TITLES: Mapping[int, str] = {
    401: "Please sign in",
    404: "There is nothing here",
    409: "That did not work",
    413: "That was too long",
    422: "Something is missing or wrong",
    428: "That did not work",
    429: "Too many tries",
}
"""What a status is called for people, where that differs from what programs are told."""
TITLES_BY_CODE: Mapping[str, str] = {
    "sign_in_refused": "Address and password do not match",
    "email_unverified": "Confirm your address first",
    "link_unusable": "This link no longer works",
    "slot_taken": "This time is taken",
}

_LENGTH = re.compile(r"at (?:least|most) \d+ (?:character|item)s?")
_FIELDS: Mapping[str, str] = {
    "missing": "Fill this in.",
    "string_pattern_mismatch": "Write it in the form that is asked for.",
    "literal_error": "Choose one of those offered.",
    "enum": "Choose one of those offered.",
    "url_parsing": "Write a whole address that begins with https://.",
    "url_scheme": "Write an address that begins with https://.",
}
"""What to do about a field, by Pydantic's type of error."""


def told(problem: Problem) -> Problem:
    """Return the problem as a person is told of it."""
    titled = TITLES_BY_CODE.get(problem.code, TITLES.get(problem.status, problem.title))
    fields = [_field(each) for each in problem.errors] if problem.errors else None
    detail = SENTENCES.get(problem.code, problem.detail)
    return problem.model_copy(update={"title": titled, "detail": detail, "errors": fields})


def _field(error: FieldProblem) -> FieldProblem:
    length = _LENGTH.search(error.detail)
    words = f"Give {length[0]}." if length else _FIELDS.get(error.code, error.detail)
    return error.model_copy(update={"detail": words})
