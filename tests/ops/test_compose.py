"""The containers are the launcher's table in another form, and give nothing away."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.dev_env import ROLES, settings
from dev.environment import Site
from dev.postgres import ROLES as LAUNCHER_S_ROLES
from dev.table import Kind, Process
from tests.house.sources import REPOSITORY, SERVICE_NAMES

COMPOSE_TEXT = (REPOSITORY / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ENGINES = ("postgres", "kafka")
OUTSIDERS = ("stripe", "mail")
BY_HAND = ("ops", "clock")
WATCHERS = ("prometheus", "grafana")
REACHED_FROM_OUTSIDE = ("web", *OUTSIDERS, "grafana")
LAUNCHER_ONLY = {"PYTHONUNBUFFERED", "WEB_VENDOR_DIR"}
"""Set in the image instead."""
MAY_BE_ABSENT = {
    "KAFKA_REPLICATION", "LOG_LEVEL", "NOTIFICATIONS_SENDER", "NOTIFICATIONS_SMTP_USERNAME",
    "NOTIFICATIONS_SMTP_PASSWORD", "NOTIFICATIONS_SMTP_STARTTLS", "OTEL_EXPORTER_OTLP_ENDPOINT",
    "PAYMENTS_SETTLEMENT_CURRENCIES",
}  # fmt: skip
"""Settings of production that development has no use for."""
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?P<rest>[^}]*)\}")
SECRET = re.compile(r"PASSWORD|SECRET|_KEY")
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
HELP_SECONDS = 60


def ours() -> dict[str, dict[str, Any]]:
    return {name: each for name, each in SERVICES.items() if name not in (*ENGINES, *WATCHERS)}


def test_every_process_has_its_container(rows: dict[str, Process]):
    """Nothing of the table is missing, and nothing else runs by itself."""
    assert rows.keys() == SERVICES.keys() - {*BY_HAND, *WATCHERS}
    assert all(SERVICES[name]["profiles"] == ["operate"] for name in BY_HAND)
    assert all(SERVICES[name]["profiles"] == ["dev"] for name in OUTSIDERS)
    rest = SERVICES.keys() - {*BY_HAND, *OUTSIDERS, *WATCHERS}
    assert not any("profiles" in SERVICES[name] for name in rest)


def test_every_container_has_the_needs_of_its_process(rows: dict[str, Process]):
    """A server is waited for until it is healthy, a one-shot until it has ended well."""
    conditions = {
        Kind.SERVER: "service_healthy",
        Kind.ONE_SHOT: "service_completed_successfully",
    }
    for name, row in rows.items():
        wanted = {need: {"condition": conditions[rows[need].kind]} for need in row.needs}
        assert SERVICES[name].get("depends_on", {}) == wanted, name


async def test_every_container_runs_the_command_of_its_process(rows: dict[str, Process]):
    """The same module and role; only addresses and folders differ."""
    for name, row in rows.items():
        if name in ENGINES:
            continue
        words = _plain((await row.prepare()).argv[2:])
        target = _target(name)
        entry = re.search(rf"AS {target}\n.*?ENTRYPOINT \[(.*?)\]", DOCKERFILE, re.DOTALL)
        assert entry is not None, name
        started = [*re.findall(r'"([^"]+)"', entry[1])[2:], *map(str, SERVICES[name]["command"])]
        assert _plain(started) == words, name


def test_every_container_is_told_what_its_process_is_told(site: Site, rows: dict[str, Process]):
    """The same variables, of its own service only; a migration also gets the owner's address."""
    for name in rows.keys() - set(ENGINES):
        owner = _target(name) if name not in OUTSIDERS else name
        told = set(site.environment(owner)) - LAUNCHER_ONLY
        if owner in SERVICE_NAMES and not name.endswith("-migrate"):
            told -= {f"{owner.upper()}_MIGRATE_DATABASE_URL"}
        if name == "topics":
            told = {each for each in told if not each.startswith("OPS_")}
        assert set(SERVICES[name]["environment"]) - MAY_BE_ABSENT == told, name


def test_runtime_roles_and_owners_are_kept_apart():
    """Only a migration knows its owner's password, and nobody another service's."""
    for name, each in ours().items():
        known = set(VARIABLE.findall(yaml.safe_dump(each["environment"])))
        passwords = {variable for variable, _ in known if variable.endswith("_PASSWORD")}
        service = name.rsplit("-", 1)[0].upper()
        allowed = {f"{service}_APP_PASSWORD"}
        if name.endswith("-migrate"):
            allowed.add(f"{service}_OWNER_PASSWORD")
        if name in BY_HAND:
            allowed = {"OPS_READER_PASSWORD", *(f"{s.upper()}_APP_PASSWORD" for s in SERVICE_NAMES)}
        assert passwords <= allowed, name


@pytest.mark.parametrize("name", sorted(ours()))
def test_our_containers_are_hardened(name: str):
    """Read-only, without capabilities or new privileges, limited in what they take."""
    container = SERVICES[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["tmpfs"]
    assert container["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert "pids_limit" not in container, "Compose refuses it beside `deploy.resources.limits`"
    assert "user" not in container, "the image says who runs"
    assert "privileged" not in container


def test_servers_are_watched_and_engines_too(rows: dict[str, Process]):
    """Every process that stays has a health check and limits."""
    for name, row in rows.items():
        assert ("healthcheck" in SERVICES[name]) == (row.kind is Kind.SERVER), name
        assert SERVICES[name]["deploy"]["resources"]["limits"], name


def test_nothing_stands_in_the_way_of_scaling():
    """No fixed name anywhere, and a port of the host only where people look in from outside."""
    assert not any("container_name" in each for each in SERVICES.values())
    published = {name for name, each in SERVICES.items() if "ports" in each}
    assert published == set(REACHED_FROM_OUTSIDE)
    for name in published:
        (port,) = SERVICES[name]["ports"]
        assert re.match(r"\$\{\w+:-127\.0\.0\.1:", port), "on this machine only, unless told"


def test_watchers_read_our_files_and_change_nothing():
    """Prometheus and Grafana come by a profile, read what is mounted, and let nobody in."""
    for name in WATCHERS:
        container = SERVICES[name]
        assert container["profiles"] == ["watch"]
        assert container["read_only"] is True
        assert container["cap_drop"] == ["ALL"]
        mounted = [each.split(":") for each in container["volumes"] if each.startswith("./")]
        assert mounted
        assert all((REPOSITORY / path).exists() and how == "ro" for path, _, how in mounted), name
    assert (
        SERVICES["grafana"]["environment"]["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    )


def test_the_database_keeps_its_data_where_its_image_puts_them():
    """postgres:18 keeps a folder per major version below /var/lib/postgresql."""
    volumes = SERVICES["postgres"]["volumes"]
    assert "postgres:/var/lib/postgresql" in volumes
    mounted = [each.split(":")[0] for each in volumes if each.startswith("./")]
    assert all((REPOSITORY / path).is_file() for path in mounted)
    roles = {f"{role.upper()}_PASSWORD" for role in ROLES}
    assert roles <= SERVICES["postgres"]["environment"].keys()
    assert set(ROLES) == set(LAUNCHER_S_ROLES)


def test_no_secret_has_a_default():
    """Whatever is secret stops the start with a word of explanation when it is absent."""
    for match in VARIABLE.finditer(COMPOSE_TEXT):
        if SECRET.search(match["name"]):
            assert re.fullmatch(r":\?.{5,}", match["rest"]), match[0]


def test_development_settings_are_complete():
    """`deploy/dev_env.py` sets whatever is required, fresh each time, and nothing unknown."""
    given = settings()
    required = {m["name"] for m in VARIABLE.finditer(COMPOSE_TEXT) if m["rest"].startswith(":?")}
    passed_on = {
        name
        for each in SERVICES.values()
        for name, value in each.get("environment", {}).items()
        if value is None
    }
    known = {match["name"] for match in VARIABLE.finditer(COMPOSE_TEXT)} | passed_on
    assert required <= given.keys()
    assert given.keys() <= known
    again = settings()
    assert all(given[name] != again[name] for name in given if SECRET.search(name))
    assert not any("'" in value for value in given.values())


@pytest.mark.parametrize("target", [*SERVICE_NAMES, "web", "ops", "simulators"])
def test_an_image_holds_its_own_part_alone(target: str):
    """Of our folders only the kit and its own are copied, of the extras only its own installed."""
    stage = _stage(target)
    copied = set(re.findall(r"^COPY (?!--from)(.+) \S+$", stage, re.MULTILINE))
    own = {"services/__init__.py", f"services/{target}"} if target in SERVICE_NAMES else {target}
    assert copied == own
    assert f"FROM kit AS {target}\n" in stage
    assert f"COPY --from=libraries-{target} /venv /venv" in stage
    assert re.search(rf"AS libraries-{target}\n.*--extra {target}$", DOCKERFILE, re.MULTILINE)


def test_no_image_runs_as_root_or_carries_development():
    """The kit's stage ends with a user of its own, and base images are parameters."""
    lines = [line for line in _stage("kit").splitlines() if line and not line.startswith("#")]
    assert lines[-1] == "USER mentorium"
    assert "USER root" not in DOCKERFILE
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    stages = set(re.findall(r"AS (\S+)$", DOCKERFILE, re.MULTILINE))
    assert bases - stages == {"${PYTHON_IMAGE}"}
    targets = {each["build"]["target"] for each in ours().values()}
    assert targets <= stages
    assert "--extra dev" not in DOCKERFILE
    assert "--no-default-groups" in DOCKERFILE


def test_images_are_parameters():
    """Every image can be taken from elsewhere, and engines have the versions of the plan."""
    assert SERVICES["postgres"]["image"] == "${POSTGRES_IMAGE:-postgres:18}"
    assert SERVICES["kafka"]["image"] == "${KAFKA_IMAGE:-apache/kafka:4.4.0}"
    assert all(each["image"].startswith("${") for each in SERVICES.values())


def test_the_locked_uv_is_the_one_of_the_makefile():
    """One version of the installer for people and for images."""
    version = re.search(r"UV_VERSION := (\S+)", (REPOSITORY / "Makefile").read_text())
    assert version is not None
    assert f"ARG UV_VERSION={version[1]}\n" in DOCKERFILE


def test_the_hand_on_the_clock_starts(tmp_path: Path):
    """The clock's container shows the time and refuses to go back."""
    clock = tmp_path / "offset"
    clock.write_bytes(bytes(8))
    program = [sys.executable, "-m", "deploy.clock"]
    env = {"MENTORIUM_CLOCK_FILE": str(clock), "OPS_DATABASE_URL": "postgresql://nowhere/none"}
    shown = subprocess.run(
        [*program, "show"], cwd=REPOSITORY, env=env, capture_output=True, text=True,
        timeout=HELP_SECONDS, check=True,
    )  # fmt: skip
    assert shown.stdout.startswith("20")
    back = subprocess.run(
        [*program, "set", "2020-01-01T00:00:00Z"], cwd=REPOSITORY, env=env, capture_output=True,
        text=True, timeout=HELP_SECONDS, check=False,
    )  # fmt: skip
    assert back.returncode != 0
    assert "already shows" in back.stderr


def _target(name: str) -> str:
    return str(SERVICES[name]["build"]["target"])


def _stage(name: str) -> str:
    """Return the text of a stage of the Dockerfile."""
    return next(part for part in re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)
                if re.match(rf"FROM \S+ AS {name}\n", part))  # fmt: skip


def _plain(words: Any) -> list[str]:
    """Return a command without addresses, ports, folders and secrets."""
    found: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("--"):
            option = word.split("=")[0]
            skip = "=" not in word
            found += [option] if option not in ("--host", "--port", "--public-url") else []
        else:
            found.append(word)
    return sorted(found)
