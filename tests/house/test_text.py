"""How the text looks: sizes, docstrings, what is never written, and how tests are written."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.house.exceptions import LONG_FILES, LONG_FUNCTIONS
from tests.house.sources import PRODUCT, REPOSITORY, Source, broken, sources

FUNCTION_LINES, LONGEST_FUNCTION_LINES = 40, 70
FILE_LINES, LONGEST_FILE_LINES = 400, 600
SQL = re.compile(r"\s*(SELECT|INSERT\s+INTO|UPDATE|DELETE\s+FROM|WITH|MERGE\s+INTO)\s")
SILENCED = re.compile(r"#\s*(type|pyright|basedpyright):\s*(ignore|basic|standard)")
LEFT_OPEN = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b")
SKIPS = re.compile(
    # What an operating system does not have cannot be tested on it; nothing else is left out.
    r"pytest\.(mark\.)?(skip|skipif(?!\(sys\.platform)|xfail|importorskip)\b|unittest\.mock"
)
CHECKERS = {"check_schema", "connect", "prepare", "validate", "wait_for_rest"}
"""Calls that raise when what they are given or wait for is wrong."""
SLEEP = re.compile(r"(asyncio|time)\.sleep\((?!0\)).*")
PATCHED_PATH = re.compile(r"\.setattr\(\s*['\"]|\bpatch\(\s*['\"]")


def everything() -> tuple[Source, ...]:
    return sources(*PRODUCT, "tests")


def test_functions_are_short():
    """About ten lines, at most forty; the few longer ones have a reason."""
    found: list[str] = []
    for source in everything():
        for name, function in source.functions():
            lines = (function.end_lineno or 0) - function.lineno + 1
            excused = f"{source.path}::{name}" in LONG_FUNCTIONS
            if lines > (LONGEST_FUNCTION_LINES if excused else FUNCTION_LINES):
                found.append(f"{source.at(function)} {name} has {lines} lines")
    assert not found, broken(f"a function has at most {FUNCTION_LINES} lines", found)


def test_files_are_short():
    """At most four hundred lines: then the room becomes a folder with a file per topic."""
    found: list[str] = []
    for source in everything():
        lines = source.text.count("\n")
        if lines > (LONGEST_FILE_LINES if source.path in LONG_FILES else FILE_LINES):
            found.append(f"{source.path} has {lines} lines")
    assert not found, broken(f"a file has at most {FILE_LINES} lines", found)


def test_exceptions_are_still_needed():
    """An exception for something that is short or gone is taken back."""
    long_functions = {
        f"{source.path}::{name}"
        for source in everything()
        for name, function in source.functions()
        if (function.end_lineno or 0) - function.lineno + 1 > FUNCTION_LINES
    }
    long_files = {each.path for each in everything() if each.text.count("\n") > FILE_LINES}
    stale = (LONG_FUNCTIONS.keys() - long_functions) | (LONG_FILES.keys() - long_files)
    assert not stale, broken("take these out of tests/house/exceptions.py", sorted(stale))


def test_every_module_says_what_it_is_for():
    """A docstring opens every module that has code."""
    found = [source.path for source in everything() if source.tree.body and not _says(source.tree)]
    assert not found, broken("say in the first line what the module is for", found)


def test_the_type_gate_and_the_linter_are_not_silenced():
    """No line of services and the kit asks the type gate to look away; nothing is left open."""
    found = [
        f"{source.path}:{number} {line.strip()}"
        for source in sources(*PRODUCT)
        for number, line in enumerate(source.text.splitlines(), 1)
        if (SILENCED.search(line) and source.path.startswith(("services/", "shared/")))
        or LEFT_OPEN.search(line)
    ]
    assert not found, broken("mend it instead", found)


def test_sql_lives_in_the_store():
    """In the services and the web client, SQL is a module-level constant of store."""
    found: list[str] = []
    for source in sources("services", "web"):
        constants = _module_constants(source) if source.room == "store" else set[int]()
        found += [
            f"{source.at(node)} {str(node.value).split()[0]} …"
            for node in source.strings()
            if is_sql(str(node.value)) and id(node) not in constants
        ]
    assert not found, broken("SQL is an UPPERCASE constant of store.py", found)


def test_tests_do_not_sleep_skip_or_patch():
    """Tests poll with a deadline, run all, and take fakes as arguments."""
    here = str(Path(__file__).relative_to(REPOSITORY))
    found: list[str] = []
    for source in (each for each in sources("tests") if each.path != here):
        found += [
            f"{source.path}:{number} {line.strip()}"
            for number, line in enumerate(source.text.splitlines(), 1)
            if SKIPS.search(line) or PATCHED_PATH.search(line)
        ]
        found += [f"{source.at(node)} sleeps" for node in _fixed_sleeps(source.tree)]
    assert not found, broken("no fixed sleep, no skipped test, no patched path", found)


def test_every_test_says_what_it_shows():
    """One sentence in the words of the field, and something that can fail."""
    found: list[str] = []
    failing = _names_that_can_fail()
    for source in sources("tests"):
        for name, function in source.functions():
            if name.split(".")[-1] != name or not name.startswith("test_"):
                continue
            if not ast.get_docstring(function):
                found.append(f"{source.at(function)} {name} has no docstring")
            if name not in failing:
                found.append(f"{source.at(function)} {name} asserts nothing")
    assert not found, broken("a test says what it shows, and can fail", found)


def test_the_rule_about_sql_knows_sql_from_prose():
    """The heuristic finds statements and leaves sentences alone."""
    assert is_sql("\nSELECT a FROM b")
    assert is_sql("INSERT INTO a (b) VALUES ($1)")
    assert is_sql("WITH x AS (SELECT 1) SELECT * FROM x")
    assert not is_sql("Select a slot")
    assert not is_sql("with pleasure")
    assert not is_sql("UPDATE")


def is_sql(text: str) -> bool:
    """Return whether a string is a statement that reads or changes rows."""
    return SQL.match(text) is not None


def _says(tree: ast.Module) -> bool:
    return bool(ast.get_docstring(tree))


def _module_constants(source: Source) -> set[int]:
    """Return the strings inside assignments to UPPERCASE names at the top of a module."""
    found: set[int] = set()
    for node in source.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if all(isinstance(each, ast.Name) and each.id.isupper() for each in targets):
                found |= {id(each) for each in ast.walk(node.value)}
    return found


def _fixed_sleeps(tree: ast.Module) -> list[ast.Call]:
    """Return sleeps outside a loop; inside one they poll, and sleep(0) only yields."""
    found: list[ast.Call] = []

    def look(node: ast.AST, *, polling: bool) -> None:
        if isinstance(node, ast.Call) and SLEEP.fullmatch(ast.unparse(node)) and not polling:
            found.append(node)
        inside = polling or isinstance(node, ast.While | ast.For | ast.AsyncFor)
        starts_anew = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            look(child, polling=inside and not starts_anew)

    look(tree, polling=False)
    return found


def _names_that_can_fail() -> set[str]:
    """Return the functions below tests/ that assert, or call one that does."""
    calls: dict[str, set[str]] = {}
    found: set[str] = set()
    for source in sources("tests"):
        for dotted, function in source.functions():
            name = dotted.split(".")[-1]
            calls.setdefault(name, set()).update(_calls(function))
            if _asserts(function):
                found.add(name)
    grown = True
    while grown:
        more = {name for name, called in calls.items() if called & (found | CHECKERS)} - found
        grown = bool(more)
        found |= more
    return found


def _calls(function: ast.AST) -> set[str]:
    nodes = (node for node in ast.walk(function) if isinstance(node, ast.Call))
    return {ast.unparse(node.func).split(".")[-1] for node in nodes}


def _asserts(function: ast.AST) -> bool:
    ways = ("pytest.raises", "pytest.fail")
    return any(
        isinstance(node, ast.Assert | ast.Raise)
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in ways)
        for node in ast.walk(function)
    )
