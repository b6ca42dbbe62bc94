"""Form-encoded nested parameters: decoding, and validation that answers in Stripe's words.

`line_items[0][price_data][currency]=usd` becomes nested dictionaries and lists, which a pydantic
model with Stripe's names then checks. An unknown parameter is refused, as Stripe does
(https://docs.stripe.com/error-codes).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar, cast
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from simulators.stripe.errors import InvalidParameters

METADATA_KEYS_MAX = 50
METADATA_KEY_CHARS_MAX = 40
METADATA_VALUE_CHARS_MAX = 500
LIST_LIMIT_DEFAULT = 10
LIST_LIMIT_MAX = 100
AMOUNT_MAX = 999_999_999_999
NESTING_MAX = 8

_KEY = re.compile(r"[^\[\]]+|\[\]")
_INDEX = re.compile(r"^\d{1,3}$")


def decode(encoded: str) -> dict[str, Any]:
    """Turn a form body or query string into nested dictionaries and lists."""
    tree: dict[str, Any] = {}
    for key, value in parse_qsl(encoded, keep_blank_values=True):
        _insert(tree, _KEY.findall(key)[:NESTING_MAX], value)
    return {key: _as_lists(value, key) for key, value in tree.items()}


def _insert(tree: dict[str, Any], path: list[str], value: str) -> None:
    node = tree
    for step in path[:-1]:
        child: Any = node.setdefault(_place(node, step), {})
        if not isinstance(child, dict):
            raise InvalidParameters(f"Invalid hash: {step}", param=path[0])
        node = cast("dict[str, Any]", child)
    if path:
        node[_place(node, path[-1])] = value


def _place(node: dict[str, Any], step: str) -> str:
    return str(len(node)) if step == "[]" else step


def _as_lists(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or name == "metadata":
        return cast("Any", value)
    branch = cast("dict[str, Any]", value)
    children = {key: _as_lists(child, key) for key, child in branch.items()}
    if children and all(_INDEX.match(key) for key in children):
        return [children[key] for key in sorted(children, key=int)]
    return children


def _checked_metadata(value: dict[str, str]) -> dict[str, str]:
    if len(value) > METADATA_KEYS_MAX:
        message = f"Metadata can have at most {METADATA_KEYS_MAX} keys."
        raise PydanticCustomError("metadata", "{text}", {"text": message})
    for key, text in value.items():
        _check_pair(key, text)
    return value


def _check_pair(key: str, text: str) -> None:
    if len(key) > METADATA_KEY_CHARS_MAX:
        message = (
            f"Metadata keys can have up to {METADATA_KEY_CHARS_MAX} characters: "
            f"'{key}' is too long."
        )
        raise PydanticCustomError("metadata", "{text}", {"text": message})
    if len(text) > METADATA_VALUE_CHARS_MAX:
        message = (
            f"Metadata values can have up to {METADATA_VALUE_CHARS_MAX} characters, but you "
            f"passed in a value that is {len(text)} characters. Invalid value: {text}"
        )
        raise PydanticCustomError("metadata", "{text}", {"text": message})


def _emptied(value: Any) -> Any:
    return {} if value == "" else value


NO_METADATA: dict[str, str] = {}
Metadata = Annotated[dict[str, str], BeforeValidator(_emptied), AfterValidator(_checked_metadata)]
"""Up to 50 pairs (https://docs.stripe.com/metadata); an empty value deletes its key."""
Currency = Annotated[str, Field(pattern="^[A-Za-z]{3}$"), AfterValidator(str.lower)]
"""A three-letter code, kept in lower case as Stripe does."""
Amount = Annotated[int, Field(ge=1, le=AMOUNT_MAX)]
"""Positive minor units, at most twelve digits; charges are bounded by their currency besides."""
Text = Annotated[str, Field(max_length=5000)]


class Shape(BaseModel):
    """A group of parameters: nothing but what is declared is accepted."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Params(Shape):
    """The parameters of a request; every request may ask to expand fields of its answer."""

    expand: tuple[str, ...] = ()


class Created(Shape):
    """A filter on the time of creation, in epoch seconds."""

    gt: int | None = None
    gte: int | None = None
    lt: int | None = None
    lte: int | None = None


class Page(Params):
    """Cursor pages (https://docs.stripe.com/api/pagination)."""

    limit: int = Field(default=LIST_LIMIT_DEFAULT, ge=1, le=LIST_LIMIT_MAX)
    starting_after: str | None = None
    ending_before: str | None = None


class ListParams(Page):
    """Pages of what can also be filtered by the time of its creation."""

    created: int | Created | None = None


P = TypeVar("P", bound=Params)


def validated(model: type[P], given: dict[str, Any]) -> P:
    """Return the parameters as `model`; raise `InvalidParameters` for the first wrong one."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _refusal(_nearest(error.errors())) from None


def merged_metadata(old: dict[str, str], change: dict[str, str] | None) -> dict[str, str]:
    """Return metadata after an update: given keys replace, empty ones vanish, {} clears all."""
    if change is None:
        return old
    return {key: text for key, text in {**old, **change}.items() if text} if change else {}


def _nearest(errors: list[ErrorDetails]) -> ErrorDetails:
    """Of the first parameter that is wrong, return the error that names its place most exactly."""
    of_first = [error for error in errors if error["loc"][:1] == errors[0]["loc"][:1]]
    return max(of_first, key=lambda error: len(error["loc"]))


def _refusal(error: ErrorDetails) -> InvalidParameters:
    steps = [str(step) for step in error["loc"] if step not in _UNION_BRANCHES]
    param = steps[0] + "".join(f"[{step}]" for step in steps[1:]) if steps else ""
    code, message = _wording(error, param)
    details = {"code": code} if code else {}
    return InvalidParameters(message, param=param, **details)


_UNION_BRANCHES = {"int", "Created", "str"}


def _wording(error: ErrorDetails, param: str) -> tuple[str | None, str]:
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        return "parameter_unknown", f"Received unknown parameter: {param}"
    if kind == "missing":
        return "parameter_missing", f"Missing required param: {param}."
    if given == "":
        empty = f"You passed an empty string for '{param}'. We assume empty values are an attempt "
        return (
            "parameter_invalid_empty",
            empty + f"to unset a parameter; however '{param}' cannot be unset.",
        )
    if kind in ("int_parsing", "int_from_float", "int_type"):
        return "parameter_invalid_integer", f"Invalid integer: {given}"
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = error["msg"].removeprefix("Input should be ")
        return "parameter_invalid_integer", f"This value must be {bound}."
    if kind in ("tuple_type", "list_type"):
        return None, "Invalid array"
    if kind == "string_too_long":
        return None, f"Invalid string: {str(given)[:20]}...; {error['msg'].lower()}"
    if kind == "metadata":
        return None, error["msg"]
    return None, f"Invalid {param}: {error['msg']}"
