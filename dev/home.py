"""The one folder that holds everything a marketplace of development keeps between two starts."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from dev.ports import free_ports, is_free
from dev.postgres import ROLES, SUPERUSER, reachable_folder
from shared.clock import FileBusinessClock
from shared.seal import new_seal_key

REPOSITORY = Path(__file__).parents[1]
HOME_SETTING = "MENTORIUM_HOME"
_KEY_BYTES = 32


class Home:
    """A folder with the data of engines and simulators, logs, secrets, ports and the clock."""

    def __init__(self, root: Path) -> None:
        """Stand for the folder `root`, which `create` makes."""
        self.root = root.resolve()
        self.clock = self.root / "clock"
        self.logs = self.root / "logs"
        self.lock = self.root / "launcher.lock"
        self.running = self.root / "running.json"
        self.ops_settings = self.root / "ops.env"
        self._secrets = self.root / "secrets.json"
        self._ports = self.root / "ports.json"

    @classmethod
    def chosen(cls) -> Home:
        """Return the home named by MENTORIUM_HOME, or `.mentorium` in the checkout."""
        return cls(Path(os.environ.get(HOME_SETTING) or REPOSITORY / ".mentorium"))

    def create(self) -> None:
        """Make the folder, its secrets and its clock unless they are there."""
        # The database server's own account passes through to its data, and sees nothing else.
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711)
        self.logs.mkdir(exist_ok=True)
        if not self._secrets.exists():
            write_whole(self._secrets, json.dumps(_new_secrets(), indent=2), mode=0o600)
        FileBusinessClock.create(self.clock)

    def folder(self, name: str) -> Path:
        """Return the folder in which the process `name` keeps its data, made when absent."""
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        return folder

    def log(self, name: str) -> Path:
        """Return the log file of the process `name`."""
        return self.logs / f"{name}.log"

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Every secret by name, made once per home; `<role>_password` for the database roles."""
        return json.loads(self._secrets.read_text())

    @property
    def passwords(self) -> dict[str, str]:
        """The password of each database role and of the superuser."""
        return {role: self.secrets[f"{role}_password"] for role in (*ROLES, SUPERUSER)}

    def ports(self, names: Iterable[str], *, renew_taken: bool = False) -> dict[str, int]:
        """Return the port of each name: the one it had before, or a free one, kept from now on.

        With `renew_taken` a port that somebody else has taken meanwhile is replaced.
        """
        kept: dict[str, int] = json.loads(self._ports.read_text()) if self._ports.exists() else {}
        missing = [
            name for name in names if name not in kept or (renew_taken and not is_free(kept[name]))
        ]
        if missing:
            kept |= dict(zip(missing, free_ports(len(missing)), strict=True))
            write_whole(self._ports, json.dumps(kept, indent=2))
        return kept

    def remove(self) -> None:
        """Delete everything; the marketplace begins anew at the next start."""
        outside = reachable_folder(self.root / "postgres")
        shutil.rmtree(outside, ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader, or a crash, finds the old text or the new, never a part."""
    part = path.with_name(f"{path.name}.part")
    part.touch(mode=mode)
    part.write_text(text)
    part.replace(path)


def _new_secrets() -> dict[str, str]:
    passwords = {f"{role}_password": secrets.token_urlsafe(18) for role in (*ROLES, SUPERUSER)}
    return passwords | {
        "profiles_key_secret": _random_key(),
        "web_cookie_secret": _random_key(),
        "notifications_seal_private_key": new_seal_key(),
        "stripe_key": f"sk_test_{secrets.token_hex(24)}",
        "stripe_webhook_secret": f"whsec_{secrets.token_hex(24)}",
        "stripe_connect_webhook_secret": f"whsec_{secrets.token_hex(24)}",
    }


def _random_key() -> str:
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
