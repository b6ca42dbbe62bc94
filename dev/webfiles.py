"""The outside files that browsers load: fetched from their npm packages, kept in the cache."""

from __future__ import annotations

import base64
import os
import tarfile
from pathlib import Path

from dev.cache import cache_folder
from dev.downloads import LockedFile, fetch_all

_LOCK = Path(__file__).with_name("webfiles.lock")
_NPM = "https://registry.npmjs.org"
NPM_URL_SETTING = "MENTORIUM_NPM_URL"


def web_files_folder() -> Path:
    """Return the folder from which the web client serves them."""
    return _cache() / "vendor"


async def fetch_web_files() -> None:
    """Download what is absent of the files that the lock names; raises `DownloadFailed`."""
    lines = _LOCK.read_text().splitlines()
    wanted = [line.split() for line in lines if line and not line.startswith("#")]
    packages = [_package(name, version, integrity) for _, name, version, _, integrity in wanted]
    # One package may hold several of the files.
    await fetch_all(list(dict.fromkeys(packages)), _cache(), "Browser files")
    folder = web_files_folder()
    folder.mkdir(exist_ok=True)
    for (served_as, _, _, inner, _), package in zip(wanted, packages, strict=True):
        _unpack(package.path, f"package/{inner}", folder / served_as)


def _cache() -> Path:
    return cache_folder() / "web"


def _package(name: str, version: str, integrity: str) -> LockedFile:
    base = os.environ.get(NPM_URL_SETTING, _NPM).rstrip("/")
    file = f"{name.rpartition('/')[2]}-{version}.tgz"
    algorithm, _, digest = integrity.partition("-")
    url = f"{base}/{name}/-/{file}"
    return LockedFile(url, _cache() / file, algorithm, base64.b64decode(digest))


def _unpack(archive: Path, inner: str, target: Path) -> None:
    """Write one file of the package; renamed into place, for others may be reading it."""
    with tarfile.open(archive) as package:
        content = package.extractfile(inner)
        if content is None:
            raise FileNotFoundError(f"{archive.name} holds no file {inner}")
        part = target.with_name(f"{target.name}.{os.getpid()}")
        part.write_bytes(content.read())
    part.replace(target)
