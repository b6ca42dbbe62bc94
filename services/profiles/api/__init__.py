"""URLs, request and response shapes of this service, by topic; no rules."""

from services.profiles.api import accounts, me, mentors, reviews, sign_ins, vetting
from services.profiles.api.front import DESK, Desk, api
from shared.web.operators import add_operator_routes

add_operator_routes(api)

__all__ = ["DESK", "Desk", "accounts", "api", "me", "mentors", "reviews", "sign_ins", "vetting"]
