"""The ledger's rules: which accounts there are, and which lines each event posts. Pure."""

from services.payments.ledger import (
    chart,
    earnings,
    entries,
    movements,
    prepaid,
    purchases,
    recovery,
    refunds,
)

__all__ = [
    "chart",
    "earnings",
    "entries",
    "movements",
    "prepaid",
    "purchases",
    "recovery",
    "refunds",
]
