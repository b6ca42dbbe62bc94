"""What a purchase comes to, asked of `payments` before anything is held."""

from __future__ import annotations

import re

from shared.ids import new_id
from web.client import Away, Refused, Service
from web.price_shapes import Bill
from web.shapes import Offering
from web.visit import Visit

CODE_FORM = re.compile(r"^[A-Z0-9][A-Z0-9-]{2,23}$")
CODE_LONGEST = 24
WHOLE = 10_000


def code_of(visit: Visit) -> str:
    """Return the code that was typed, or stands in the address, in capital letters."""
    return (visit.form.text("promotion_code") or visit.query("code")).upper()


async def bill_of(visit: Visit, offering: Offering, sessions: int = 1) -> Bill | None:
    """Return every amount of a purchase; none while they cannot be asked for."""
    code = code_of(visit)
    steps = offering.policy.steps if offering.policy else []
    body = {
        "mentor_id": offering.mentor_id,
        "offering_id": offering.offering_id,
        "price_minor": offering.price_minor,
        "currency": offering.currency,
        "minutes": offering.minutes,
        "sessions": sessions,
        "promotion_code": code if CODE_FORM.match(code) else None,
        "refund_basis_points": sorted({WHOLE, *(step.refund_basis_points for step in steps)}),
    }
    try:
        answer = await visit.send(Service.PAYMENTS, "POST", "/v1/quotes", body, key=str(new_id()))
    except Away as away:
        visit.away.add(away.service)
        return None
    except Refused:
        return None
    bill = Bill.model_validate_json(answer.content)
    odd = bool(code) and body["promotion_code"] is None
    return bill.model_copy(
        update={
            "promotion_code": code or None,
            "promotion_refused": "unknown" if odd else bill.promotion_refused,
        }
    )
