"""No fact has room for what people write: ids, amounts, instants and closed lists of words (P16).

What somebody wrote stays where it was written, and is read from that service's API by those it is
meant for (docs/decisions/0024).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from shared.contracts import booking
from shared.contracts.envelope import Fact
from shared.contracts.examples import example_of
from shared.contracts.schemas import schema_of
from shared.contracts.topics import FACTS

Schema = Mapping[str, Any]

MAY_BE_ANY_TEXT = {
    "title": "what a mentor calls an offering, for everybody to read in search",
    "reason_code": "a word for programs, which profiles chooses",
    "failure_code": "Stripe's word for why a payout failed",
    "stripe_payout_id": "an id of Stripe's",
    "kind": "the name of a template of notifications",
    "sealed": "closed to everybody but one reader (a JWE)",
}
"""The only fields whose type would let free text through, and why none is in them."""
CLOSED = ("enum", "const", "format", "pattern")
"""What makes a text one of few, or one of a form in which nobody writes."""
SAID_BEFORE = {
    booking.RequestDeclined: "Too far.",
    booking.MoveProposed: "A wedding.",
    booking.BookingExpired: "I am ill.",
    booking.BookingCancelled: "I am ill.",
    booking.ObjectionRaised: "We were cut off.",
    booking.ObjectionSettled: "Half was held.",
}
"""Facts that carried words once, and may lie on a topic with them."""


def open_fields(schema: Schema) -> set[str]:
    """Return the fields of a fact, also of what lies inside it, that any text fits into."""
    parts = (schema, *cast("Mapping[str, Schema]", schema.get("$defs", {})).values())
    return {
        name
        for part in parts
        for name, said in part.get("properties", {}).items()
        if any(_is_open(each) for each in _alternatives(said))
    }


def _alternatives(said: Schema) -> Iterator[Schema]:
    for each in said.get("anyOf", [said]):
        yield from _alternatives(each["items"]) if "items" in each else (each,)


def _is_open(said: Schema) -> bool:
    # No type at all, a list of anything and a bare object take any text, too.
    if "$ref" in said or said.get("type") in ("integer", "number", "boolean", "null"):
        return False
    return not any(word in said for word in CLOSED)


def test_no_fact_has_room_for_free_text():
    """Whoever adds a field for text has to say here why nobody's words are in it."""
    found = {name for fact in FACTS for name in open_fields(schema_of(fact))}
    assert found == set(MAY_BE_ANY_TEXT), "what people write stays in the service it was written in"


@pytest.mark.parametrize("said", [
    {"type": "string"},
    {"anyOf": [{"type": "string", "maxLength": 500}, {"type": "null"}]},
    {"type": "array", "items": {"type": "string"}},
    {"type": "array"},
    {"type": "object", "additionalProperties": {"type": "string"}},
    {},
])  # fmt: skip
def test_whatever_takes_any_text_is_seen(said: Schema):
    """The control: on its own, optional, in lists, in mappings, without a type, further inside."""
    assert open_fields({"properties": {"note": said}}) == {"note"}
    assert open_fields({"properties": {}, "$defs": {"Part": {"properties": {"note": said}}}})


@pytest.mark.parametrize("kind", SAID_BEFORE, ids=lambda kind: kind.__name__)
def test_facts_that_carried_words_once_are_still_read(kind: type[Fact]):
    """The words are passed over, whether or not the fact is one that told them of necessity."""
    told = kind.model_validate(example_of(kind) | {"reason": SAID_BEFORE[kind]})
    assert told == kind.model_validate(example_of(kind))
    assert SAID_BEFORE[kind] not in told.model_dump_json()
