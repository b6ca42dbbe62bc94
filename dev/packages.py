"""Where the engines' programs lie inside the installed packages that carry them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


class EngineMissing(RuntimeError):
    """The package that carries an engine is not installed; says what to type."""


def package_folder(name: str) -> Path:
    """Return the folder of an installed package without importing it; raises `EngineMissing`.

    It is not imported because one of them creates a system user when imported code runs as root.
    """
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise EngineMissing(f"the package {name} is not installed: run `make setup`")
    return Path(spec.origin).parent
