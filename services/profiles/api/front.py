"""What every topic of the API shares: the routes' home, what handlers work with, common shapes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from services.profiles.commands.keys import Keyring
from services.profiles.commands.office import Office
from services.profiles.commands.passwords import Passwords
from shared.clock import monotonic_seconds
from shared.limits import Limiter
from shared.web import Api, Call, View

EVEN_SECONDS = 0.2
"""Work that must not tell whether an address exists takes at least this."""
NAME_LONGEST = 80
EMAIL_LONGEST = 254
UNSEEN = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\u200b\u200e\u200f\ufeff"
"""What no name holds, for it stands in the headers of mails and in the middle of sentences: what
ends a line, and what turns the text around it unseen (Unicode TR 36, 2.1 and 3.6)."""

api = Api("profiles")

Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=NAME_LONGEST,
        pattern=rf"^[^{UNSEEN}]*[^\s{UNSEEN}][^{UNSEEN}]*$",
    ),
]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=EMAIL_LONGEST),
    # Whether it can be used is looked at later: the document says what it should be.
    Field(json_schema_extra={"format": "email"}),
]
Locale = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")]
Zone = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    Field(json_schema_extra={"format": "iana-time-zone", "examples": ["Europe/Berlin"]}),
]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]


@dataclass(frozen=True)
class Desk:
    """What handlers work with beside the call."""

    office: Office
    keyring: Keyring
    passwords: Passwords
    limiter: Limiter


DESK = web.AppKey("desk", Desk)


def desk(call: Call) -> Desk:
    """Return what the handlers of this process work with."""
    return call.request.app[DESK]


@asynccontextmanager
async def even_timing() -> AsyncGenerator[None]:
    """Let work in the database take the same time whatever it finds."""
    began = monotonic_seconds()
    try:
        yield
    finally:
        await asyncio.sleep(max(0.0, EVEN_SECONDS - (monotonic_seconds() - began)))


class MentorStateView(View):
    """The state a mentor profile is in."""

    state: str


class MeanRating(View):
    """How a mentor is rated: the mean of the published reviews, and their number.

    Search does not rank by this mean but by one that is held back while reviews are few.
    """

    mean: float | None
    count: int


class Price(View):
    """An amount in minor units."""

    price_minor: int
    currency: str
