"""Ours and its control in turns, so that whatever else the machine does hits both alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

Say = Callable[[str], None]


@dataclass(frozen=True)
class Work:
    """What one side did in one round: how many, in how many seconds."""

    done: int
    seconds: float

    @property
    def per_second(self) -> float:
        """The rate."""
        return self.done / self.seconds


Side = Callable[[int], Awaitable[Work]]
"""Does one round's work, which is told the number of the round, from 0 (the warm-up)."""


@dataclass(frozen=True)
class Measurement:
    """Rates of both sides, round by round; `goal` is the least ratio, if one is set."""

    bench: str
    name: str
    control_name: str
    unit: str
    stored: int
    goal: float | None
    ours: tuple[float, ...]
    control: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours over control, of each round by itself."""
        return tuple(one / other for one, other in zip(self.ours, self.control, strict=True))

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return median(self.ratios)

    @property
    def is_met(self) -> bool:
        """Whether the goal is reached; without one it always is."""
        return self.goal is None or self.ratio >= self.goal

    def as_json(self) -> dict[str, Any]:
        """Return everything, with what follows from it, for programs."""
        return asdict(self) | {"ratio": self.ratio, "ratios": self.ratios, "met": self.is_met}


@dataclass(frozen=True)
class Value:
    """A figure that has no control: it stands beside a goal in its own unit, or beside none."""

    bench: str
    name: str
    unit: str
    values: tuple[float, ...]
    at_most: float | None = None

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return median(self.values)

    @property
    def is_met(self) -> bool:
        """Whether it is as small as it should be; without a goal it always is."""
        return self.at_most is None or self.value <= self.at_most

    def as_json(self) -> dict[str, Any]:
        """Return everything, for programs."""
        return asdict(self) | {"value": self.value, "met": self.is_met}


@dataclass(frozen=True)
class Comparison:
    """Two sides that do the same work, and what their ratio is called."""

    bench: str
    name: str
    control_name: str
    unit: str
    count: int
    ours: Side
    control: Side
    goal: float | None = None
    stored: int = 0

    async def measure(self, rounds: int, say: Say) -> Measurement:
        """Let both sides work in turns, the first of them changing, after one round unmeasured.

        Raises `UnequalWork` when one did not do `count` things in a round.
        """
        pairs: list[tuple[Work, Work]] = []
        for number in range(rounds + 1):
            ours, control = await self._round(number)
            if not ours.done == control.done == self.count:
                done = f"{ours.done} beside {control.done}"
                raise UnequalWork(f"{self.name}: {done}, each should have done {self.count}")
            if number:
                pairs.append((ours, control))
                ratio = ours.per_second / control.per_second
                say(f"    {self.name}, round {number}: {ratio:.2f}")
        return Measurement(
            self.bench, self.name, self.control_name, self.unit, self.stored, self.goal,
            tuple(ours.per_second for ours, _ in pairs),
            tuple(control.per_second for _, control in pairs),
        )  # fmt: skip

    async def _round(self, number: int) -> tuple[Work, Work]:
        if number % 2:
            control = await self.control(number)
            return await self.ours(number), control
        ours = await self.ours(number)
        return ours, await self.control(number)


class UnequalWork(AssertionError):
    """Both sides must do the same work, else their ratio means nothing."""
