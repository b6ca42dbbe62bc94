"""A currency as callers name it: one of those that cards can be charged in."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from shared.money import CURRENCIES


def _known(text: str) -> str:
    if text not in CURRENCIES:
        raise ValueError("not a currency that cards can be charged in")
    return text


Currency = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES)}),
]
