"""A route of the API: what is asked, the parameters it takes, and who answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulators.stripe.act import Act
from simulators.stripe.errors import Json, StripeError
from simulators.stripe.params import Params


@dataclass(frozen=True)
class Route:
    """One endpoint. The handler gets the act, checked parameters, and the ids of the path.

    A refusal that it raises undoes what it did; one that it returns leaves its traces.
    """

    method: str
    path: str
    params: type[Params]
    handler: Callable[[Act, Any, Mapping[str, str]], Json | StripeError]
