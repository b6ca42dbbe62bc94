"""Pictures of ratios: each of our costs beside its control, and what many sessions cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.rounds import Measurement
from bench.suites import OVER_FEW

WIDTH_INCHES, INCHES_PER_BAR = 8.0, 0.45
LONGEST_BAR = 5
"""What is more times as fast as its control would leave no room for the others."""
OURS, GOAL = "#3b6fb6", "#c2410c"

# The same figures make the same file, so that a commit shows what changed.
mpl.rcParams["svg.hashsalt"] = "mentorium"
mpl.rcParams["svg.fonttype"] = "none"


def draw(results: Sequence[Measurement], folder: Path) -> None:
    """Draw performance.svg (beside controls) and performance-growth.svg (many beside few)."""
    rates = [each for each in results if each.unit.endswith("/s")]  # Of waits, more is worse.
    beside = [each for each in rates if each.control_name != OVER_FEW and each.ratio < LONGEST_BAR]
    growth = [each for each in results if each.control_name == OVER_FEW]
    if beside:
        _bars(beside, "ours over its control", folder / "performance.svg")
    if growth:
        title = f"rate over {growth[0].stored:,} stored sessions, by the rate over few"
        _bars(growth, title, folder / "performance-growth.svg")


def _bars(results: Sequence[Measurement], title: str, path: Path) -> None:
    figure = Figure(figsize=(WIDTH_INCHES, 1.2 + INCHES_PER_BAR * len(results)))
    axes = figure.add_subplot()
    places = range(len(results))
    spread = (
        [each.ratio - min(each.ratios) for each in results],
        [max(each.ratios) - each.ratio for each in results],
    )
    axes.barh(places, [each.ratio for each in results], xerr=spread, color=OURS, height=0.6)
    for place, each in zip(places, results, strict=True):
        if each.goal is not None:
            axes.plot([each.goal] * 2, [place - 0.4, place + 0.4], color=GOAL, linewidth=2)
    axes.axvline(1, color="grey", linewidth=0.8, linestyle=":")
    axes.set_yticks(places, [each.name for each in results])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_title(f"{title} (line: goal)", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
