"""When a changed fact can still be read by those who know the old one, and the other way round.

Old and new versions of services run side by side, and topics and dead letters hold old facts: so a
field, once there, stays as it is, and a new one is optional. A closed list of words cannot grow
either: an old reader would take the new word for poison.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

Schema = Mapping[str, Any]
WORDS_FOR_PEOPLE = ("title", "description", "default", "examples")
FIXED = ("x-topic", "x-key", "x-tombstone")
"""Where a fact travels is as much a promise as what it says."""


def incompatibilities(old: Schema, new: Schema) -> list[str]:
    """Return what readers of one version could not read of the other; empty when all is well."""
    return [
        *(f"{name} changed" for name in FIXED if old.get(name) != new.get(name)),
        *_of_objects(old, new, old, new, ""),
    ]


def _of_objects(old: Schema, new: Schema, old_root: Schema, new_root: Schema, at: str) -> list[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    was_required, is_required = set(old.get("required", ())), set(new.get("required", ()))
    found = [f"{at}{name} is gone" for name in before.keys() - after.keys()]
    found += [f"{at}{name} became optional" for name in was_required - is_required & after.keys()]
    found += [f"{at}{name} is new and required" for name in is_required - before.keys()]
    found += [
        f"{at}{name} became required" for name in (is_required - was_required) & before.keys()
    ]
    for name in before.keys() & after.keys():
        one, other = _resolved(before[name], old_root), _resolved(after[name], new_root)
        if "properties" in one and "properties" in other:
            found += _of_objects(one, other, old_root, new_root, f"{at}{name}.")
        elif _bare(one, old_root) != _bare(other, new_root):
            found.append(f"{at}{name} has another type")
    return sorted(found)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Follow a reference into the definitions of the whole schema."""
    if "$ref" not in schema:
        return schema
    return cast("Schema", root["$defs"][str(schema["$ref"]).rsplit("/", 1)[-1]])


def _bare(schema: object, root: Schema) -> str:
    """Return a schema without words for people and with its references followed, as text."""
    return json.dumps(_stripped(schema, root), sort_keys=True)


def _stripped(value: object, root: Schema) -> object:
    if isinstance(value, dict):
        whole = _resolved(cast("Schema", value), root)
        return {key: _stripped(whole[key], root) for key in whole if not _is_said(key, whole)}
    if isinstance(value, list):
        return [_stripped(part, root) for part in cast("list[object]", value)]
    return value


def _is_said(key: str, schema: Schema) -> bool:
    """Return whether a keyword is for people; a field that is called so holds a schema."""
    return key in WORDS_FOR_PEOPLE and not isinstance(schema[key], dict)
