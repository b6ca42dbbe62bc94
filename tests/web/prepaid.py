"""What the pages of sessions paid in advance show: packages, purchases in every state, a fund."""

from __future__ import annotations

from collections.abc import Mapping

from tests.web.conftest import MENTOR, OFFERING, ORDER, STARTS

GIFT, FUNDED, UNPAID, LAPSED, PAID_BACK, OVER = (
    f"0190a000-0000-7000-8000-00000000040{n}" for n in range(6)
)
PREPAID: Mapping[str, tuple[str, ...]] = {
    "/packages/{package_id}": (f"/packages/{ORDER}",),
    "/give": (f"/give?offering={OFFERING}",),
    "/credits": ("/credits",),
    "/purchases/{purchase_id}": tuple(
        f"/purchases/{each}" for each in (ORDER, GIFT, FUNDED, UNPAID, LAPSED, PAID_BACK, OVER)
    ),
    "/purchases/{purchase_id}/return": (f"/purchases/{UNPAID}/return",),
    "/mentor/packages": ("/mentor/packages",),
}
PACKAGE = {
    "package_id": ORDER, "offering_id": OFFERING, "mentor_id": MENTOR, "title": "First <steps>",
    "minutes": 60, "sessions": 5, "unit_price_minor": 10000, "price_minor": 50000,
    "saved_minor": 10000, "currency": "USD", "valid_months": 6, "gift_valid_months": 12,
}  # fmt: skip
LOT = {
    "kind": "package", "mentor_id": MENTOR, "offering_id": OFFERING, "title": "First <steps>",
    "minutes": 60, "sessions": 5, "remaining": 3, "expires_at": "2999-01-01T00:00:00Z",
}  # fmt: skip
AMENDS = {
    "amends_for": OFFERING, "left_minor": 1200, "currency": "USD",
    "expires_at": "2999-01-01T00:00:00Z",
}  # fmt: skip


def bought(purchase_id: str, kind: str, state: str = "paid", **more: object) -> dict[str, object]:
    """Return a purchase as payments shows it."""
    return {
        **LOT, "purchase_id": purchase_id, "kind": kind, "state": state, "price_minor": 50000,
        "currency": "USD", "used": 2, **more,
    }  # fmt: skip


def _story(purchase: Mapping[str, object]) -> dict[str, object]:
    """Return the money of a purchase: what was paid, and what went back of it."""
    back = int(str(purchase.get("refunded_minor", 0)))
    told = [("charge", "The price was paid.", 50000)]
    if purchase.get("expired"):
        told.append(("expired", "Credits were not used.", 0))
    if back:
        told += [("refund", "This part of the price goes back to the card.", -back),
                 ("refund_sent", "Stripe sent the refund to the bank of the card.", 0)]  # fmt: skip
    items = [
        {"at": STARTS, "kind": kind, "amount_minor": abs(minor) or 50000, "currency": "USD",
         "words": words, "whose": "mentee" if minor else None, "change_minor": minor}
        for kind, words, minor in told
    ]  # fmt: skip
    total = {"whose": "mentee", "amount_minor": 50000 - back, "currency": "USD"}
    return {"items": items, "totals": [total]}


def prepaid() -> dict[str, object]:
    """Return what payments answers."""
    purchases = [
        bought(ORDER, "package", refundable_minor=30000),
        bought(GIFT, "gift"),
        bought(FUNDED, "sponsorship", granted=1),
        bought(UNPAID, "package", "open", expires_at=None),
        bought(LAPSED, "package", "closed", expires_at=None),
        bought(PAID_BACK, "gift", remaining=0, used=0, refunded_minor=50000),
        bought(OVER, "sponsorship", remaining=0, granted=1, refunded_minor=40000, expired=True),
    ]
    item = {"offering_id": OFFERING, "title": "First <steps>", "minutes": 60, "available": 2,
            "expires_at": STARTS}  # fmt: skip
    return {
        f"/v1/mentors/{MENTOR}/packages": {"items": [PACKAGE]},
        f"/v1/packages/{ORDER}": PACKAGE,
        "/v1/me/packages": {"items": [PACKAGE]},
        "/v1/me/credits": {"items": [LOT]},
        "/v1/me/amends": {"items": [AMENDS]},
        "/v1/me/purchases": {"items": purchases},
        "/v1/me/fund": {"items": [item], "mentee_ids": [MENTOR]},
        f"/v1/checkouts/{UNPAID}": {"state": "open", "url": "https://stripe.example/pay"},
        **{f"/v1/purchases/{each['purchase_id']}": each for each in purchases},
        **{f"/v1/orders/{each['purchase_id']}/money": _story(each) for each in purchases},
    }
