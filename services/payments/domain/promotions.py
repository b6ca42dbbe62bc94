"""Promotion codes: what one takes off a price, who pays for it, and when it may be used. Pure.

A code is an id in capital letters. What it takes off is given by the platform, then the mentor
earns of the whole price, or by the mentor, then the price itself is lower (docs/decisions/0028).
Amends are one person's promotion that needs no code (docs/decisions/0033).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.errors import Kind, Refusal
from shared.money import WHOLE_BASIS_POINTS, Money, charge_step, smallest_charge, spread

Payer = Literal["platform", "mentor"]
UseState = Literal["reserved", "redeemed", "given_back"]
Pauser = Literal["mentor", "operator"]
Why = Literal[
    "unknown", "paused", "not_begun", "over", "used_up", "used_by_you", "not_first_purchase",
    "other_offering", "other_currency", "nothing_off", "paid_by_credits",
]  # fmt: skip
"""Why a code is not taken, for programs."""


class PromotionCodeTaken(Refusal):
    """Another promotion has this code."""

    code = "promotion_code_taken"
    detail = "Choose another code: this one is in use."


class PromotionShape(Refusal):
    """It is not said what the code takes off, or what is said cannot be together."""

    code = "promotion_shape"
    kind = Kind.SHAPE
    detail = (
        "Name a percentage or an amount with its currency, "
        "and an end that is still to come and after the beginning."
    )


class PausedByOperators(Refusal):
    """Operators paused the code; whose it is cannot take it up again."""

    code = "paused_by_operators"
    detail = "Mentorium paused this code: write to us if it should be used again."


@dataclass(frozen=True)
class Promotion:
    """A code with its limits; none means without limit. `used` counts what was not given back.

    Amends have no code: they are `mentee_id`'s, for the session `amends_for`.
    """

    promotion_id: UUID
    code: str | None
    paid_by: Payer
    made_by: UUID | None
    made_at: datetime
    percent_basis_points: int | None = None
    amount_minor: int | None = None
    currency: str | None = None
    mentor_id: UUID | None = None
    offering_id: UUID | None = None
    at_most: int | None = None
    per_person: int | None = None
    first_purchase_only: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    paused_at: datetime | None = None
    used: int = 0
    mentee_id: UUID | None = None
    amends_for: UUID | None = None
    remind_at: datetime | None = None
    paused_by: Pauser | None = None


@dataclass(frozen=True)
class Attempt:
    """What somebody wants to use a code for, and what they bought and used before."""

    mentor_id: UUID
    offering_id: UUID
    prices: Sequence[Money]
    used_before: int = 0
    bought_before: bool = False


@dataclass(frozen=True)
class Discount:
    """What a code takes off each part of a price, and who pays for it."""

    promotion: Promotion
    parts: tuple[Money, ...]

    @property
    def whole(self) -> Money:
        """Return what it takes off in all."""
        return Money(sum(each.minor for each in self.parts), self.parts[0].currency)


def check_shape(promotion: Promotion) -> None:
    """Raise `PromotionShape` unless it says clearly what is taken off, when, and of whom."""
    fixed = (promotion.amount_minor is not None, promotion.currency is not None)
    percent = promotion.percent_basis_points is not None
    one_kind = fixed == (not percent, not percent)
    begins_at = max(promotion.made_at, promotion.starts_at or promotion.made_at)
    ends_late = promotion.ends_at is None or promotion.ends_at > begins_at
    has_payer = promotion.paid_by == "platform" or promotion.mentor_id is not None
    if not (one_kind and ends_late and has_payer):
        raise PromotionShape


def pause(promotion: Promotion, by: Pauser, now: datetime) -> Promotion:
    """Return a code that is stopped; what operators paused stays theirs."""
    if promotion.paused_by == "operator":
        return promotion
    return replace(promotion, paused_at=now, paused_by=by)


def resume(promotion: Promotion, by: Pauser) -> Promotion:
    """Return a code that can be used again; raises `PausedByOperators`."""
    if promotion.paused_by == "operator" and by == "mentor":
        raise PausedByOperators
    return replace(promotion, paused_at=None, paused_by=None)


def apply(promotion: Promotion | None, attempt: Attempt, now: datetime) -> Discount | Why:
    """Return what a code takes off a purchase, or why it takes nothing."""
    if promotion is None:
        return "unknown"
    why = _not_now(promotion, now) or _not_for(promotion, attempt)
    if why:
        return why
    parts = _off(promotion, attempt.prices)
    return Discount(promotion, tuple(parts)) if any(each.minor for each in parts) else "nothing_off"


def _not_now(promotion: Promotion, now: datetime) -> Why | None:
    if promotion.paused_at is not None:
        return "paused"
    if promotion.starts_at is not None and now < promotion.starts_at:
        return "not_begun"
    if promotion.ends_at is not None and now >= promotion.ends_at:
        return "over"
    if promotion.at_most is not None and promotion.used >= promotion.at_most:
        return "used_up"
    return None


def _not_for(promotion: Promotion, attempt: Attempt) -> Why | None:
    if promotion.mentor_id not in (None, attempt.mentor_id):
        return "other_offering"
    if promotion.offering_id not in (None, attempt.offering_id):
        return "other_offering"
    if promotion.currency not in (None, attempt.prices[0].currency):
        return "other_currency"
    if promotion.first_purchase_only and attempt.bought_before:
        return "not_first_purchase"
    if promotion.per_person is not None and attempt.used_before >= promotion.per_person:
        return "used_by_you"
    return None


def _off(promotion: Promotion, prices: Sequence[Money]) -> list[Money]:
    """Take nothing that would leave less to pay than a card can be charged, but for nothing."""
    currency = prices[0].currency
    price = Money(sum(each.minor for each in prices), currency)
    step = charge_step(currency)
    if promotion.percent_basis_points == WHOLE_BASIS_POINTS:
        return list(prices)
    if promotion.percent_basis_points is not None:
        wanted = price.part(promotion.percent_basis_points).in_steps(step)
    else:
        wanted = Money(promotion.amount_minor or 0, currency).in_steps(step)
    if wanted.minor >= price.minor:
        return list(prices)
    most = max(0, price.minor - smallest_charge(currency))
    return spread(Money(min(wanted.minor, most), currency).in_steps(step), list(prices), step)
