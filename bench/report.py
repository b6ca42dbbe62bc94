"""What was measured, for people and for programs: a table, a JSON file, a page and its pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.rounds import Measurement, Value
from dev.home import REPOSITORY

PAGE = REPOSITORY / "docs" / "performance.md"
PICTURES = REPOSITORY / "docs" / "images"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
TABLE_COLUMNS = 160
HEADINGS = ("", "what", "ours", "control", "ratio", "spread", "goal", "met")

Result = Measurement | Value


def show(results: Sequence[Result]) -> None:
    """Print the table."""
    table = Table()
    for heading in HEADINGS:
        table.add_column(heading, no_wrap=True)
    for each in results:
        table.add_row(*row(each))
    Console(width=TABLE_COLUMNS).print(table)


def row(result: Result) -> tuple[str, ...]:
    """Return the cells of one line of the table."""
    if isinstance(result, Measurement):
        control = f"{_figure(_middle(result.control))} ({result.control_name})"
        goal = "" if result.goal is None else f"≥ {result.goal:.2f}"
        return (
            result.bench, result.name, f"{_figure(_middle(result.ours))} {result.unit}", control,
            f"{result.ratio:.2f}", f"{min(result.ratios):.2f}–{max(result.ratios):.2f}",
            goal, _verdict(result.is_met, goal),
        )  # fmt: skip
    goal = "" if result.at_most is None else f"≤ {_figure(result.at_most)} {result.unit}"
    spread = f"{_figure(min(result.values))}–{_figure(max(result.values))}"
    figure = f"{_figure(result.value)} {result.unit}"
    return (
        result.bench, result.name, figure, "", "", spread, goal, _verdict(result.is_met, goal)
    )  # fmt: skip


def write_json(results: Sequence[Result], path: Path) -> None:
    """Write everything that was measured, and how busy the machine was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "at": datetime.now(UTC).isoformat(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "results": [each.as_json() for each in results],
    }
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_docs(results: Sequence[Result], page: Path = PAGE, pictures: Path = PICTURES) -> None:
    """Put the table into the page between its marks, and draw its pictures anew."""
    text = page.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n{in_markdown(results)}\n{END}{after}")
    from bench.pictures import draw  # Takes a second to load, and only this needs it.

    draw([each for each in results if isinstance(each, Measurement)], pictures)


def in_markdown(results: Sequence[Result]) -> str:
    """Return the table in Markdown, with when and on how many cores."""
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores; load average"
        f" {os.getloadavg()[2]:.1f}.\n",
        f"| {' | '.join(HEADINGS)} |",
        f"|{'---|' * len(HEADINGS)}",
        *(f"| {' | '.join(row(each))} |" for each in results),
    ]
    return "\n".join(lines)


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _verdict(met: bool, goal: str) -> str:
    return "" if not goal else "yes" if met else "no"
