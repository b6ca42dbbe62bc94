"""What people are told: every refusal they can meet says what to do, in words they know."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from shared.errors import Refusal
from shared.web.problems import HTTP_CODES, FieldProblem, Problem
from web.sentences import SENTENCES, told

REPOSITORY = Path(__file__).parents[2]
JARGON = re.compile(
    r"_|/v\d|\b(JSON|ETag|header|token|cursor|request|Idempotency|Retry-After|If-Match|Bearer"
    r"|OpenAPI|body|route|order to see|character U)\b",
    re.IGNORECASE,
)
OF_THE_KIT = {code for code, _ in HTTP_CODES.values()} | {
    "json_invalid",
    "shape_invalid",
    "internal_error",
}
"""Codes that are answered without a refusal of the business."""


def refusals() -> dict[str, str]:
    """Return what every refusal of the services and the kit says, by code."""
    for folder in ("services", "shared"):
        for path in (REPOSITORY / folder).rglob("*.py"):
            if path.stem != "__main__" and "migrations" not in path.parts:
                importlib.import_module(
                    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
                )
    found, waiting = dict[str, str](), [Refusal]
    while waiting:
        kind = waiting.pop()
        if kind.__module__.startswith(("services.", "shared.")):
            found[kind.code] = str(kind.detail)
        waiting += kind.__subclasses__()
    return found


def test_every_code_is_told_in_words_people_know() -> None:
    """No refusal reaches a browser that speaks of headers, and each is a whole sentence."""
    known = refusals()
    texts = {code: SENTENCES.get(code, text) for code, text in known.items()}
    texts |= {code: SENTENCES.get(code, "") for code in OF_THE_KIT}
    wrong = {code: text for code, text in texts.items() if JARGON.search(text) or text[-1:] != "."}
    assert not wrong, f"write what to do into web/sentences.py: {wrong}"
    assert not SENTENCES.keys() - known.keys() - OF_THE_KIT, "nobody refuses with these any more"


def test_fields_are_told_without_types() -> None:
    """A rule of length keeps its number; what is unknown is told as the service said it."""
    found = told(
        Problem(
            title="The request has the wrong shape",
            status=422,
            detail="See errors.",
            code="shape_invalid",
            errors=[
                FieldProblem(
                    pointer="/title",
                    code="string_too_long",
                    detail="String should have at most 200 characters",
                ),
                FieldProblem(pointer="/name", code="missing", detail="Field required"),
                FieldProblem(pointer="/x", code="value_error", detail="Write it backwards."),
            ],
        )
    )
    assert found.title == "Something is missing or wrong"
    assert [each.detail for each in found.errors or ()] == [
        "Give at most 200 characters.",
        "Fill this in.",
        "Write it backwards.",
    ]
