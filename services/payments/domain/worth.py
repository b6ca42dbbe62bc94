"""Whether sessions that are sold in advance are worth it: none costs more than it does alone. Pure.

A mentor may lower the price of single sessions afterwards. What is dearer then is not sold until it
is not; what was sold goes on as it was agreed.
"""

from __future__ import annotations

from shared.errors import Refusal
from shared.money import Money


class DearerThanAlone(Refusal):
    """The mentor lowered the price of single sessions below that of a package or a plan."""

    code = "dearer_than_alone"
    detail = "A single session costs less than one of these now: book it on the mentor's page."


def is_dearer(unit: Money, alone: Money) -> bool:
    """Return whether a session costs more in advance than alone."""
    return unit.minor > alone.minor


def check_worth(unit: Money, alone: Money) -> None:
    """Raise `DearerThanAlone` if a session costs more in advance than alone."""
    if is_dearer(unit, alone):
        raise DearerThanAlone(alone_minor=alone.minor, currency=alone.currency)
