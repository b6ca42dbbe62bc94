"""The words that facts of several speakers share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Minor = Annotated[int, Field(ge=0, description="Integer minor units of the currency.")]
CurrencyCode = Annotated[str, Field(pattern="^[A-Z]{3}$", description="ISO 4217.")]
BasisPoints = Annotated[int, Field(ge=0, le=10_000, description="Hundredths of a percent.")]
Party = Literal["mentee", "mentor", "operator", "system"]
