"""Words that others rely on: codes of refusals, names of facts, who speaks and who listens."""

from __future__ import annotations

import ast
import importlib
import re

import pytest

from shared.contracts.topics import FACTS, TOPICS, Service
from shared.errors import Refusal
from tests.house.conftest import Describe
from tests.house.sources import broken, present_services, sources

SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
NOT_SPOKEN_YET = {
    "ContactErased": "readers obey it; accounts cannot be erased yet",
}
PAST = re.compile(r"(ed|Held|Bought|Withdrawn|WrittenOff|Lost|Sent|Written|Paid|Snapshot)$")


def refusals() -> list[type[Refusal]]:
    """Return every kind of refusal of the kit and of the services that are here."""
    for source in sources("services", "shared"):
        if not source.module.endswith("__main__"):
            importlib.import_module(source.module)
    found: list[type[Refusal]] = []
    waiting = [Refusal]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return [each for each in found if each.__module__.startswith(("services.", "shared."))]


def test_refusals_have_stable_codes():
    """Each kind has a code of its own in snake case, and a name that says the obstacle."""
    found: list[str] = []
    by_code: dict[tuple[str, str], type[Refusal]] = {}
    for kind in refusals():
        where = f"{kind.__module__}.{kind.__name__}"
        if not SNAKE_CASE.fullmatch(kind.code):
            found.append(f"{where}: {kind.code!r} is no snake case")
        if kind.__name__.endswith(("Error", "Exception", "Refusal")) and kind is not Refusal:
            found.append(f"{where} does not name an obstacle")
        if kind is not Refusal and "code" not in vars(kind):
            found.append(f"{where} has no code of its own")
        # A code means one thing to a client of a service: the kit's and the service's together.
        for service in _speakers(kind):
            other = by_code.setdefault((service, kind.code), kind)
            if other is not kind:
                found.append(f"{where} has the code of {other.__module__}.{other.__name__}")
    assert not found, broken("refusals", found)


def test_a_code_means_the_same_everywhere():
    """The same code in two services is of the same kind, so that the web client reads it once."""
    kinds: dict[str, type[Refusal]] = {}
    found = [
        f"{kind.code} of {kind.__module__} and {kinds[kind.code].__module__}"
        for kind in refusals()
        if kinds.setdefault(kind.code, kind).kind is not kind.kind
    ]
    assert not found, broken("one code, one kind", found)


@pytest.mark.parametrize("service", present_services())
def test_what_a_handler_refuses_is_declared(describe: Describe, service: Service):
    """The declared refusals of a route are refusals, each once, for its documentation."""
    found = [
        route.name
        for route in describe(service).api.routes
        if len({each.code for each in route.refusals}) != len(route.refusals)
    ]
    assert not found, broken("a refusal is declared once", found)


def test_facts_are_past_tense():
    """A fact is something that happened."""
    found = [fact.__name__ for fact in FACTS if not PAST.search(fact.__name__)]
    assert not found, broken("a fact is named in the past tense", found)


def test_every_fact_travels_on_a_topic_of_its_speaker():
    """The topic is in the table, its key is a field of the fact, and only its writer speaks."""
    topics = {topic.name: topic for topic in TOPICS}
    found: list[str] = []
    for fact in FACTS:
        topic = topics.get(fact.topic)
        if topic is None:
            found.append(f"{fact.__name__}: {fact.topic} is no topic")
        elif fact.key_field != topic.key or topic.key not in fact.model_fields:
            found.append(f"{fact.__name__} is not keyed by {topic.key}")
        elif topic.writer != fact.topic.split(".")[0]:
            found.append(f"{topic.name} is written by {topic.writer}")
    assert not found, broken("shared/contracts", found)


@pytest.mark.parametrize("service", present_services())
def test_a_service_announces_its_facts_and_nobody_elses(service: Service):
    """Each fact of its topics is made somewhere in its own folder; none of another speaker's."""
    made = {
        name
        for source in sources("services")
        if source.service == service
        for name in _names(source.tree)
    }
    own = {fact.__name__ for fact in FACTS if fact.topic.startswith(f"{service}.")}
    assert not made & NOT_SPOKEN_YET.keys() & own, "take it out of NOT_SPOKEN_YET"
    silent = sorted(own - made - NOT_SPOKEN_YET.keys())
    assert not silent, broken(f"services/{service} never announces", silent)


@pytest.mark.parametrize("service", present_services())
def test_a_reader_hears_something_on_each_of_its_topics(service: Service):
    """Who is listed as a reader of a topic has a handler for at least one of its facts."""
    heard = {
        name
        for source in sources("services")
        if source.service == service and source.room == "events"
        for name in _names(source.tree)
    }
    deaf = [
        topic.name
        for topic in TOPICS
        if service in topic.readers
        and not any(fact.topic == topic.name and fact.__name__ in heard for fact in FACTS)
    ]
    assert not deaf, broken(f"services/{service}/events hears nothing on", deaf)


@pytest.mark.parametrize("service", present_services())
def test_what_can_be_told_again_has_a_teller(describe: Describe, service: Service):
    """Every topic marked `retold` is answered by its writer, and nothing else is."""
    retold = {topic.name for topic in TOPICS if topic.writer == service and topic.retold}
    assert describe(service).tellers.keys() == retold, f"services/{service}/app.py: tellers"


def _speakers(kind: type[Refusal]) -> list[str]:
    parts = kind.__module__.split(".")
    return [parts[1]] if parts[0] == "services" else present_services()


def _names(tree: ast.AST) -> set[str]:
    return {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
    }
