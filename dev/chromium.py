"""Chromium for the browser tests: found, or installed, or a clear word on what to type."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_INSTALL_SECONDS = 900
CHROMIUM_SETTING = "MENTORIUM_CHROMIUM"


def find_chromium() -> str | None:
    """Return the program: the one named by the setting, the system's, or Playwright's own."""
    named = os.environ.get(CHROMIUM_SETTING)
    return named or next(filter(None, map(shutil.which, _NAMES)), None) or _of_playwright()


def _of_playwright() -> str | None:
    from playwright.sync_api import sync_playwright  # It is slow to import, and seldom needed.

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def ensure_chromium() -> str:
    """Return the program, installing it when there is none; raises `ChromiumMissing`."""
    return find_chromium() or _install()


class ChromiumMissing(RuntimeError):
    """There is no Chromium and it could not be installed; says what to type."""


def _install() -> str:
    for commands in _ways():
        if all(_succeeds(command) for command in commands) and (found := find_chromium()):
            return found
    raise ChromiumMissing(
        "The browser tests need Chromium and it could not be installed here. Type\n"
        "    sudo apt-get install chromium\n"
        "or what installs it on this system, or name the program in"
        f" {CHROMIUM_SETTING}, then run `make test` again."
    )


def _ways() -> list[list[list[str]]]:
    """Return the ways to install it, each as commands that must all succeed."""
    playwright = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        install = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]
        return [[["apt-get", "update", "--quiet"], install], playwright]
    return [playwright]


def _succeeds(command: Sequence[str]) -> bool:
    sys.stderr.write(f"$ {' '.join(command)}\n")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, env=os.environ | quiet, timeout=_INSTALL_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{ensure_chromium()}\n")
    except ChromiumMissing as missing:
        sys.exit(str(missing))
