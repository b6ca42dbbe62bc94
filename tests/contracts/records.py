"""Whether a record is what the AsyncAPI document says of its topic."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from shared.contracts import asyncapi

DOCUMENT: dict[str, Any] = asyncapi.document()


def problems_of(topic: str, headers: Iterable[tuple[str, bytes]], value: bytes | None) -> list[str]:
    """Return what a record has that the document does not say, or lacks."""
    told = {name: text.decode() for name, text in headers}
    name = told.get("ce_type", "nothing").rsplit(".", 1)[-1]
    if name not in DOCUMENT["channels"][topic]["messages"]:
        return [f"{name} is no message of {topic}"]
    said = _checker(name, "headers").iter_errors(told)
    data = None if value is None else json.loads(value)
    return [error.message for error in (*said, *_checker(name, "payload").iter_errors(data))]


@cache
def _checker(name: str, part: str) -> Draft202012Validator:
    schema = DOCUMENT["components"]["messages"][name][part]
    whole = {**schema, "components": DOCUMENT["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())
