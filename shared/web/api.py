"""Routes: a function with typed parameters becomes a route, and the types its documentation.

A handler asks for what it needs by annotation: `call: Call`; `conn: Connection` (a transaction
that commits when it returns, and that also keeps the `Idempotency-Key` promise); `body`, a `Body`;
`query`, a `Query`; path parameters by name (`UUID` or `str`); `raw: bytes`, the body as it came.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, TypeAdapter

from shared.auth import Principal, Role, TokenMissing
from shared.clock import BusinessInstant
from shared.db import Pool
from shared.errors import Kind, Refusal
from shared.ids import PersonId
from shared.limits import Limit

VERSION_DIGITS = 9

Handler = Callable[..., Awaitable[object]]
Links = Mapping[str, Mapping[str, object]]
"""Handlers by name, each with the body that this answer holds for it, as runtime expressions
(https://spec.openapis.org/oas/v3.1.0#runtime-expressions)."""


@dataclass(frozen=True)
class May:
    """Who may use a route; without roles every signed-in person."""

    anyone: bool = False
    roles: frozenset[Role] = frozenset()


ANYONE = May(anyone=True)
SIGNED_IN = May()


class VersionMissing(Refusal):
    """A change to something two people edit came without the version it was made from."""

    code = "version_missing"
    kind = Kind.CONDITION_MISSING
    detail = "Send If-Match with the ETag you saw."


class VersionOutdated(Refusal):
    """Somebody changed it since."""

    code = "version_outdated"
    kind = Kind.OUTDATED
    detail = "Load it again and repeat your change."


@dataclass(frozen=True)
class Reply:
    """An answer that needs more than a shape: a status or headers."""

    view: BaseModel | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Versioned(Reply):
    """Something that two people may edit, with the version that becomes its ETag."""

    version: int


@dataclass(frozen=True)
class File:
    """Something else than JSON, for programs that ask again and again, or for people to keep.

    A handler returns `Annotated[File, media type]`. Its ETag is that of its content, and whoever
    has it already (If-None-Match) gets 304.
    """

    content: str | bytes


@dataclass(frozen=True)
class Call:
    """One request: who asks, when, and what it runs on."""

    request: web.Request
    pool: Pool
    now: BusinessInstant
    principal: Principal | None

    @property
    def who(self) -> Principal:
        """Return the signed-in person; raises `TokenMissing` on a public route without one."""
        if self.principal is None:
            raise TokenMissing
        return self.principal

    @property
    def person_id(self) -> PersonId:
        """Return the signed-in person's id."""
        return self.who.person_id

    def expected_version(self) -> int:
        """Return the version in If-Match; raises `VersionMissing` or `VersionOutdated`."""
        sent = self.request.headers.get("If-Match")
        if sent is None:
            raise VersionMissing
        text = sent.strip().strip('"')
        if not (text.isascii() and text.isdigit() and len(text) <= VERSION_DIGITS):
            raise VersionOutdated
        return int(text)


@dataclass(frozen=True)
class Route:
    """One route as declared: what OpenAPI, the tests of access and the server need to know."""

    method: str
    path: str
    handler: Handler
    may: May
    status: int
    or_status: int | None
    idempotent: bool
    limit: Limit | None
    summary: str
    refusals: tuple[type[Refusal], ...]
    versioned: bool
    tagged: bool
    headers: Mapping[str, str]
    links: Links
    path_types: Mapping[str, type]
    body: TypeAdapter[Any] | None
    query: type[BaseModel] | None
    answer: TypeAdapter[Any] | None
    media_type: str | None
    wants_connection: bool
    wants_raw: bool

    @property
    def name(self) -> str:
        """Return method and path, the name by which an idempotency key is scoped."""
        return f"{self.method} {self.path}"


@dataclass
class Api:
    """The routes of one service."""

    title: str
    routes: list[Route] = field(default_factory=list[Route])

    def get(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Declare a route that reads; see `add` for the options."""
        return self.add("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Declare a route that creates or does something; see `add` for the options."""
        options.setdefault("status", 201)
        return self.add("POST", path, **options)

    def put(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Declare a route that replaces something; see `add` for the options."""
        return self.add("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Declare a route that ends something; see `add` for the options."""
        options.setdefault("status", 204)
        return self.add("DELETE", path, **options)

    def add(
        self,
        method: str,
        path: str,
        *,
        may: May | Role = SIGNED_IN,
        status: int = 200,
        or_status: int | None = None,
        idempotent: bool = False,
        limit: Limit | None = None,
        versioned: bool = False,
        refusals: tuple[type[Refusal], ...] = (),
        headers: Mapping[str, str] | None = None,
        links: Links | None = None,
    ) -> Callable[[Handler], Handler]:
        """Declare a route.

        `may`: who may use it (a role, `SIGNED_IN`, `ANYONE`). `idempotent`: an `Idempotency-Key`
        is required. `limit`: by address instead of by person. `versioned`: If-Match is required.
        For the documentation: `or_status`, a second status of success; `refusals`, what the
        business may say no with; `headers` that the handler reads itself, with their meaning;
        `links` that names alone do not show.
        """

        def declare(handler: Handler) -> Handler:
            hints = typing.get_type_hints(handler, include_extras=True)
            wanted = {name: hints[name] for name in inspect.signature(handler).parameters}
            media_type = _media_type(hints.get("return"))
            self.routes.append(
                Route(
                    method=method,
                    path=path,
                    handler=handler,
                    may=May(roles=frozenset({may})) if isinstance(may, Role) else may,
                    status=status,
                    or_status=or_status,
                    idempotent=idempotent,
                    limit=limit,
                    summary=(inspect.getdoc(handler) or "").split("\n", 1)[0],
                    refusals=refusals,
                    versioned=versioned,
                    tagged=Versioned in typing.get_args(hints.get("return")),
                    headers=headers or {},
                    links=links or {},
                    path_types=_path_types(path, wanted),
                    body=TypeAdapter(wanted["body"]) if "body" in wanted else None,
                    query=wanted.get("query"),
                    answer=None if media_type else _answer(hints.get("return")),
                    media_type=media_type,
                    wants_connection="conn" in wanted,
                    wants_raw="raw" in wanted,
                )
            )
            return handler

        return declare


def _path_types(path: str, hints: Mapping[str, Any]) -> dict[str, type]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    # NewTypes of UUID are classes only at heart.
    return {name: getattr(hints[name], "__supertype__", hints[name]) for name in names}


def _media_type(hint: Any) -> str | None:
    parts = typing.get_args(hint)
    return parts[1] if parts[:1] == (File,) else None


def _answer(hint: Any) -> TypeAdapter[Any] | None:
    if hint is None or hint is type(None):
        return None
    if typing.get_origin(hint) is typing.Annotated:  # Annotated[Reply or Versioned, Shape]
        return TypeAdapter(typing.get_args(hint)[1])
    return TypeAdapter(hint)


PATH_TYPES: Mapping[type, Callable[[str], object]] = {UUID: UUID, str: str, int: int}
