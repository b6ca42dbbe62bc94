"""What the platform takes of a session's price: rules, and the terms that a purchase freezes. Pure.

The share is the default one, or that of the highest tier that the mentor's lifetime volume in the
currency has reached; a rule of a mentor's own goes before the rule for everybody. A minimum is the
least that is taken of a session's whole price. What a mentor bears of Stripe's fee is taken from
the share once the fee is known. Mentors are rounded down, so that the odd minor unit stays with
the platform (docs/decisions/0028).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from services.payments.domain.splits import Split
from shared.errors import Kind, Refusal
from shared.money import WHOLE_BASIS_POINTS, Money, payout_step

Bearer = Literal["platform", "mentor"]
TIERS_AT_MOST = 10


class TiersDisordered(Refusal):
    """The tiers of a currency do not rise, or a higher one takes more."""

    code = "tiers_disordered"
    kind = Kind.SHAPE
    detail = "In each currency name tiers by rising volume, each with a smaller share."


class NoOwnFees(Refusal):
    """The mentor has no rule of their own that could be ended."""

    code = "no_own_fees"
    detail = "The rule for everybody holds for this mentor already."


class FeesOutdated(Refusal):
    """Somebody made a newer rule meanwhile."""

    code = "fees_outdated"
    kind = Kind.OUTDATED
    detail = "Look at the rule that holds now and repeat your change."


@dataclass(frozen=True)
class Tier:
    """From this lifetime volume on the share is this one."""

    currency: str
    from_minor: int
    share_basis_points: int


@dataclass(frozen=True)
class FeeTerms:
    """What a purchase freezes; `rule` is the version of the rule, none where settings decide."""

    share_basis_points: int
    minimum_minor: int = 0
    mentor_bears: bool = False
    rule: int | None = None


@dataclass(frozen=True)
class FeeRule:
    """A rule as operators make it: for everybody, or for one mentor."""

    share_basis_points: int
    tiers: tuple[Tier, ...] = ()
    minimums: Mapping[str, int] = field(default_factory=dict[str, int])
    stripe_fee: Bearer = "platform"
    mentor_id: UUID | None = None
    version: int | None = None

    def terms(self, volume: Money) -> FeeTerms:
        """Return the terms for a mentor with this lifetime volume."""
        reached = [
            tier.share_basis_points
            for tier in self.tiers
            if tier.currency == volume.currency and tier.from_minor <= volume.minor
        ]
        return FeeTerms(
            min([self.share_basis_points, *reached]),
            self.minimums.get(volume.currency, 0),
            self.stripe_fee == "mentor",
            self.version,
        )


def check_rule(rule: FeeRule) -> None:
    """Raise `TiersDisordered` unless more volume means a smaller share."""
    for currency in {tier.currency for tier in rule.tiers}:
        tiers = [tier for tier in rule.tiers if tier.currency == currency]
        volumes = [0, *(tier.from_minor for tier in tiers)]
        shares = [rule.share_basis_points, *(tier.share_basis_points for tier in tiers)]
        if volumes != sorted(set(volumes)) or shares != sorted(set(shares), reverse=True):
            raise TiersDisordered


def divide(price: Money, gone: Money, terms: FeeTerms, borne_minor: int = 0) -> Split:
    """Divide what stays of a price between mentor and platform.

    The minimum shrinks with what is retained, so that a refund of a half halves every part.
    """
    retained = price - gone
    by_share = retained.part(WHOLE_BASIS_POINTS - terms.share_basis_points).minor
    above = price.minor - min(terms.minimum_minor, price.minor)
    by_minimum = retained.minor * above // (price.minor or 1)
    mentor = Money(max(0, min(by_share, by_minimum) - borne_minor), price.currency)
    mentor = mentor.in_steps(payout_step(price.currency))
    return Split(gone, mentor, retained - mentor)
