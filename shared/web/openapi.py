"""The OpenAPI 3.1 document of a service, made from its routes.

It says all that a client can meet: every status with its codes, headers, examples and links.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue

from shared.auth import KeysUnavailable, RoleMissing, TokenInvalid, TokenMissing
from shared.errors import NotFound, Refusal
from shared.idempotency import KEY_PATTERN, IdempotencyKeyMissing, IdempotencyKeyReused
from shared.limits import TooManyRequests
from shared.web.api import VERSION_DIGITS, Api, Route, VersionMissing, VersionOutdated
from shared.web.links import links_of, operation_id
from shared.web.problems import HTTP_CODES, OF_KIT, PROBLEM_TYPE, STATUS, TITLES, Problem
from shared.web.shapes import CursorInvalid, PageQuery, TextUnusable

Json = dict[str, Any]
Codes = dict[int, dict[str, str]]
"""Status → code → what to do next."""
Key = tuple[str, JsonSchemaMode]
JSON_TYPE = "application/json"
REF_TEMPLATE = "#/components/schemas/{model}"
_FORMATS: dict[str, Json] = {
    "UUID": {"type": "string", "format": "uuid"},
    "str": {"type": "string"},
    "int": {"type": "integer"},
}
_HEADERS: dict[str, Json] = {
    "ETag": {
        "description": "The version that was shown; send it back as If-Match to change it.",
        "required": True,
        "schema": {"type": "string", "pattern": f'^"[0-9]{{1,{VERSION_DIGITS}}}"$'},
    },
    "X-Trace-Id": {
        "description": "Names the request in logs and traces.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
    "Retry-After": {
        "description": "Seconds to wait before the request is sent again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "How to sign in (RFC 6750).",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    },
    "Idempotency-Replayed": {
        "description": "The key was used before: this is the answer of then, nothing new happened.",
        "schema": {"type": "string", "const": "true"},
    },
}
_FILE_TAG: Json = {
    "description": "Send it back as If-None-Match, and an unchanged file is not sent again.",
    "required": True,
    "schema": {"type": "string"},
}
_SECURITY = {
    "person": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of POST /v1/sign-ins; a route may ask for a role in it.",
    }
}


class _Schemas(GenerateJsonSchema):
    """Says bounds in JSON Schema's words also where a validator runs first (`WholeNumber`)."""

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        """Return the schema of a part."""
        made = super().generate_inner(schema)
        for theirs, keyword in self.ValidationsMapping.numeric.items():
            if theirs in made:
                made[keyword] = made.pop(theirs)
        return made


def document(api: Api, *, version: str) -> Json:
    """Return the OpenAPI 3.1 document."""
    schemas, definitions = _schemas(api.routes)
    paths: dict[str, Json] = {}
    for number, route in enumerate(api.routes):
        described = _operation(api, route, number, schemas, definitions)
        paths.setdefault(route.path, {})[route.method.lower()] = described
    refusals = {name: shape for route in api.routes for name, shape in _refusals(route)}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Mentorium {api.title}", "version": version},
        "paths": paths,
        "components": {
            "schemas": definitions,
            "responses": dict(sorted(refusals.items())),
            "headers": _HEADERS,
            "securitySchemes": _SECURITY,
        },
    }


def _schemas(routes: Iterable[Route]) -> tuple[dict[Key, Json], Json]:
    inputs: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        ("problem", "serialization", TypeAdapter(Problem))
    ]
    for number, route in enumerate(routes):
        if route.body:
            inputs.append((f"body{number}", "validation", route.body))
        if route.answer:
            inputs.append((f"answer{number}", "serialization", route.answer))
    found, definitions = TypeAdapter.json_schemas(
        inputs, ref_template=REF_TEMPLATE, schema_generator=_Schemas
    )
    return dict(found), definitions.get("$defs", {})


def _operation(
    api: Api, route: Route, number: int, schemas: dict[Key, Json], definitions: Json
) -> Json:
    operation: Json = {
        "operationId": operation_id(route),
        "tags": [_topic(route)],
        "summary": route.summary,
        "parameters": list(_parameters(route)),
        "responses": {
            **_good(api, route, schemas.get((f"answer{number}", "serialization")), definitions),
            **{
                name[:3]: {"$ref": f"#/components/responses/{name}"} for name, _ in _refusals(route)
            },
        },
    }
    if route.body or route.wants_raw:
        shape = schemas.get((f"body{number}", "validation"), {"type": "object"})
        operation["requestBody"] = {"required": True, "content": {JSON_TYPE: {"schema": shape}}}
    if not route.may.anyone:
        operation["security"] = [{"person": sorted(role.value for role in route.may.roles)}]
    return operation


def _topic(route: Route) -> str:
    """Return what a route is about: `offerings` of /v1/me/offerings/{offering_id}/publish."""
    words = [part for part in route.path.split("/") if part and part[0] != "{"]
    return next((word for word in words if word not in ("v1", "me", "operator")), words[-1])


def _parameters(route: Route) -> Iterable[Json]:
    for name, kind in route.path_types.items():
        yield {"name": name, "in": "path", "required": True, "schema": _FORMATS[kind.__name__]}
    if route.query:
        yield from _query_parameters(route.query)
    if route.idempotent:
        said = "New for each intent; the same key again gives the same answer, and acts once."
        yield _header("Idempotency-Key", said, {"type": "string", "pattern": KEY_PATTERN})
    if route.versioned:
        said = "The ETag of what is changed."
        yield _header("If-Match", said, _HEADERS["ETag"]["schema"])
    for name, said in route.headers.items():
        yield _header(name, said, {"type": "string"})


def _header(name: str, description: str, schema: Json) -> Json:
    return {
        "name": name, "in": "header", "required": True, "description": description,
        "schema": schema,
    }  # fmt: skip


def _query_parameters(model: type[BaseModel]) -> Iterable[Json]:
    schema = model.model_json_schema(schema_generator=_Schemas)
    for name, shape in schema.get("properties", {}).items():
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": _inlined(shape, schema.get("$defs", {})),
        }


def _inlined(shape: Any, definitions: Json) -> Any:
    """Replace references by what they point at: a parameter stands alone in the document."""
    if isinstance(shape, dict):
        found = cast("Json", shape)
        if "$ref" in found:
            return _inlined(definitions[found["$ref"].rsplit("/", 1)[1]], definitions)
        return {key: _inlined(value, definitions) for key, value in found.items()}
    if isinstance(shape, list):
        return [_inlined(part, definitions) for part in cast("list[Any]", shape)]
    return shape


def _good(api: Api, route: Route, shape: Json | None, definitions: Json) -> Json:
    headers = ["X-Trace-Id"]
    headers += ["ETag"] if route.tagged else []
    headers += ["Idempotency-Replayed"] if route.idempotent else []
    good: Json = {"description": "Done.", "headers": _named(headers)}
    if shape:
        good["content"] = {JSON_TYPE: {"schema": shape}}
    if links := links_of(route, api, _fields(shape, definitions) if shape else ()):
        good["links"] = links
    if route.media_type:
        good["headers"]["ETag"] = _FILE_TAG
        good["content"] = {route.media_type.split(";")[0]: {"schema": {"type": "string"}}}
        known = {"description": "You have it already.", "headers": good["headers"]}
        return {str(route.status): good, "304": known}
    statuses = [route.status] + ([route.or_status] if route.or_status else [])
    return {str(status): good for status in statuses}


def _fields(shape: Json, definitions: Json) -> Iterable[str]:
    """Give a JSON pointer to each field of an answer; of a list, to those of its first item."""
    whole = cast("Json", _inlined(shape, definitions))
    fields = cast("Json", whole.get("properties", {}))
    listed = cast("Json", fields.get("items", {})).get("items", {})
    yield from (f"/items/0/{name}" for name in listed.get("properties", {}))
    yield from (f"/{name}" for name in fields)


def _named(headers: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}


def _refusals(route: Route) -> Iterable[tuple[str, Json]]:
    """Give each response that refuses; its name says status and codes, so that it is told once."""
    for status, codes in sorted(_codes(route).items()):
        headers = ["X-Trace-Id"]
        headers += ["WWW-Authenticate"] if status == 401 else []
        headers += ["Retry-After"] if status in (429, 503) else []
        said = sorted(codes.items())
        yield (
            "-".join([str(status), *sorted(codes)]),
            {
                "description": "\n".join(f"- `{code}`: {detail}" for code, detail in said),
                "headers": _named(headers),
                "content": {PROBLEM_TYPE: _problem(status, codes)},
            },
        )


def _problem(status: int, codes: dict[str, str]) -> Json:
    told = {"status": {"const": status}, "code": {"enum": sorted(codes)}}
    code, detail = min(codes.items())
    problem = {"title": TITLES[status], "status": status, "detail": detail, "code": code}
    return {
        "schema": {"allOf": [{"$ref": REF_TEMPLATE.format(model="Problem")}, {"properties": told}]},
        "example": {"type": "about:blank", **problem},
    }


def _codes(route: Route) -> Codes:
    found: Codes = {}
    for refusal in (*_of_declaration(route), *route.refusals):
        found.setdefault(STATUS[refusal.kind], {})[refusal.code] = refusal.detail
    for status, said in _of_server(route):
        found.setdefault(status, {}).update(said)
    return found


def _of_declaration(route: Route) -> Iterable[type[Refusal]]:
    """Give what the kit may refuse because of how the route is declared."""
    yield from (TokenInvalid, TooManyRequests, KeysUnavailable)
    if not route.may.anyone:
        yield TokenMissing
    if route.may.roles:
        yield RoleMissing
    if route.path_types:
        yield NotFound
    if route.body or route.query:
        yield TextUnusable
    if route.query and issubclass(route.query, PageQuery):
        yield CursorInvalid
    if route.idempotent:
        yield from (IdempotencyKeyMissing, IdempotencyKeyReused)
    if route.versioned:
        yield from (VersionMissing, VersionOutdated)


def _of_server(route: Route) -> Iterable[tuple[int, dict[str, str]]]:
    """Give what is refused before a handler is reached, by status."""
    yield 503, {"try_again": OF_KIT["try_again"]}
    yield 422, {"shape_invalid": OF_KIT["shape_invalid"]}
    if route.path_types:
        yield _of_http(404)
    if route.body:
        yield 400, {"json_invalid": OF_KIT["json_invalid"]}
        yield _of_http(415)
    if route.body or route.wants_raw:
        yield _of_http(413)


def _of_http(status: int) -> tuple[int, dict[str, str]]:
    code, said = HTTP_CODES[status]
    return status, {code: said}
