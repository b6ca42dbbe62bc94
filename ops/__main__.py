"""`python -m ops`: the operator's command line.

Beside a marketplace of development it finds its addresses by itself: the launcher wrote them into
the marketplace's home. What the environment says comes first.
"""

from __future__ import annotations

import os
from pathlib import Path

from ops.cli import app

HOME_SETTING = "MENTORIUM_HOME"
SETTINGS_FILE = "ops.env"


def adopt_settings(home: Path) -> None:
    """Take over the settings a launcher left in `home`, unless the environment has its own."""
    file = home / SETTINGS_FILE
    if "OPS_DATABASE_URL" in os.environ or not file.is_file():
        return
    for line in file.read_text().splitlines():
        name, _, value = line.partition("=")
        os.environ.setdefault(name, value)


if __name__ == "__main__":
    adopt_settings(Path(os.environ.get(HOME_SETTING) or ".mentorium"))
    app()
