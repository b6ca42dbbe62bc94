"""What packages and plans have in common: sessions that are sold before they are booked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.payments.domain.credits import Package
from services.payments.domain.offered import Offered
from services.payments.domain.subscriptions import MentoringPlan
from services.payments.domain.worth import is_dearer
from shared.contracts.common import CurrencyCode, Minor
from shared.web import View


class AheadView(View):
    """Sessions that are sold ahead; `saved_minor` is what they cost less than alone.

    They are not sold while they are not `bookable`, though they are offered; nor while they are
    `dearer_than_alone`: single sessions cost less now.
    """

    offering_id: UUID
    mentor_id: UUID
    title: str
    minutes: int
    dearer_than_alone: bool
    sessions: int
    unit_price_minor: Minor
    price_minor: Minor
    saved_minor: Minor
    currency: CurrencyCode
    bookable: bool


def shown_ahead(sold: Package | MentoringPlan, offered: Offered) -> dict[str, Any]:
    """Return what is shown of a package as of a plan."""
    saved = (offered.price.minor - sold.unit.minor) * sold.sessions
    return {
        "offering_id": sold.offering_id,
        "mentor_id": sold.mentor_id,
        "title": offered.title,
        "minutes": offered.minutes,
        "dearer_than_alone": is_dearer(sold.unit, offered.price),
        "sessions": sold.sessions,
        "unit_price_minor": sold.unit.minor,
        "price_minor": sold.price.minor,
        "saved_minor": max(0, saved),
        "currency": sold.unit.currency,
        "bookable": offered.bookable,
    }
