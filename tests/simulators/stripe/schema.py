"""Stripe's published OpenAPI description, and the check of an answer against it.

The description is a file inside a wheel on PyPI (`seahaven-stripe-world`, MIT). The wheel installs
only on a newer Python, so it is downloaded for that one file, verified, and kept in the per-user
cache.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match  # pyright: ignore[reportUnknownVariableType]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from dev.cache import cache_folder

WHEEL = "seahaven_stripe_world-0.3.0-py3-none-any.whl"
WHEEL_SHA256 = "f4466fea9dbdb7225ad2de9452b91df5f8b53559edb71b49afe446e1a001307a"
SPEC = "seahaven_stripe_world/spec/spec3.json"
DOWNLOAD_SECONDS = 120
FORM = "application/x-www-form-urlencoded"

Json = dict[str, Any]


def _downloaded() -> Path:
    wheel = cache_folder() / "stripe-schema" / WHEEL
    if not wheel.exists():
        wheel.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=wheel.parent) as folder:
            arguments = ["--no-deps", "--only-binary=:all:", "--python-version", "3.14"]
            name = "seahaven-stripe-world==0.3.0"
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "-q",
                *arguments,
                "-d",
                folder,
                name,
            ]
            subprocess.run(command, check=True, timeout=DOWNLOAD_SECONDS)
            (Path(folder) / WHEEL).rename(wheel)
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert found == WHEEL_SHA256, f"{wheel} is not the file we know: delete it and try again"
    return wheel


@cache
def description() -> Json:
    """Return Stripe's OpenAPI document."""
    with zipfile.ZipFile(_downloaded()) as wheel:
        return json.loads(wheel.read(SPEC))


def _strict(node: Any) -> Any:
    """Say `nullable` in the words of JSON Schema, and let no object have a field it does not name.

    An object that names no fields at all, or says what its others are, is a map: it stays free.
    """
    if isinstance(node, list):
        return [_strict(child) for child in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    branch = cast("Json", node)
    turned = {name: _strict(child) for name, child in branch.items() if name != "nullable"}
    if branch.get("type") == "object" and "properties" in branch:
        turned.setdefault("additionalProperties", False)
    return {"anyOf": [turned, {"type": "null"}]} if branch.get("nullable") is True else turned


@cache
def _registry() -> Registry[Any]:
    schemas = _strict(description()["components"]["schemas"])
    text = json.dumps(schemas).replace("#/components/schemas/", "schema:")
    resources = [
        (f"schema:{name}", DRAFT202012.create_resource(schema))
        for name, schema in json.loads(text).items()
    ]
    return Registry[Any]().with_resources(resources)


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"schema:{name}"}, registry=_registry())


@cache
def _fields_of_list(name: str) -> frozenset[str]:
    path = {"list": "/v1/customers", "search_result": "/v1/customers/search"}[name]
    answer = description()["paths"][path]["get"]["responses"]["200"]["content"]
    return frozenset(answer["application/json"]["schema"]["properties"])


def check(answer: Json) -> None:
    """Fail unless an answer is one that Stripe could have given, down to its innermost fields."""
    name = "error" if "error" in answer else answer["object"]
    if name in ("list", "search_result"):
        invented = set(answer) - _fields_of_list(name)
        assert not invented, f"Stripe knows no {sorted(invented)} in a {name}"
        for item in answer["data"]:
            check(item)
        return
    name = f"deleted_{name}" if answer.get("deleted") else name
    validator = _validator(name)
    assert validator.is_valid(answer), _problem(validator, name, answer)


def _problem(validator: Draft202012Validator, name: str, answer: Json) -> str:
    worst = cast("Any", best_match(validator.iter_errors(answer)))
    return f"{name}{worst.json_path[1:]}: {worst.message}"


def accepted_parameters(method: str, path: str) -> Json:
    """Return the parameters Stripe knows for an endpoint, as JSON schemas by name."""
    operation = description()["paths"][path][method.lower()]
    found = {each["name"]: each["schema"] for each in operation.get("parameters", [])}
    body = operation.get("requestBody", {}).get("content", {}).get(FORM, {}).get("schema", {})
    return found | body.get("properties", {})
