"""The shapes of requests and answers: strict, without unknown fields, with cursor pages."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    WithJsonSchema,
)

from shared.errors import Kind, Refusal

PAGE_DEFAULT = 20
PAGE_LARGEST = 100
CURSOR_LONGEST = 500
YEARS = range(2000, 2200)
"""The years an instant may lie in; it leaves room for sums on both sides."""

Item = TypeVar("Item")
_SORT_VALUES = TypeAdapter(list[str])


def _whole(value: object) -> object:
    # JSON knows only numbers: 302.0 is an integer to JSON Schema, so it is one here.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _in_utc(instant: datetime) -> datetime:
    if instant.year not in YEARS:
        raise ValueError(f"the year must lie between {YEARS[0]} and {YEARS[-1]}")
    return instant.astimezone(UTC)


WholeNumber = Annotated[int, BeforeValidator(_whole)]
Text = Annotated[
    str,
    # The pattern says to readers of the document what stripping means: blanks alone are no text.
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=r"\S"),
]

InstantUtc = Annotated[
    AwareDatetime,
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": "^2[01][0-9]{2}-"}),
]
"""An instant with its offset from UTC, taken as UTC."""
_INSTANT = TypeAdapter[datetime](InstantUtc)


class Body(BaseModel):
    """The body of a request: JSON types are taken strictly and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Query(BaseModel):
    """The query of a request: text is read as the field's type, unknown parameters are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class View(BaseModel):
    """What an answer shows."""

    model_config = ConfigDict(frozen=True)


class TextUnusable(Refusal):
    """The text holds a NUL character, which no text may."""

    code = "text_unusable"
    kind = Kind.SHAPE
    detail = "Leave out the character U+0000."


class CursorInvalid(Refusal):
    """The cursor is not one that an earlier page gave."""

    code = "cursor_invalid"
    kind = Kind.SHAPE
    detail = "Use the next_cursor of an earlier page, or leave the cursor out."


def instant_in_cursor(text: str) -> datetime:
    """Return the instant that is one of a cursor's sort values; raises `CursorInvalid`."""
    try:
        return _INSTANT.validate_python(text)
    except ValueError:
        raise CursorInvalid from None


class PageQuery(Query):
    """Which page of a list."""

    limit: Annotated[int, Field(ge=1, le=PAGE_LARGEST)] = PAGE_DEFAULT
    cursor: Annotated[str, Field(max_length=CURSOR_LONGEST)] | None = None

    def after(self) -> list[str]:
        """Return the sort values of the last item seen, as text; raises `CursorInvalid`."""
        if self.cursor is None:
            return []
        try:
            raw = base64.urlsafe_b64decode(self.cursor.encode("ascii"))
            values = _SORT_VALUES.validate_json(raw)
        except (binascii.Error, ValueError):
            raise CursorInvalid from None
        if any("\x00" in value for value in values):
            raise CursorInvalid
        return values


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next_cursor` is absent on the last."""

    items: list[Item]
    next_cursor: str | None = None

    @staticmethod
    def cursor(*sort_values: object) -> str:
        """Return the cursor that continues after an item with these sort values."""
        return base64.urlsafe_b64encode(json.dumps([str(v) for v in sort_values]).encode()).decode()
