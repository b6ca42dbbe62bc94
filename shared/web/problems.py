"""Problem documents (RFC 9457): every error has a stable code and says what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import Kind, Refusal

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2

STATUS: dict[Kind, int] = {
    Kind.UNREADABLE: 400,
    Kind.SHAPE: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.OUTDATED: 412,
    Kind.CONDITION_MISSING: 428,
    Kind.TOO_MANY: 429,
    Kind.UNAVAILABLE: 503,
}
"""The one table from what a refusal means to an HTTP status."""

TITLES: dict[int, str] = {
    400: "The request cannot be read",
    401: "Sign in first",
    403: "This is not yours to do",
    404: "Not found",
    405: "Not possible here",
    408: "The request took too long",
    409: "Not possible now",
    412: "Somebody changed it meanwhile",
    413: "Too large",
    415: "Wrong content type",
    422: "The request has the wrong shape",
    428: "Say which version you saw",
    429: "Too many requests",
    500: "Our mistake",
    503: "Away for a moment",
}

HTTP_CODES: dict[int, tuple[str, str]] = {
    400: ("malformed_request", "Send a well-formed request."),
    404: ("route_not_found", "See /openapi.json for what there is."),
    405: ("method_not_allowed", "Use a method named in the Allow header."),
    408: ("request_timeout", "Send the request again, faster."),
    413: ("body_too_large", "Send a smaller body."),
    415: ("content_type_unsupported", "Send application/json."),
}
"""Codes for what aiohttp itself refuses."""

OF_KIT: dict[str, str] = {
    "json_invalid": "Send well-formed JSON.",
    "shape_invalid": "See errors: body or query does not have the shape of /openapi.json.",
    "try_again": "Send the same request again.",
}
"""Codes for what the kit refuses before a handler is reached, or for want of a database."""


class FieldProblem(BaseModel):
    """What is wrong with one field; `pointer` is a JSON pointer (RFC 6901)."""

    pointer: str
    code: str
    detail: str


class Problem(BaseModel):
    """A problem document (RFC 9457) with a stable `code`."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    trace_id: str | None = None
    errors: list[FieldProblem] | None = None
    facts: dict[str, str | int | bool | None] | None = Field(
        default=None, description="What a client may act on, by name."
    )


def answer(problem: Problem, headers: dict[str, str] | None = None) -> web.Response:
    """Return a problem document as a response."""
    return web.Response(
        status=problem.status,
        body=problem.model_dump_json(exclude_none=True).encode(),
        content_type=PROBLEM_TYPE,
        headers=headers,
    )


def of_refusal(refusal: Refusal, trace_id: str | None) -> web.Response:
    """Return the answer to what the business refused."""
    status = STATUS[refusal.kind]
    headers: dict[str, str] = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status in (429, 503):
        headers["Retry-After"] = str(refusal.facts.get("retry_after_seconds", RETRY_AFTER_SECONDS))
    return answer(
        Problem(
            title=TITLES[status],
            status=status,
            detail=refusal.detail,
            code=refusal.code,
            trace_id=trace_id,
            facts=refusal.facts or None,
        ),
        headers,
    )


def of_shape(error: ValidationError, trace_id: str | None, *, where: str) -> web.Response:
    """Return the answer to a body, query or path of the wrong shape; never repeats the input."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    if where == "body" and any(problem["type"] == "json_invalid" for problem in found):
        return of_status(400, trace_id, code="json_invalid", detail=OF_KIT["json_invalid"])
    return answer(
        Problem(
            title=TITLES[422],
            status=422,
            detail=f"See errors: the {where} does not have the shape of /openapi.json.",
            code="shape_invalid",
            trace_id=trace_id,
            errors=[
                FieldProblem(
                    pointer=_pointer(problem["loc"]), code=problem["type"], detail=problem["msg"]
                )
                for problem in found
            ],
        )
    )


def of_status(
    status: int,
    trace_id: str | None,
    *,
    code: str | None = None,
    detail: str | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """Return the answer to an error that has only a status."""
    known_code, known_detail = HTTP_CODES.get(status, ("internal_error", "Try again later."))
    return answer(
        Problem(
            title=TITLES.get(status, "Error"),
            status=status,
            detail=detail or known_detail,
            code=code or known_code,
            trace_id=trace_id,
        ),
        headers,
    )


def _pointer(location: Sequence[str | int]) -> str:
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return "".join(f"/{part}" for part in parts)
