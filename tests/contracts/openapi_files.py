"""`python -m tests.contracts.openapi_files` writes docs/openapi/, one document per service."""

from __future__ import annotations

import importlib
import json

import pytest

from shared.web.openapi import document
from tests.house.conftest import ENVIRONMENT
from tests.house.sources import REPOSITORY, present_services

FOLDER = REPOSITORY / "docs" / "openapi"


def documents() -> dict[str, str]:
    """Return the text of the OpenAPI document of each service, by the name of its file."""
    return {f"{name}.json": _text(name) for name in present_services()}


def written() -> dict[str, str]:
    """Return the documents as they lie in the folder."""
    return {path.name: path.read_text() for path in sorted(FOLDER.glob("*.json"))}


def _text(service: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setenv(f"{service.upper()}_DATABASE_URL", "postgresql://nowhere/none")
        described = importlib.import_module(f"services.{service}.app").describe()
    told = document(described.api, version=described.version)
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in documents().items():
        (FOLDER / name).write_text(text)
