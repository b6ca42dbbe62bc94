"""What the guides point to exists: files, functions, and commands."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.house.sources import REPOSITORY

GUIDES = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    *(str(found.relative_to(REPOSITORY)) for found in sorted((REPOSITORY / "docs").rglob("*.md"))),
)
PLACE = re.compile(
    r"`((?:services|shared|web|dev|ops|bench|deploy|docs|tests|simulators)/[\w./-]+)`"
)
STEP = re.compile(r"^\| \d \| `([\w/]+\.py)` \| `(\w+)` \|", re.MULTILINE)
STEPS_AT_MOST = 8
TARGET = re.compile(r"`make ([a-z-]+)`")


def guide(name: str) -> str:
    return (REPOSITORY / name).read_text()


def missing(root: Path, text: str) -> list[str]:
    return [place for place in PLACE.findall(text) if not (root / place).exists()]


def test_every_place_that_a_guide_names_exists():
    """A reader who follows a path finds something there."""
    found = {name: missing(REPOSITORY, guide(name)) for name in GUIDES}
    assert {name: places for name, places in found.items() if places} == {}


def test_a_place_that_is_gone_is_noticed():
    """The control: a path that nobody has is reported."""
    assert missing(REPOSITORY, "see `web/nowhere.py` and `web/app.py`") == ["web/nowhere.py"]


def test_the_walk_from_click_to_ledger_can_be_followed():
    """Each of its few files has the function that the walk names."""
    steps = STEP.findall(guide("ARCHITECTURE.md"))
    assert 0 < len(steps) <= STEPS_AT_MOST
    for place, function in steps:
        names = {
            node.name
            for node in ast.walk(ast.parse((REPOSITORY / place).read_text()))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert function in names, f"{place} has no {function}"


def test_every_make_target_that_a_guide_names_exists():
    """What a guide tells people to type is there to be typed."""
    rules = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    asked = {target for name in GUIDES for target in TARGET.findall(guide(name))}
    assert asked
    assert asked <= rules


def test_decisions_have_one_form():
    """The number of the file begins the title; what, why, cost and check stand in that order."""
    for path in sorted((REPOSITORY / "docs" / "decisions").glob("0*.md")):
        text = path.read_text()
        assert text.startswith(f"# {int(path.name[:4])}. "), path.name
        wanted = [f"\n**{word}.**" for word in ("Decision", "Why", "Cost", "Check")]
        places = [text.find(each) for each in wanted]
        assert -1 not in places, path.name
        assert places == sorted(places), path.name
