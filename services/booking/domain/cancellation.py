"""Cancellation presets, and the share of the price that goes back.

Who gets how much money is for `payments` to say; here is only the fraction. The share depends on
how many hours are left until the start; at exactly that many hours the better step still holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from shared.contracts.booking import CancellationPreset

WHOLE = 10_000
HALF = 5_000
NOTHING = 0
MENTOR_FAILED_CREDIT = 1_000
"""What the mentee gets on top, as a credit, when the mentor calls off or does not come."""


@dataclass(frozen=True)
class Step:
    """`refund_basis_points` go back while at least `hours_before` the start are left."""

    hours_before: int
    refund_basis_points: int


@dataclass(frozen=True)
class Policy:
    """A preset in one version; `steps` from the earliest cancellation to the latest."""

    preset: CancellationPreset
    policy_version: int
    steps: tuple[Step, ...]


PRESETS: Mapping[CancellationPreset, Policy] = MappingProxyType(
    {
        "flexible": Policy("flexible", 1, (Step(12, WHOLE), Step(0, HALF))),
        "standard": Policy("standard", 1, (Step(24, WHOLE), Step(2, HALF), Step(0, NOTHING))),
        "strict": Policy("strict", 1, (Step(48, WHOLE), Step(0, NOTHING))),
    }
)
"""The policy that a purchase made now freezes, by preset. A change of steps is a new version."""


@dataclass(frozen=True)
class Share:
    """The share that goes back, and the last instant at which that is so (none: it stays)."""

    refund_basis_points: int
    valid_until: datetime | None


def mentee_share(policy: Policy, starts_at: datetime, now: datetime) -> Share:
    """Return what a mentee who cancels now gets back; nothing once the session began."""
    for step in policy.steps:
        last = starts_at - timedelta(hours=step.hours_before)
        if now <= last:
            return Share(step.refund_basis_points, last)
    return Share(NOTHING, None)


def is_inside_window(policy: Policy, starts_at: datetime, now: datetime) -> bool:
    """Return whether a mentee who cancelled now would not get everything back."""
    return mentee_share(policy, starts_at, now).refund_basis_points < WHOLE


def mentor_share(starts_at: datetime) -> Share:
    """Return what the mentee gets back when the mentor cancels: everything."""
    return Share(WHOLE, starts_at)
