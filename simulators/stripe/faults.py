"""Faults on order: which requests shall meet which trouble, how often, and by which dice."""

from __future__ import annotations

import random
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulators.stripe.store import Store

SETTING = "faults"
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
    "account_restricted",
    "card_declined",
    "3d_secure",
]
"""`before` and `after` speak of the effect; a plain reset comes before it."""
OF_CARDS = ("card_declined", "3d_secure")
"""These meet a card that is tried, whoever submits it; all others meet a request."""
CARD_IS_TRIED = "/v1/payment_intents/{}/confirm"
"""What a fault of cards is compared with, also where a page or a session tries the card."""


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


class Armed(Fault):
    """A fault in force, and how often its dice have been thrown, so that they can be taken up."""

    thrown: int = 0


class Faults:
    """The faults in force; they outlive the simulator, and so does where their dice stand."""

    def __init__(self, store: Store) -> None:
        """Take up the faults that were in force."""
        kept = store.setting(SETTING).get("armed", [])
        self._store = store
        self._armed = [(fault, _dice(fault)) for fault in map(Armed.model_validate, kept)]

    def add(self, fault: Fault) -> None:
        """Put a fault in force; the oldest goes when there are too many."""
        armed = Armed(**fault.model_dump())
        self._keep([*self._armed, (armed, _dice(armed))][-FAULTS_MAX:])

    def clear(self) -> None:
        """Take all faults away."""
        self._keep([])

    def shown(self) -> list[dict[str, object]]:
        """Return the faults in force with the counts that are left."""
        return [fault.model_dump(exclude={"thrown"}) for fault, _ in self._armed]

    def strike(self, method: str, path: str) -> Fault | None:
        """Return the fault this request meets, and use it up by one."""
        return self._strike(method, path, of_cards=False)

    def strike_card(self, intent: str) -> Fault | None:
        """Return the fault that a card meets which is tried on an intent; it is used up alike."""
        return self._strike("POST", CARD_IS_TRIED.format(intent), of_cards=True)

    def _strike(self, method: str, path: str, *, of_cards: bool) -> Fault | None:
        fitting = [pair for pair in self._armed if _fits(pair[0], method, path)]
        met = [pair for pair in fitting if (pair[0].kind in OF_CARDS) is of_cards]
        for fault, dice in met:
            fault.thrown += 1
            if dice.random() < fault.probability:
                fault.count = fault.count and fault.count - 1
                self._keep([pair for pair in self._armed if pair[0].count != 0])
                return fault
        if met:
            self._keep(self._armed)
        return None

    def _keep(self, armed: list[tuple[Armed, random.Random]]) -> None:
        self._armed = armed
        self._store.set(SETTING, {"armed": [fault.model_dump() for fault, _ in armed]})


def _fits(fault: Fault, method: str, path: str) -> bool:
    return fault.method in ("*", method) and fnmatchcase(path, fault.path)


def _dice(fault: Armed) -> random.Random:
    dice = random.Random(fault.seed)  # noqa: S311 - repeatable on purpose
    for _ in range(fault.thrown):
        dice.random()
    return dice
