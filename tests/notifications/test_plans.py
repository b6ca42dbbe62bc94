"""Letters about plans, to both sides and in both languages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.contracts import payments as facts
from shared.ids import new_id
from tests.notifications.conftest import NOW, Marketplace

UNTIL = NOW + timedelta(days=30)
MONTH: dict[str, Any] = {
    "order_id": new_id(), "sessions": 4, "amount_minor": 40_000, "currency": "USD",
    "period_end": UNTIL,
}  # fmt: skip
STEPS: list[tuple[type[facts.PlanFact], dict[str, Any]]] = [
    (facts.PlanStarted, {"period_end": UNTIL}),
    (facts.PlanRenewed, MONTH),
    (facts.PlanPaymentFailed, {"attempt": 1, "next_attempt_at": UNTIL}),
    (facts.PlanPaymentFailed, {"attempt": 4}),
    (facts.PlanPaused, {"by": "mentor", "period_end": UNTIL}),
    (facts.PlanResumed, {"by": "mentee", "period_end": UNTIL}),
    (facts.PlanRested, {"period_end": UNTIL}),
    (facts.PlanContinued, {"next_payment_at": UNTIL}),
    (facts.PlanContinued, {}),
    (facts.PlanEndScheduled, {"by": "mentee", "ends_at": UNTIL}),
    (facts.PlanEndScheduled, {"by": "mentee"}),
    (facts.PlanEnded, {"because": "payment_failed"}),
]


@pytest.mark.parametrize(
    ("locale", "first", "last"),
    [
        ("en", "Your plan with Mia Mentor has begun", "The plan with Mia Mentor has ended"),
        ("de", "Dein Plan mit Mia Mentor hat begonnen", "Der Plan mit Mia Mentor ist beendet"),
    ],
)
async def test_every_step_of_a_plan_has_its_letters(
    market: Marketplace, locale: str, first: str, last: str
):
    """The mentee hears of money, both hear of what one side wants; all lead to the plans."""
    await market.meet(mentee_locale=locale)
    about = {
        "subscription_id": new_id(), "plan_id": new_id(), "mentor_id": market.mentor,
        "mentee_id": market.mentee,
    }  # fmt: skip
    for version, (kind, said) in enumerate(STEPS, 1):
        assert await market.hear(kind.model_validate({**about, "version": version, **said})) == (
            "handled"
        )
    await market.work()
    mails = market.mailbox.to("tom@example.test")
    subjects = [str(mail["Subject"]) for mail in mails]
    assert len(subjects) == len(STEPS)
    assert {first, last} <= set(subjects)
    assert len(market.mailbox.to("mia@example.test")) == 9
