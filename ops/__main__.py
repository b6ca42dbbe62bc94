"""`python -m ops`: the operator's command line."""

from __future__ import annotations

from ops.cli import app

if __name__ == "__main__":
    app()
