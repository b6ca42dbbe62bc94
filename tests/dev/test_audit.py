"""The audit of dependencies: a known vulnerability fails, an unknown answer is said."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dev.audit import Ignored, judge, read_ignored
from dev.home import REPOSITORY

TODAY = date(2026, 11, 23)
FOUND = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"], "aliases": ["CVE-2026-1"]}
SAFE = {"name": "safe", "version": "1.0", "vulns": []}
WEAK = {"name": "weak", "version": "1.9", "vulns": [FOUND]}
AWAY = {"name": "away", "skip_reason": "Dependency not found on PyPI"}


def report(*packages: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(packages), "fixes": []}


def test_a_known_vulnerability_is_wrong() -> None:
    """It is named with its package and what mends it; packages without one are counted."""
    verdict = judge(report(SAFE, WEAK), [], TODAY)
    assert verdict.wrong == ["weak 1.9: PYSEC-2026-1, mended by 2.0"]
    assert (verdict.audited, verdict.unknown) == (2, [])
    assert not judge(report(SAFE), [], TODAY).wrong


@pytest.mark.parametrize("name", ["PYSEC-2026-1", "CVE-2026-1"])
def test_what_is_passed_over_counts_again_on_its_day(name: str) -> None:
    """By any of its names; on the day both the entry and the vulnerability are wrong."""
    ignored = [Ignored(name, "Only clients are affected.", TODAY)]
    assert judge(report(WEAK), ignored, date(2026, 11, 22)).wrong == []
    assert len(judge(report(WEAK), ignored, TODAY).wrong) == 2
    assert judge(report(WEAK), [Ignored("PYSEC-1", "Another.", date.max)], TODAY).wrong


def test_who_has_no_advisories_is_not_taken_for_safe() -> None:
    """A package that could not be looked up is told apart from one that is good."""
    verdict = judge(report(SAFE, AWAY), [], TODAY)
    assert (verdict.wrong, verdict.unknown, verdict.audited) == ([], ["away"], 1)


def test_each_entry_has_a_reason_and_a_date(tmp_path: Path) -> None:
    """An entry without them cannot be read."""
    for entry in read_ignored():
        assert entry.reason.strip()
    bare = tmp_path / "audit.toml"
    bare.write_text('[[ignored]]\nid = "PYSEC-2026-1"\n')
    with pytest.raises(TypeError):
        read_ignored(bare)


def test_everything_locked_has_a_hash() -> None:
    """No package comes whose content is not pinned, and all come from one index."""
    lock = tomllib.loads((REPOSITORY / "uv.lock").read_text())
    outside = [each for each in lock["package"] if "virtual" not in each["source"]]
    assert len(outside) > 100
    for package in outside:
        assert set(package["source"]) == {"registry"}, package["name"]
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files, package["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]
