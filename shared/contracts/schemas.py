"""`python -m shared.contracts.schemas` writes schemas, AsyncAPI and docs/events.md.

The files are committed; a test compares them with the code, and both with the version committed
before. A change that readers could not follow is refused here already.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.contracts import asyncapi, catalogue
from shared.contracts.compatibility import incompatibilities
from shared.contracts.envelope import Fact
from shared.contracts.topics import FACTS

GENERATED = Path(__file__).parent / "generated"
DOCS = Path(__file__).parents[2] / "docs"
EVENTS_PAGE = DOCS / "events.md"
ASYNCAPI = DOCS / "asyncapi.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


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


def asyncapi_text() -> str:
    """Return the text of the AsyncAPI document."""
    return json.dumps(asyncapi.document(), indent=2, ensure_ascii=False) + "\n"


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
    ASYNCAPI.write_text(asyncapi_text())
    EVENTS_PAGE.write_text(catalogue.page() + "\n")


if __name__ == "__main__":
    write()
