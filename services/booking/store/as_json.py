"""What of an order and its sessions is kept as JSON, and how it is read again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.booking.domain.cancellation import Policy, Step
from services.booking.domain.orders import Objection, Proposal

Kept = dict[str, Any]


def policy_as_json(policy: Policy) -> Kept:
    """Return a frozen cancellation policy with all its steps."""
    return {
        "preset": policy.preset,
        "policy_version": policy.policy_version,
        "steps": [[step.hours_before, step.refund_basis_points] for step in policy.steps],
    }


def policy_from(kept: Kept) -> Policy:
    """Return what `policy_as_json` kept."""
    steps = tuple(Step(*step) for step in kept["steps"])
    return Policy(kept["preset"], kept["policy_version"], steps)


def objection_as_json(objection: Objection | None) -> Kept | None:
    """Return an objection; views ask for `settled_at`, which is null while it is open."""
    if objection is None:
        return None
    settled = objection.settled_at
    return {
        "by": objection.by,
        "reason": objection.reason,
        "raised_at": objection.raised_at.isoformat(),
        "settled_at": settled.isoformat() if settled else None,
        "decision": objection.decision,
    }


def objection_from(kept: Kept | None) -> Objection | None:
    """Return what `objection_as_json` kept."""
    if kept is None:
        return None
    settled = kept["settled_at"]
    return Objection(
        kept["by"],
        kept["reason"],
        datetime.fromisoformat(kept["raised_at"]),
        datetime.fromisoformat(settled) if settled else None,
        kept.get("decision"),
    )


def proposal_as_json(proposal: Proposal | None) -> Kept | None:
    """Return a proposed move; when it lapses stands beside it, in a column that has an index."""
    if proposal is None:
        return None
    return {
        "by": proposal.by,
        "starts_at": proposal.starts_at.isoformat(),
        "ends_at": proposal.ends_at.isoformat(),
        "reason": proposal.reason,
    }


def proposal_from(kept: Kept | None, answer_by: datetime | None) -> Proposal | None:
    """Return what `proposal_as_json` kept, with when it lapses."""
    if kept is None or answer_by is None:
        return None
    return Proposal(
        kept["by"],
        datetime.fromisoformat(kept["starts_at"]),
        datetime.fromisoformat(kept["ends_at"]),
        answer_by,
        kept["reason"],
    )
