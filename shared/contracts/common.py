"""The words that facts of several speakers share, each with its meaning and an example."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

_ID = "0198c5a1-7f3e-7c42-9d11-5a0e6b2f"

MentorRef = Annotated[
    UUID, Field(description="The person who offers the session.", examples=[f"{_ID}000a"])
]
MenteeRef = Annotated[
    UUID, Field(description="The person who buys the session.", examples=[f"{_ID}000b"])
]
PersonRef = Annotated[UUID, Field(description="A person, by id alone.", examples=[f"{_ID}000b"])]
OfferingRef = Annotated[
    UUID, Field(description="What is offered for sale.", examples=[f"{_ID}0ff0"])
]
OrderRef = Annotated[UUID, Field(description="The purchase.", examples=[f"{_ID}0001"])]
SessionRef = Annotated[
    UUID, Field(description="The session that was bought.", examples=[f"{_ID}0101"])
]
RefundRef = Annotated[UUID, Field(description="The refund.", examples=[f"{_ID}0201"])]
MessageRef = Annotated[UUID, Field(description="The message.", examples=[f"{_ID}0301"])]

Title = Annotated[
    str, Field(description="What the mentor calls the offering.", examples=["Career talk"])
]
Minor = Annotated[
    int,
    Field(ge=0, description="Integer minor units of the currency.", examples=[12_000]),
]
CurrencyCode = Annotated[
    str, Field(pattern="^[A-Z]{3}$", description="ISO 4217.", examples=["USD"])
]
BasisPoints = Annotated[int, Field(ge=0, le=10_000, description="Hundredths of a percent.")]
PromotionCode = Annotated[
    str,
    Field(
        pattern="^[A-Z0-9][A-Z0-9-]{2,23}$",
        description="A promotion code: an id, in capital letters.",
        examples=["SPRING-25"],
    ),
]
Party = Literal["mentee", "mentor", "operator", "system"]

StartsAt = Annotated[
    AwareDatetime,
    Field(description="When the session begins.", examples=["2026-03-06T14:00:00Z"]),
]
EndsAt = Annotated[
    AwareDatetime,
    Field(description="When the session ends.", examples=["2026-03-06T15:00:00Z"]),
]
