"""The chart of accounts: where money can be, and whose it is there. Pure.

Assets and expenses have debit balances, which are positive; liabilities and income have credit
balances, which are negative. What each event of the business posts stands in the module beside
this one that is named after it.
"""

from __future__ import annotations

from enum import Enum


class Account(Enum):
    """The chart of accounts."""

    STRIPE_BALANCE = "stripe_balance"
    """Asset: what Stripe holds for the platform, available and pending."""
    SESSION_CLEARING = "session_clearing"
    """Liability, per session: paid and not yet given to anybody; zero in every final state."""
    REFUNDS_IN_TRANSIT = "refunds_in_transit"
    """Liability, per session: on its way back and not yet taken from the balance; ends at zero."""
    MENTOR_PAYABLE = "mentor_payable"
    """Liability, per mentor: released and not yet transferred."""
    PLATFORM_REVENUE = "platform_revenue"
    """Income: the platform's share, with the odd minor unit of every division."""
    STRIPE_FEES = "stripe_fees"
    """Expense: what Stripe keeps of a charge."""
    REFUND_FAILED = "refund_failed"
    """Liability: refunds that came back; an operator finds another way to the mentee."""
    MENTOR_DEBT = "mentor_debt"
    """Asset, per mentor: given out and owed back; reversals and later shares bring it to zero."""
    BAD_DEBTS = "bad_debts"
    """Expense: what mentors owed and will not give back any more, as operators decided."""
    DISPUTE_FEES = "dispute_fees"
    """Expense: what Stripe keeps of a dispute."""
    DISPUTE_LOSSES = "dispute_losses"
    """Expense: what a dispute took beyond what was left of the sessions' prices."""
    CREDITS = "credits"
    """Liability, per purchase: sessions of a package or a gift, paid and not yet booked."""
    SPONSORED = "sponsored"
    """Liability, per purchase: sessions that a sponsor paid for mentees who cannot."""
    EXPIRED_CREDITS = "expired_credits"
    """Income: credits that nobody used in their time."""
    PROMOTIONS = "promotions"
    """Expense: what the platform gives with promotion codes."""
    OUTSIDE_STRIPE = "outside_stripe"
    """Asset: the platform's own bank account, from which a failed refund may be paid."""
