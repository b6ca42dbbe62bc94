"""Faults on order: which requests shall meet which trouble, how often, and by which dice."""

from __future__ import annotations

import random
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

HANG_SECONDS = 120.0
"""How long a timeout fault keeps a connection open when the client does not give up first."""
SLOW_SECONDS_MAX = 60.0
FAULTS_MAX = 100

Kind = Literal[
    "timeout_before",
    "timeout_after",
    "500_before",
    "500_after",
    "429",
    "reset",
    "reset_after",
    "slow",
]
"""`before` and `after` speak of the effect; a plain reset comes before it."""


class Fault(BaseModel):
    """Trouble for the requests that match; `count` None means until it is taken away."""

    model_config = ConfigDict(extra="forbid")

    method: str = "*"
    path: str = "/v1/*"
    kind: Kind
    count: Annotated[int, Field(ge=1)] | None = 1
    probability: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int = 0
    seconds: Annotated[float, Field(ge=0, le=SLOW_SECONDS_MAX)] = 1.0


class Faults:
    """The faults in force. They are forgotten when the simulator ends."""

    def __init__(self) -> None:
        """Begin without faults."""
        self._armed: list[tuple[Fault, random.Random]] = []

    def add(self, fault: Fault) -> None:
        """Put a fault in force; the oldest goes when there are too many."""
        dice = random.Random(fault.seed)  # noqa: S311 - repeatable on purpose
        self._armed = [*self._armed, (fault, dice)][-FAULTS_MAX:]

    def clear(self) -> None:
        """Take all faults away."""
        self._armed = []

    def shown(self) -> list[dict[str, object]]:
        """Return the faults in force with the counts that are left."""
        return [fault.model_dump() for fault, _ in self._armed]

    def strike(self, method: str, path: str) -> Fault | None:
        """Return the fault this request meets, and use it up by one."""
        for fault, dice in self._armed:
            fits = fault.method in ("*", method) and fnmatchcase(path, fault.path)
            if fits and dice.random() < fault.probability:
                self._use(fault)
                return fault
        return None

    def _use(self, fault: Fault) -> None:
        if fault.count is not None:
            fault.count -= 1
        self._armed = [pair for pair in self._armed if pair[0].count != 0]
