"""Are there known vulnerabilities in what the lock brings? `python -m dev.audit`, in `make check`.

Every package of the lock is looked up by name and version (pip-audit, PyPI's advisories). A known
vulnerability fails unless `audit.toml` passes over it, for a reason and until a date. Where the
source of advisories cannot be reached it is said loudly and passes: a check that fails for want of
a network teaches people to leave it out. `MENTORIUM_AUDIT=required` makes it fail there too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from dev.home import REPOSITORY

IGNORED = Path(__file__).with_name("audit.toml")
REQUIRED_SETTING = "MENTORIUM_AUDIT"
AUDIT_SECONDS = 300
ANSWER_SECONDS = 15
NAMES_SHOWN = 5
_EXPORT = ("export", "--frozen", "--all-extras", "--all-groups", "--no-emit-project", "--quiet")
_AUDIT = ("--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json")


@dataclass(frozen=True)
class Ignored:
    """A vulnerability that does no harm here, until somebody must look at it again."""

    id: str
    reason: str
    until: date


@dataclass(frozen=True)
class Verdict:
    """What the audit found: what is wrong, and whose advisories could not be read."""

    wrong: Sequence[str]
    unknown: Sequence[str]
    audited: int


def judge(report: Mapping[str, Any], ignored: Sequence[Ignored], today: date) -> Verdict:
    """Return what is wrong with the packages that pip-audit reported on."""
    passed_over = {each.id for each in ignored if today < each.until}
    wrong = [f"{each.id}: passed over until {each.until}" for each in ignored
             if today >= each.until]  # fmt: skip
    unknown: list[str] = []
    for package in report["dependencies"]:
        if "skip_reason" in package:
            unknown.append(package["name"])
            continue
        for found in package["vulns"]:
            if passed_over.isdisjoint({found["id"], *found["aliases"]}):
                mended = ", ".join(found["fix_versions"]) or "no version yet"
                wrong.append(
                    f"{package['name']} {package['version']}: {found['id']}, mended by {mended}"
                )
    return Verdict(wrong, unknown, len(report["dependencies"]) - len(unknown))


def read_ignored(path: Path = IGNORED) -> list[Ignored]:
    """Return what is passed over; raises `TypeError` when a reason or a date is missing."""
    return [Ignored(**each) for each in tomllib.loads(path.read_text())["ignored"]]


def main() -> int:
    """Audit the lock; return 1 when something is wrong."""
    report = _report()
    if report is None:
        return _unreachable("the source of advisories did not answer")
    verdict = judge(report, read_ignored(), datetime.now(UTC).date())
    for line in verdict.wrong:
        _say(f"  {line}")
    if verdict.wrong:
        return 1
    if verdict.unknown:
        some = ", ".join(verdict.unknown[:NAMES_SHOWN])
        count = len(verdict.unknown)
        return _unreachable(f"{count} packages have no advisories there, {some} among them")
    _say(f"audit: {verdict.audited} packages, no known vulnerability")
    return 0


def _unreachable(why: str) -> int:
    _say(f"audit: NOT DONE: {why}. Run `make check` where PyPI can be reached before a release.")
    return 1 if os.environ.get(REQUIRED_SETTING) == "required" else 0


def _report() -> Mapping[str, Any] | None:
    """Return what pip-audit says of the lock; nothing when it got no answers."""
    tools = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        wanted, said = Path(folder) / "wanted.txt", Path(folder) / "said.json"
        _run(tools / "uv", *_EXPORT, "--no-hashes", "--output-file", str(wanted)).check_returncode()
        asked = ("--requirement", str(wanted), "--output", str(said), "--timeout", ANSWER_SECONDS)
        _run(tools / "pip-audit", *_AUDIT, *map(str, asked))
        return json.loads(said.read_text()) if said.exists() and said.stat().st_size else None


def _run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=AUDIT_SECONDS, check=False,
    )  # fmt: skip


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
