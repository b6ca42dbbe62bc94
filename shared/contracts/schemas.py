"""`python -m shared.contracts.schemas` writes the JSON Schema of every fact, and docs/events.md.

The files are committed; a test compares them with the code, and both with the version committed
before. A change that readers could not follow is refused here already.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.contracts.compatibility import incompatibilities
from shared.contracts.envelope import Fact
from shared.contracts.topics import FACTS, TOPICS, Topic

GENERATED = Path(__file__).parent / "generated"
EVENTS_PAGE = Path(__file__).parents[2] / "docs" / "events.md"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

INTRODUCTION = """\
# What the services tell each other

Written by `python -m shared.contracts.schemas`; do not edit.

Every fact is a CloudEvent 1.0 in Kafka's binary mode: the attributes are record headers, the value
is the fact as JSON (schemas in `shared/contracts/generated/`). `version` rises by one with every
fact of one aggregate and speaker. Facts only ever gain optional fields; readers ignore the fields
and the facts they do not know.
"""


def schema_of(fact: type[Fact]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a fact, with where it travels."""
    return {
        "$schema": DIALECT,
        "$id": fact.type_name(),
        "x-topic": fact.topic,
        "x-key": fact.key_field,
        "x-tombstone": fact.tombstone,
        **fact.model_json_schema(),
    }


def file_name(fact: type[Fact]) -> str:
    """Return the name of the file of a fact: speaker and fact."""
    return f"{fact.topic.split('.', 1)[0]}.{fact.__name__}.json"


def files() -> dict[str, str]:
    """Return the text of every schema file by its name."""
    return {file_name(fact): json.dumps(schema_of(fact), indent=2) + "\n" for fact in FACTS}


def events_page() -> str:
    """Return the page that says who tells what to whom."""
    return "\n".join([INTRODUCTION, *_topics_table(), *(_facts_of(topic) for topic in TOPICS)])


def breaks(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return what `new` files break of `old` ones, each as `file: what`."""
    found = [f"{name}: is gone" for name in sorted(old.keys() - new.keys())]
    for name in sorted(old.keys() & new.keys()):
        problems = incompatibilities(json.loads(old[name]), json.loads(new[name]))
        found += [f"{name}: {problem}" for problem in problems]
    return found


def written() -> dict[str, str]:
    """Return the text of every schema file as it lies in the folder."""
    return {path.name: path.read_text() for path in sorted(GENERATED.glob("*.json"))}


def write() -> None:
    """Write everything; raises `SystemExit` naming what would break readers."""
    if broken := breaks(written(), files()):
        sys.exit("These changes break readers of the old facts:\n  " + "\n  ".join(broken))
    GENERATED.mkdir(exist_ok=True)
    for name, text in files().items():
        (GENERATED / name).write_text(text)
    EVENTS_PAGE.write_text(events_page())


def _topics_table() -> list[str]:
    rows = [
        "| topic | key | written by | read by | partitions | kept | can be told again |",
        "|---|---|---|---|---|---|---|",
    ]
    for topic in TOPICS:
        readers = ", ".join(topic.readers) or "nobody here"
        again = "yes" if topic.retold else "no"
        rows.append(
            f"| `{topic.name}` | `{topic.key}` | {topic.writer} | {readers} | {topic.partitions}"
            f" | {topic.kept} | {again} |"
        )
    return rows


def _facts_of(topic: Topic) -> str:
    rows = [f"\n## {topic.name}\n", "| fact | what happened | says |", "|---|---|---|"]
    for fact in (each for each in FACTS if each.topic == topic.name):
        said = [f"`{name}`" for name in fact.model_fields if name not in ("version", topic.key)]
        meaning = " ".join((fact.__doc__ or "").split())
        rows.append(f"| `{fact.__name__}` | {meaning} | {', '.join(said)} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    write()
