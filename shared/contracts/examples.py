"""One example of each fact, put together from the examples of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from shared.contracts.envelope import Fact

Schema = Mapping[str, Any]


class ExampleMissing(LookupError):
    """A field has neither an example nor a closed list of words to take one from."""


def example_of(fact: type[Fact]) -> dict[str, Any]:
    """Return the data of a fact as it could lie on the topic; raises `ExampleMissing`."""
    schema = fact.model_json_schema()
    return cast("dict[str, Any]", _example(fact.__name__, schema, schema))


def _example(name: str, schema: Schema, root: Schema) -> object:
    if "examples" in schema:
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    if "$ref" in schema:
        return _example(name, root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], root)
    if "properties" in schema:
        return {part: _example(part, said, root) for part, said in schema["properties"].items()}
    raise ExampleMissing(name)
