"""The contracts: what is committed equals the code, and no change breaks a reader."""

from __future__ import annotations

import copy
import json
import subprocess
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shared.contracts import catalogue
from shared.contracts.booking import BookingHeld
from shared.contracts.compatibility import incompatibilities
from shared.contracts.schemas import EVENTS_PAGE, GENERATED, breaks, files, schema_of, written
from shared.contracts.topics import FACTS
from shared.log import SECRET_FIELDS
from tests.house.sources import REPOSITORY

GIT_SECONDS = 30
RENEW = "run: python -m shared.contracts.schemas"


def test_the_committed_schemas_are_those_of_the_code():
    """Whoever changes a fact renews its schema in the same commit."""
    assert written() == files(), RENEW


def test_the_page_of_events_is_that_of_the_code():
    """docs/events.md says what the code says."""
    assert EVENTS_PAGE.read_text() == catalogue.page() + "\n", RENEW


def test_no_fact_changed_in_a_way_its_readers_cannot_follow():
    """Compared with the last commit, which is what runs and what lies on the topics."""
    folder = GENERATED.relative_to(REPOSITORY)
    listed = _git("ls-tree", "--name-only", "HEAD", f"{folder}/").split()
    committed = {path.rsplit("/", 1)[-1]: _git("show", f"HEAD:{path}") for path in listed}
    assert not breaks(committed, files())


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_each_schema_is_valid(fact: Any):
    """A reader in any language can use it (JSON Schema draft 2020-12)."""
    Draft202012Validator.check_schema(schema_of(fact))


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_no_fact_carries_personal_data_in_the_clear(fact: Any):
    """Names, addresses and secrets travel sealed; everything else is ids, amounts and words."""
    assert not (SECRET_FIELDS - {"sealed"}) & fact.model_fields.keys()


def _without(schema: dict[str, Any], name: str) -> None:
    del schema["properties"][name]
    schema["required"].remove(name)


def _renamed(schema: dict[str, Any], name: str) -> None:
    schema["properties"]["called_otherwise"] = schema["properties"][name]
    schema["required"].append("called_otherwise")
    _without(schema, name)


def _set(schema: dict[str, Any], name: str, **changes: Any) -> None:
    schema["properties"][name] = schema["properties"][name] | changes


BREAKING = {
    "a field is removed": lambda s: _without(s, "title"),
    "a field is renamed": lambda s: _renamed(s, "title"),
    "a field has another type": lambda s: _set(s, "title", type="integer"),
    "a pattern is narrower": lambda s: _set(s, "currency", pattern="^(USD|EUR)$"),
    "a number is bounded": lambda s: _set(s, "price_minor", maximum=1000),
    "a required field may be absent": lambda s: s["required"].remove("title"),
    "a new field is required": lambda s: (
        s["properties"].update(more={"type": "string"}),
        s["required"].append("more"),
    ),
    "an inner field is removed": lambda s: _without(s["$defs"]["FrozenPolicy"], "preset"),
    "an inner word is added": lambda s: s["$defs"]["FrozenPolicy"]["properties"]["preset"][
        "enum"
    ].append("lenient"),
    "the topic is another": lambda s: s.update({"x-topic": "booking.purchases"}),
    "the key is another": lambda s: s.update({"x-key": "session_id"}),
}
HARMLESS = {
    "nothing": lambda s: None,
    "a new optional field": lambda s: s["properties"].update(
        note={"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    ),
    "other words": lambda s: s.update(description="Said better."),
    "a field described": lambda s: _set(s, "title", description="What it is about."),
    "a field with an example": lambda s: _set(s, "title", examples=["Interview"]),
    "a definition by another name": lambda s: _rename_definition(s),
}


def _rename_definition(schema: dict[str, Any]) -> None:
    schema["$defs"]["Policy"] = schema["$defs"].pop("FrozenPolicy")
    schema["properties"]["policy"] = {"$ref": "#/$defs/Policy"}


@pytest.mark.parametrize("change", BREAKING)
def test_a_breaking_change_is_named(change: str):
    """In either direction: old readers of new facts, new readers of old facts."""
    old = schema_of(BookingHeld)
    new = copy.deepcopy(old)
    BREAKING[change](new)
    assert incompatibilities(old, new)
    assert incompatibilities(new, old)


@pytest.mark.parametrize("change", HARMLESS)
def test_a_harmless_change_is_let_through(change: str):
    """Optional additions and better words."""
    old = schema_of(BookingHeld)
    new = copy.deepcopy(old)
    HARMLESS[change](new)
    assert incompatibilities(old, new) == []


def test_a_fact_that_is_gone_is_named():
    """A kind of fact cannot be taken back while it lies on a topic."""
    old = {"booking.Old.json": json.dumps(schema_of(BookingHeld))}
    assert breaks(old, {}) == ["booking.Old.json: is gone"]


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=GIT_SECONDS,
        check=True,
    )  # fmt: skip
    return done.stdout
