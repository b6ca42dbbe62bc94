"""What the routes of booking have in common."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, TypeVar
from uuid import UUID
from zoneinfo import available_timezones

from aiohttp import web
from pydantic import AfterValidator, Field, WithJsonSchema

from services.booking.domain.terms import Terms
from shared.web import Api, Call, Page, PageQuery, WholeNumber
from shared.web.shapes import CursorInvalid

api = Api("Booking")
TERMS = web.AppKey("terms", Terms)
WEB_URL = web.AppKey("web_url", str)
"""Where the web client is, without a slash at the end."""

Item = TypeVar("Item")


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(text: str) -> str:
    if text not in _zones():
        raise ValueError("not the name of an IANA time zone")
    return text


Zone = Annotated[
    str,
    AfterValidator(_zone),
    WithJsonSchema({"type": "string", "format": "iana-time-zone", "examples": ["Europe/Berlin"]}),
]
BasisPoints = Annotated[WholeNumber, Field(ge=0, le=10_000)]


def terms_of(call: Call) -> Terms:
    """Return the numbers of the business this process runs with."""
    return call.request.app[TERMS]


def after_id(query: PageQuery) -> UUID | None:
    """Return the id after which a page begins; raises `CursorInvalid`."""
    values = query.after()
    if not values:
        return None
    try:
        (last,) = values
        return UUID(last)
    except ValueError:
        raise CursorInvalid from None


def cursor_after(found: Sequence[object], last_id: UUID | None, limit: int) -> str | None:
    """Return the cursor of the next page; nothing when this page was not full."""
    return Page.cursor(last_id) if last_id and len(found) == limit else None
