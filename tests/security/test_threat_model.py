"""Each proof that the threat model names is there."""

from __future__ import annotations

import re

from dev.home import REPOSITORY

PAGE = REPOSITORY / "docs" / "threat-model.md"
PROOF = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
PROOFS_AT_LEAST = 40


def missing(text: str) -> list[str]:
    """Return the proofs named in a text that no test gives."""
    return [
        f"{path}::{name}"
        for path, name in PROOF.findall(text)
        if f"def {name}(" not in (REPOSITORY / path).read_text()
    ]


def test_every_named_proof_is_a_test() -> None:
    """A threat whose test was renamed or dropped is not proven any more."""
    text = PAGE.read_text()
    assert len(PROOF.findall(text)) >= PROOFS_AT_LEAST
    assert missing(text) == []
    assert missing("`tests/security/test_threat_model.py::test_nothing`"), "the control"
