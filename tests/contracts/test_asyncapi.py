"""The AsyncAPI document: as committed, valid by the standard, and true of real records."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft7Validator

from dev.webfiles import fetch_web_files, web_files_folder
from shared.contracts.envelope import Fact, enclose
from shared.contracts.examples import example_of
from shared.contracts.schemas import ASYNCAPI
from shared.contracts.topics import FACTS, TOPICS
from shared.ids import new_id
from tests.contracts.records import DOCUMENT, problems_of

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OFFICIAL = "asyncapi-3.0.json"
"""The standard's own schema, from the package @asyncapi/specs."""


def test_the_committed_document_is_that_of_the_code():
    """Whoever changes a fact, a topic or a reader renews it in the same commit."""
    assert json.loads(ASYNCAPI.read_text()) == DOCUMENT, "run: python -m shared.contracts.schemas"


async def test_the_document_is_valid_asyncapi_3():
    """By the schema that the makers of AsyncAPI publish; bindings and references included."""
    await fetch_web_files()
    official = json.loads((web_files_folder() / OFFICIAL).read_text())
    problems = [
        f"{error.json_path}: {error.message}"[:300]
        for error in Draft7Validator(official).iter_errors(DOCUMENT)
    ]
    assert problems == []


def test_every_reference_leads_somewhere():
    """No operation names a message that its channel does not have."""
    lost = [ref for ref in _references(DOCUMENT) if _found(ref) is None]
    assert lost == []


def _references(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [ref for value in part.values() for ref in _references(value)]
    if isinstance(part, list):
        return [ref for value in part for ref in _references(value)]
    return []


def _found(reference: str) -> object | None:
    part: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        part = part.get(step) if isinstance(part, dict) else None
    return part


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_each_example_is_what_really_travels(fact: type[Fact]):
    """The example is a fact of ours; enclosed as the outbox does, it is what is documented."""
    told = fact.model_validate(example_of(fact))
    speaker = fact.topic.split(".")[0]
    event = enclose(told, event_id=new_id(), source=f"/services/{speaker}", time=NOON)
    assert problems_of(fact.topic, event.headers(), event.value()) == []


@pytest.mark.parametrize("spoil", ["data", "source", "type", "topic", "id"])
def test_a_record_that_is_not_documented_is_noticed(spoil: str):
    """The check looks at data, headers and topic."""
    fact = next(each for each in FACTS if each.__name__ == "PaymentSucceeded")
    told = fact.model_validate(example_of(fact))
    event = enclose(told, event_id=new_id(), source="/services/payments", time=NOON)
    topic = fact.topic
    match spoil:
        case "data":
            event = event.model_copy(update={"data": event.data.replace(b"12000", b"-1")})
        case "source":
            event = event.model_copy(update={"source": "/services/booking"})
        case "type":
            event = event.model_copy(update={"type": "mentorium.payments.Unheard"})
        case "id":
            event = event.model_copy(update={"event_id": "none"})
        case _:
            topic = TOPICS[0].name
    assert problems_of(topic, event.headers(), event.value())
