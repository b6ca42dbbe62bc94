"""The program text as the house tests read it: files, their syntax trees, and their rooms."""

from __future__ import annotations

import ast
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SERVICE_NAMES = ("profiles", "booking", "payments", "notifications")
PRODUCT = ("services", "shared", "web", "simulators", "dev", "ops", "bench")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One Python file; `path` is relative to the repository."""

    path: str
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """The dotted name by which it is imported."""
        parts = Path(self.path).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """The room of a service's file: `store` for services/x/store.py and services/x/store/*."""
        parts = Path(self.path).parts
        return parts[2].removesuffix(".py") if parts[0] == "services" and len(parts) > 2 else ""

    @property
    def service(self) -> str:
        """The service a file of services/ belongs to."""
        parts = Path(self.path).parts
        return parts[1] if parts[0] == "services" and len(parts) > 2 else ""

    def at(self, node: ast.AST) -> str:
        """Return file and line, for a message."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"

    def imports(self) -> Generator[tuple[ast.stmt, str]]:
        """Give each import as (statement, dotted name of the module it takes from)."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                # `from package import module` takes from either; the longer name tells more.
                yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)

    def functions(self) -> Generator[tuple[str, Function]]:
        """Give every function with its dotted name within the file, methods and inner ones too."""
        yield from _functions(self.tree, "")

    def strings(self) -> Generator[ast.Constant]:
        """Give every string that is no docstring."""
        documentation = {id(node) for node in _docstrings(self.tree)}
        for node in ast.walk(self.tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in documentation
            ):
                yield node


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Return every Python file below these folders of the repository."""
    paths = sorted(path for folder in folders for path in (REPOSITORY / folder).rglob("*.py"))
    return tuple(_read(path) for path in paths)


def present_services() -> list[str]:
    """Return the services whose folder is here; each is an island."""
    return [name for name in SERVICE_NAMES if (REPOSITORY / "services" / name).is_dir()]


def broken(rule: str, found: Iterable[str]) -> str:
    """Return the message of a broken rule: what it says, then every place."""
    return "\n  ".join([rule, *found])


@cache
def _read(path: Path) -> Source:
    text = path.read_text()
    return Source(str(path.relative_to(REPOSITORY)), text, ast.parse(text, str(path)))


def _functions(node: ast.AST, prefix: str) -> Generator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{child.name}", child
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif not isinstance(child, ast.expr):  # No function is defined inside an expression.
            yield from _functions(child, prefix)


def _docstrings(tree: ast.Module) -> Generator[ast.Constant]:
    """Give every string that stands alone as a statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
