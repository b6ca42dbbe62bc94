"""The platform's own account of Stripe: everything that is kept here is about that one alone."""

from __future__ import annotations

from dataclasses import dataclass

MANUAL = "manual"
"""The interval of payouts that are made by hand alone."""


@dataclass(frozen=True)
class Platform:
    """Whose key a key is, and whether it moves real money."""

    stripe_account_id: str
    live: bool

    def __str__(self) -> str:
        """Return it in words for an operator."""
        return f"{self.stripe_account_id} ({'live' if self.live else 'test'})"


@dataclass(frozen=True)
class OwnAccount:
    """What Stripe shows of the account of our key."""

    platform: Platform
    payouts: str
    """How often Stripe pays its balance out to the platform's bank."""

    @property
    def pays_out_by_itself(self) -> bool:
        """Return whether money that is owed to mentors and mentees leaves the balance unasked."""
        return self.payouts != MANUAL


class KeyOfAnotherAccount(SystemExit):
    """Our key is of another account: there, nothing of what we know of would be found."""

    def __init__(self, ours: Platform, known: Platform) -> None:
        """Say whose key it is and whose it should be."""
        super().__init__(f"PAYMENTS_STRIPE_KEY is of {ours}, and this database is about {known}")


def check_same(ours: Platform, known: Platform) -> None:
    """Raise `KeyOfAnotherAccount` unless the key is of the account that is known."""
    if ours != known:
        raise KeyOfAnotherAccount(ours, known)
