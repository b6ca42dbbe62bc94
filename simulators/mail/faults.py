"""Faults on request: the mail server refuses, puts off or dawdles for a number of mails."""

from __future__ import annotations

from collections import deque
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_MOST = 10_000

Kind = Literal["refuse", "greylist", "slow"]


class FaultOrder(BaseModel):
    """What `POST /_sim/faults` takes: a kind of fault for the next `count` mails.

    `refuse` answers 550 (for good), `greylist` 451 (come again), `slow` accepts after 3 seconds.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    count: Annotated[int, Field(ge=1, le=_MOST)] = 1


class Faults:
    """The faults that still have to happen, first ordered first."""

    def __init__(self) -> None:
        """Begin without any."""
        self._waiting: deque[Kind] = deque()

    def order(self, order: FaultOrder) -> None:
        """Add faults behind those that are waiting."""
        self._waiting.extend(order.kind for _ in range(order.count))

    def take(self) -> Kind | None:
        """Return the fault for the mail at hand, if there is one."""
        return self._waiting.popleft() if self._waiting else None

    def waiting(self) -> int:
        """Return how many faults have not happened yet."""
        return len(self._waiting)
