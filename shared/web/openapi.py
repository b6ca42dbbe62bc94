"""The OpenAPI 3.1 document of a service, made from its routes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from shared.errors import Kind, Refusal
from shared.web.api import Api, Route
from shared.web.problems import PROBLEM_TYPE, STATUS, Problem

Json = dict[str, Any]
REF_TEMPLATE = "#/components/schemas/{model}"
ALWAYS_REFUSED = (Kind.SHAPE, Kind.TOO_MANY, Kind.UNAVAILABLE)
_FORMATS: dict[str, Json] = {
    "UUID": {"type": "string", "format": "uuid"},
    "str": {"type": "string"},
    "int": {"type": "integer"},
}


def document(api: Api, *, version: str) -> Json:
    """Return the OpenAPI 3.1 document."""
    schemas, definitions = _schemas(api.routes)
    paths: dict[str, Json] = {}
    for number, route in enumerate(api.routes):
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, number, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Mentorium {api.title}", "version": version},
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "person": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


Key = tuple[str, JsonSchemaMode]


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
        inputs, ref_template=REF_TEMPLATE, schema_generator=GenerateJsonSchema
    )
    return dict(found), definitions.get("$defs", {})


def _operation(route: Route, number: int, schemas: dict[Key, Json]) -> Json:
    operation: Json = {
        "operationId": getattr(route.handler, "__name__", f"operation_{number}"),
        "summary": route.summary,
        "parameters": list(_parameters(route)),
        "responses": _responses(route, number, schemas),
    }
    if route.body:
        shape = schemas[(f"body{number}", "validation")]
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": shape}},
        }
    if not route.may.anyone:
        operation["security"] = [{"person": []}]
    return operation


def _parameters(route: Route) -> Iterable[Json]:
    for name, kind in route.path_types.items():
        yield {"name": name, "in": "path", "required": True, "schema": _FORMATS[kind.__name__]}
    if route.query:
        yield from _query_parameters(route.query)
    if route.idempotent:
        yield _header("Idempotency-Key", {"type": "string", "minLength": 1, "maxLength": 200})
    if route.versioned:
        yield _header("If-Match", {"type": "string", "pattern": '^"[0-9]{1,9}"$'})


def _header(name: str, schema: Json) -> Json:
    return {"name": name, "in": "header", "required": True, "schema": schema}


def _query_parameters(model: type[BaseModel]) -> Iterable[Json]:
    schema = model.model_json_schema()
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


def _responses(route: Route, number: int, schemas: dict[Key, Json]) -> Json:
    good: Json = {"description": "Done."}
    if route.answer:
        shape = schemas[(f"answer{number}", "serialization")]
        good["content"] = {"application/json": {"schema": shape}}
    problem = {PROBLEM_TYPE: {"schema": schemas[("problem", "serialization")]}}
    responses: Json = {str(route.status): good}
    for status, codes in sorted(_refused(route).items()):
        words = f"Refused; code: {', '.join(sorted(codes))}." if codes else "Refused."
        responses[str(status)] = {"description": words, "content": problem}
    return responses


def _refused(route: Route) -> dict[int, set[str]]:
    kinds: dict[int, set[str]] = {400: {"json_invalid"}} if route.body else {400: set()}
    for kind in ALWAYS_REFUSED:
        kinds.setdefault(STATUS[kind], set())
    if not route.may.anyone:
        kinds.setdefault(401, set()).update({"token_missing", "token_invalid"})
    if route.may.roles:
        kinds.setdefault(403, set()).add("role_missing")
    if route.path_types:
        kinds.setdefault(404, set()).add("not_found")
    if route.body or route.wants_raw:
        kinds.update({413: {"body_too_large"}, 415: {"content_type_unsupported"}})
    if route.idempotent or route.versioned:
        kinds.setdefault(428, set())
    if route.idempotent:
        kinds.setdefault(409, set()).add("idempotency_key_reused")
    if route.versioned:
        kinds.setdefault(412, set()).add("version_outdated")
    for refusal in route.refusals:
        kinds.setdefault(STATUS[refusal.kind], set()).add(refusal.code)
    return kinds


def refusal_codes(api: Api) -> set[str]:
    """Return every code the routes of a service declare."""
    refusals: set[type[Refusal]] = {refusal for route in api.routes for refusal in route.refusals}
    return {refusal.code for refusal in refusals}
