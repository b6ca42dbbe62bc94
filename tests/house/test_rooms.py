"""Where things live: rooms and layers of a service, islands, what each room may touch."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from tests.house.sources import REPOSITORY, Source, broken, present_services, sources

LAYERS = (
    ("__main__",),
    ("app",),
    ("api", "events", "workers", "config"),
    ("commands",),
    ("store", "gateway"),
    ("domain",),
    ("slots", "ledger"),
)
"""From the top: a room imports itself and the layers below, never beside or above it."""
DEPTH = {room: depth for depth, layer in enumerate(LAYERS) for room in layer}
OTHER_ROOMS = ("__init__", "migrations", "templates")
PURE = ("domain", "slots", "ledger")
SHARED_FOR_PURE = (
    *(f"shared.{name}" for name in ("clock", "contracts", "errors", "ids", "money", "seal")),
    *(f"shared.auth.{name}" for name in ("ALGORITHM", "Principal", "Role")),
)
OUTSIDE_WORLD = ("aiohttp", "aiosmtplib", "stripe", "aiokafka", "smtplib", "urllib", "socket")
CLOCK_CALL = re.compile(
    r"(datetime\.)?(datetime|date)\.(now|utcnow|today)|time\.\w*(time|monotonic|perf_counter)\w*"
    r"|(\w+\.)*_?clock\.now|system_now|monotonic_seconds"
)
MACHINE_CLOCK = re.compile(r"(datetime\.)?(datetime|date)\.(now|utcnow|today)|time\.time")
RESULT_SECONDS = 120
EXTRA_OF = {"web": "web", "ops": "ops", "simulators": "simulators", "shared": "telemetry"}


def of_services() -> tuple[Source, ...]:
    return tuple(source for source in sources("services") if source.service)


def test_every_file_of_a_service_has_a_room():
    """A file with another name is a decision; `utils.py` is never one."""
    found = [source.path for source in of_services() if source.room not in (*DEPTH, *OTHER_ROOMS)]
    assert not found, broken(f"rooms are {[*DEPTH, *OTHER_ROOMS]}", found)
    folders = [
        str(path.relative_to(REPOSITORY))
        for service in present_services()
        for path in (REPOSITORY / "services" / service).iterdir()
        if path.is_dir() and path.name not in (*DEPTH, *OTHER_ROOMS, "__pycache__")
    ]
    assert not folders, broken(f"rooms are {[*DEPTH, *OTHER_ROOMS]}", folders)


def test_no_file_is_called_after_nothing():
    """Names like `utils` say only that somebody did not decide."""
    found = [
        source.path
        for source in sources("services", "shared", "web", "simulators", "dev", "ops", "tests")
        if Path(source.path).stem in ("utils", "util", "helpers", "helper", "misc", "tools")
    ]
    assert not found, broken("name a file after what it holds", found)


def test_layers_are_walked_downwards_only():
    """`__main__ > app > api, events, workers, config > commands > … > slots, ledger`."""
    found = [
        f"{source.at(node)} {source.room} imports {room}"
        for source in of_services()
        for node, name in source.imports()
        if (room := _room_of(name, source.service)) and not _may_import(source.room, room)
    ]
    assert not found, broken("a room imports only itself and the layers below it", found)


def test_only_app_reads_the_settings():
    """Everything else is given what it needs."""
    found = [
        source.at(node)
        for source in of_services()
        if source.room not in ("app", "__main__", "config")
        for node, name in source.imports()
        if name.startswith(f"services.{source.service}.config")
        or name.endswith((".os.environ", "os.getenv"))
        or name == "os.environ"
    ]
    assert not found, broken("only app.py reads the settings", found)


def test_services_are_islands_in_the_text():
    """A service imports the kit, itself, and the libraries of its own extra."""
    for service in present_services():
        allowed = _libraries(service)
        found = [
            f"{source.at(node)} imports {name}"
            for source in of_services()
            if source.service == service
            for node, name in source.imports()
            if not name.startswith(("shared.", f"services.{service}."))
            and name.split(".")[0] not in allowed
        ]
        assert not found, broken(f"services/{service} may import shared and its extra", found)


@pytest.mark.parametrize("folder", [name for name in EXTRA_OF if (REPOSITORY / name).is_dir()])
def test_the_other_rooms_use_the_libraries_of_their_extra(folder: str):
    """The kit runs on the base dependencies; web, ops and simulators add their own extra."""
    allowed = _libraries(EXTRA_OF[folder]) | {"shared", folder}
    found = [
        f"{source.at(node)} imports {name}"
        for source in sources(folder)
        for node, name in source.imports()
        if name.split(".")[0] not in allowed
    ]
    assert not found, broken(f"{folder} may import shared, itself and its extra", found)


@pytest.mark.parametrize("service", present_services())
def test_a_service_is_imported_with_the_others_absent(service: str, tmp_path: Path):
    """Only shared/ and the service's own folder are there, and every module of it loads."""
    leave_out = ignore_patterns("__pycache__")
    copytree(REPOSITORY / "shared", tmp_path / "shared", ignore=leave_out)
    own = REPOSITORY / "services" / service
    copytree(own, tmp_path / "services" / service, ignore=leave_out)
    (tmp_path / "services" / "__init__.py").write_text("")
    modules = [source.module for source in of_services() if source.service == service]
    program = "\n".join(f"import {name}" for name in modules if not name.endswith("__main__"))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True,
        timeout=RESULT_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_import_contracts_hold():
    """The contracts of pyproject.toml, as import-linter sees them."""
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True,
        timeout=RESULT_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_pure():
    """Domain, slots and ledger take values and `now`: no database, no network, no clock."""
    found: list[str] = []
    for source in (each for each in of_services() if each.room in PURE):
        found += [
            f"{source.at(node)} imports {name}"
            for node, name in source.imports()
            if name.startswith((*OUTSIDE_WORLD, "asyncpg"))
            or (name.startswith("shared.") and not name.startswith(SHARED_FOR_PURE))
        ]
        found += [
            f"{source.at(node)} asks a clock"
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Call) and CLOCK_CALL.fullmatch(ast.unparse(node.func))
        ]
        found += [
            f"{source.at(node)} waits" for node in ast.walk(source.tree)
            if isinstance(node, ast.AsyncFunctionDef | ast.Await)
        ]  # fmt: skip
    assert not found, broken("rules are pure", found)


def test_services_ask_their_clock():
    """Business code never asks the machine what time it is: two clocks, two types."""
    found = [
        source.at(node)
        for source in of_services()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and MACHINE_CLOCK.fullmatch(ast.unparse(node.func))
    ]
    assert not found, broken("take `now` from the business clock or shared.clock", found)


def test_a_transaction_touches_no_network():
    """A function with a `conn` never has a `gateway`, and its room imports no client."""
    found = [
        f"{source.at(function)} {name} has a conn and a gateway"
        for source in of_services()
        for name, function in source.functions()
        if {"conn", "gateway"} <= _parameters(function)
    ]
    found += [
        f"{source.at(node)} imports {name}"
        for source in of_services()
        if source.room in ("commands", "store", "events")
        for node, name in source.imports()
        if name.startswith((*OUTSIDE_WORLD, f"services.{source.service}.gateway"))
    ]
    assert not found, broken("inside a transaction no network is touched", found)


def test_commands_take_the_connection_first():
    """A command that works in a transaction says so with its first parameter."""
    found = [
        f"{source.at(function)} {name}"
        for source in of_services()
        if source.room == "commands"
        for name, function in source.functions()
        if not name.startswith("_") and "." not in name and "conn" in _parameters(function)
        and function.args.args[0].arg != "conn"
    ]  # fmt: skip
    assert not found, broken("`conn` comes first", found)


def _room_of(name: str, service: str) -> str | None:
    parts = name.split(".")
    return parts[2] if parts[:2] == ["services", service] and len(parts) > 2 else None


def _may_import(room: str, other: str) -> bool:
    if room == other or room not in DEPTH or other not in DEPTH:
        return room == other or other not in DEPTH
    return DEPTH[room] < DEPTH[other]


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    arguments = function.args
    return {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}


def _libraries(extra: str | None) -> set[str]:
    """Return what may be imported with the base dependencies and one extra installed."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(project["optional-dependencies"].get(extra, []))]
    names = _with_what_they_need({_name(each) for each in wanted})
    installed = {
        module
        for module, owners in _installed().items()
        if names & {_name(owner) for owner in owners}
    }
    return installed | set(sys.stdlib_module_names)


@cache
def _installed() -> Mapping[str, list[str]]:
    """Return which distributions each importable name comes from."""
    return packages_distributions()


def _with_what_they_need(names: set[str]) -> set[str]:
    found: set[str] = set()
    while names:
        found |= names
        needed = (each for name in names for each in _needs(name))
        names = {_name(each) for each in needed if "extra ==" not in each} - found
    return found


def _needs(distribution: str) -> list[str]:
    try:
        return requires(distribution) or []
    except PackageNotFoundError:  # Needed on other systems only.
        return []


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=;~! (]", requirement)[0].lower().replace("_", "-")
