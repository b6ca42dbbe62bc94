"""docs/events.md: the catalogue of facts as people read it, made from the same tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from shared.contracts.envelope import Fact
from shared.contracts.examples import example_of
from shared.contracts.readers import READERS, SERVICES, UNREAD
from shared.contracts.topics import FACTS, TOPICS, Topic

INTRODUCTION = """\
# What the services tell each other

Written by `python -m shared.contracts.schemas`; do not edit. For programs:
[AsyncAPI](asyncapi.json) and a JSON Schema per fact in `shared/contracts/generated/`.

Every fact is a CloudEvent 1.0 in Kafka's binary mode: the attributes are record headers (`ce_id`,
`ce_type`, `ce_source`, `ce_subject`, `ce_time`, `ce_traceparent`), the value is the fact as JSON.
The record key is the id named below, so facts of one aggregate arrive in order. `version` rises by
one with every fact of one key on a topic: a reader sees gaps and refuses the past. A fact may come
twice with the same `ce_id`. Facts only ever gain optional fields; readers ignore the fields and the
facts they do not know.
"""


def page() -> str:
    """Return the catalogue."""
    return "\n".join([INTRODUCTION, *_map(), *_topics(), *_contents(), *map(_topic, TOPICS)])


def _map() -> Iterable[str]:
    yield "```mermaid\nflowchart LR"
    for topic in TOPICS:
        node = topic.name.replace(".", "_")
        yield f"    {topic.writer}([{topic.writer}]) --> {node}[/{topic.name}/]"
        for reader in topic.readers:
            heard = sum(reader in READERS.get(fact, {}) for fact in topic.facts)
            yield f"    {node} -->|{heard} of {len(topic.facts)}| {reader}([{reader}])"
    yield "```\n"


def _topics() -> Iterable[str]:
    yield "| topic | key | written by | read by | partitions | kept | can be told again |"
    yield "|---|---|---|---|---|---|---|"
    for topic in TOPICS:
        readers = ", ".join(topic.readers) or "nobody here"
        again = "yes" if topic.retold else "no"
        yield (
            f"| [`{topic.name}`](#{topic.name.replace('.', '')}) | `{topic.key}` | {topic.writer}"
            f" | {readers} | {topic.partitions} | {topic.kept} | {again} |"
        )


def _contents() -> Iterable[str]:
    yield "\n| fact | " + " | ".join(SERVICES) + " |"
    yield "|---|" + "---|" * len(SERVICES)
    for fact in FACTS:
        speaker = fact.topic.split(".", 1)[0]
        heard = READERS.get(fact, {})
        cells = ["says" if s == speaker else "hears" if s in heard else "" for s in SERVICES]
        name = fact.__name__
        yield f"| [`{name}`](#{name.lower()}) | {' | '.join(cells)} |"


def _topic(topic: Topic) -> str:
    return "\n".join([f"\n## {topic.name}", *map(_fact, topic.facts)])


def _fact(fact: type[Fact]) -> str:
    parts = [f"\n### {fact.__name__}\n", " ".join((fact.__doc__ or "").split()) + "\n"]
    parts += [f"- **{service}**: {said}" for service, said in READERS.get(fact, {}).items()]
    if fact in UNREAD:
        parts.append(f"- Nobody here listens. {UNREAD[fact]}")
    if fact.tombstone:
        parts.append("- A tombstone: the record has no value, the fact travels in a header.")
    parts += ["\n| field | meaning | type |", "|---|---|---|", *_fields(fact)]
    example = json.dumps(example_of(fact), indent=2)
    parts.append(f"\n```json\n{example}\n```")
    return "\n".join(parts)


def _fields(fact: type[Fact]) -> Iterable[str]:
    schema = fact.model_json_schema()
    required = schema.get("required", ())
    for name, said in schema["properties"].items():
        shape = _type(said, schema.get("$defs", {}))
        optional = "" if name in required else ", may be absent"
        yield f"| `{name}` | {said['description']} | {shape}{optional} |"


def _type(said: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "$ref" in said:
        inside = definitions[said["$ref"].rsplit("/", 1)[-1]]["properties"]
        return "; ".join(f"`{name}`: {_type(each, definitions)}" for name, each in inside.items())
    if "anyOf" in said:
        return _type(next(each for each in said["anyOf"] if each != {"type": "null"}), definitions)
    if "enum" in said:
        return ", ".join(f"`{word}`" for word in said["enum"])
    return str(said.get("format", said["type"]))
