"""What the mentor's share posts: its release, and its way to the mentor. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.payments.ledger.chart import Account
from services.payments.ledger.entries import Entry, Part, entry, line, minus
from shared.money import Money


def release(part: Part, mentor_id: UUID, mentor: Money, platform: Money, at: datetime) -> Entry:
    """Post the split: what was retained belongs to the mentor and to the platform."""
    return entry(
        f"release:{part.name}",
        at,
        line(Account.SESSION_CLEARING, mentor + platform, part),
        line(Account.MENTOR_PAYABLE, minus(mentor), part, mentor_id),
        line(Account.PLATFORM_REVENUE, minus(platform), part),
    )


def transfer(part: Part, name: UUID, mentor_id: UUID, amount: Money, at: datetime) -> Entry:
    """Post that the mentor's share moved to the connected account; `name` is the transfer's.

    The first transfer of a session goes under the name of its part.
    """
    return entry(
        f"transfer:{name}",
        at,
        line(Account.MENTOR_PAYABLE, amount, part, mentor_id),
        line(Account.STRIPE_BALANCE, minus(amount), part),
    )
