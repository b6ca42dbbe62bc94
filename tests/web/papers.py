"""Receipts, statements and the figures of a year, as `payments` tells them."""

from __future__ import annotations

from tests.web.conftest import MENTOR, ORDER, SESSION, STARTS


def papers() -> dict[str, object]:
    """Return a receipt with its credit note, a statement, and a year."""
    receipt = {"document_id": SESSION, "number": "R-2030-000001", "kind": "receipt",
               "order_id": ORDER, "title": "First <steps>", "amount_minor": 12000,
               "currency": "USD", "happened_at": STARTS}  # fmt: skip
    note = {**receipt, "document_id": ORDER, "number": "C-2030-000001", "kind": "credit_note"}
    statement = {"statement_id": SESSION, "period_from": "2030-02-01T00:00:00Z",
                 "currency": "USD", "opening_minor": 10200, "earned_minor": 20400,
                 "given_back_minor": -5100, "sent_minor": -20400, "came_back_minor": 500,
                 "written_off_minor": 0, "kept_minor": 300, "closing_minor": 5600,
                 "paid_out_minor": 20400}  # fmt: skip
    year = {"currency": "USD", "sessions": 2, "gross_minor": 24000, "refunds_minor": 6000,
            "fees_minor": 2700, "net_minor": 15300}  # fmt: skip
    summary = {"year": 2030, "quarters": [{**year, "quarter": 1}], "totals": [year]}
    stated = {"items": [statement], "next_cursor": "abc"}
    return {
        "/v1/me/receipts": {"items": [note, receipt], "next_cursor": "abc"},
        "/v1/me/statements": stated,
        "/v1/me/yearly-summary": summary,
        f"/v1/operator/mentors/{MENTOR}/statements": stated,
        f"/v1/operator/mentors/{MENTOR}/yearly-summary": summary,
    }
