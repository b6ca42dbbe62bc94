"""The OpenAPI documents: as committed, valid by the standard, and readable for people."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from shared.web import docs_page
from tests.contracts.openapi_files import documents, written

RENEW = "run: python -m tests.contracts.openapi_files"
DOCUMENTS: dict[str, dict[str, Any]] = {n: json.loads(t) for n, t in documents().items()}
OPERATIONS = [
    pytest.param(document, path, operation, id=f"{method} {path} of {name}")
    for name, document in DOCUMENTS.items()
    for path, methods in document["paths"].items()
    for method, operation in methods.items()
]


def test_the_committed_documents_are_those_of_the_code():
    """Whoever changes a route renews its document in the same commit."""
    assert written() == documents(), RENEW


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document_is_valid_openapi_31(name: str):
    """References lead somewhere, names are unique, and schemas are schemas."""
    OpenAPIV31SpecValidator(DOCUMENTS[name]).validate()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_bound_is_said_in_the_words_of_json_schema(name: str):
    """A keyword that JSON Schema does not know would be ignored by every reader."""
    unknown = set(_keywords(DOCUMENTS[name])) & {"ge", "le", "gt", "lt", "multiple_of"}
    assert not unknown


def _keywords(part: object) -> list[str]:
    if isinstance(part, dict):
        return [*part, *(word for value in part.values() for word in _keywords(value))]
    if isinstance(part, list):
        return [word for value in part for word in _keywords(value)]
    return []


@pytest.mark.parametrize(("document", "path", "operation"), OPERATIONS)
def test_every_operation_says_how_it_is_refused(
    document: dict[str, Any], path: str, operation: dict[str, Any]
):
    """Refusals carry an example of their own shape; links lead to operations there are."""
    known = {each["operationId"] for way in document["paths"].values() for each in way.values()}
    for status, said in operation["responses"].items():
        answer = _resolved(document, said)
        assert {link["operationId"] for link in answer.get("links", {}).values()} <= known
        if int(status) < 400:
            continue
        refusal = answer["content"]["application/problem+json"]
        whole = {**refusal["schema"], "components": document["components"]}
        Draft202012Validator(whole).validate(refusal["example"])
        assert refusal["example"]["status"] == int(status), path


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_page_shows_every_operation_and_loads_nothing(name: str):
    """Each route with its words; no script, no outside file, a style that its policy lets in."""
    document = DOCUMENTS[name]
    page = docs_page.page(document)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in page, path
    assert not re.search(r'<script|<link|<img|src=|href="[^#o]', page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in docs_page.POLICY


def _resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    name = part.get("$ref", "").rsplit("/", 1)[-1]
    return document["components"]["responses"][name] if name else part
