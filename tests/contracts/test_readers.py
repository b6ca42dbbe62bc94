"""Who listens: what the contracts say of each reader is what the reader has ears for."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from shared.contracts.asyncapi import received_by
from shared.contracts.readers import READERS, SERVICES, UNREAD, Service
from shared.contracts.schemas import ASYNCAPI
from shared.contracts.topics import FACTS
from tests.house.conftest import Describe, describe

__all__ = ["describe"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_reader_obeys_what_the_document_says_it_receives(describe: Describe, service: Service):
    """Neither an ear for what the document does not list, nor a listed fact without an ear."""
    ears = describe(service).ears(cast("Any", None))
    obeyed = {fact.__name__ for fact in FACTS if ears.find(fact.type_name())}
    assert obeyed == received_by(service, json.loads(ASYNCAPI.read_text()))


def test_each_fact_has_a_reader_or_a_reason():
    """A fact is told to somebody, or it is written down why it is told all the same."""
    assert set(FACTS) == READERS.keys() | UNREAD.keys()
    assert not READERS.keys() & UNREAD.keys()
    assert all(READERS.values())


def test_nobody_listens_to_oneself():
    """What a service says, it knows already."""
    own = [
        fact.__name__ for fact, readers in READERS.items() if fact.topic.split(".", 1)[0] in readers
    ]
    assert not own
