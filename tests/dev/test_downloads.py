"""Downloads of locked files: verified, kept, resumed, made once; a wrong file is never used."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from dev.downloads import DownloadFailed, LockedFile, fetch_all
from dev.kafka_jars import locked_jars
from dev.ports import LOOPBACK, free_ports

CONTENT = bytes(range(256)) * 2_000


@dataclass
class Mirror:
    """A server of one file that remembers from which byte each request asked for it."""

    url: str = ""
    asked_from: list[int] = field(default_factory=list)
    content: bytes = CONTENT
    failures: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        asked = request.http_range.start or 0
        self.asked_from.append(asked)
        if self.failures:
            self.failures -= 1
            raise web.HTTPBadGateway
        status = 206 if asked else 200
        return web.Response(body=self.content[asked:], status=status)


@pytest.fixture
async def mirror() -> AsyncGenerator[Mirror]:
    mirror, app = Mirror(), web.Application()
    app.router.add_get("/file", mirror.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, LOOPBACK, port).start()
    mirror.url = f"http://{LOOPBACK}:{port}/file"
    yield mirror
    await runner.cleanup()


def locked_file(mirror: Mirror, folder: Path) -> LockedFile:
    return LockedFile(mirror.url, folder / "file", "sha256", hashlib.sha256(CONTENT).digest())


async def test_a_file_is_fetched_once_and_kept(mirror: Mirror, tmp_path: Path):
    """The second call finds the file and asks nobody."""
    file = locked_file(mirror, tmp_path)
    for _ in range(2):
        await fetch_all([file], tmp_path, "A file")
    assert file.path.read_bytes() == CONTENT
    assert mirror.asked_from == [0]


async def test_an_interrupted_download_is_resumed(mirror: Mirror, tmp_path: Path):
    """Only what is missing is asked for."""
    file = locked_file(mirror, tmp_path)
    file.partial.write_bytes(CONTENT[:1_000])
    await fetch_all([file], tmp_path, "A file")
    assert file.path.read_bytes() == CONTENT
    assert mirror.asked_from == [1_000]


async def test_a_spoilt_part_is_fetched_anew(mirror: Mirror, tmp_path: Path):
    """A part that does not lead to the locked content is thrown away, not trusted."""
    file = locked_file(mirror, tmp_path)
    file.partial.write_bytes(b"x" * 1_000)
    await fetch_all([file], tmp_path, "A file")
    assert file.path.read_bytes() == CONTENT
    assert mirror.asked_from == [1_000, 0]


async def test_a_server_in_trouble_is_asked_again(mirror: Mirror, tmp_path: Path):
    """An error that passes costs only time."""
    mirror.failures = 2
    file = locked_file(mirror, tmp_path)
    await fetch_all([file], tmp_path, "A file")
    assert file.path.read_bytes() == CONTENT


async def test_other_content_is_refused(mirror: Mirror, tmp_path: Path):
    """A file that is not what the lock says never gets its name, and the error says which."""
    mirror.content = CONTENT + b"!"
    file = locked_file(mirror, tmp_path)
    with pytest.raises(DownloadFailed, match=mirror.url):
        await fetch_all([file], tmp_path, "A file")
    assert not file.path.exists()


async def test_two_at_the_same_time_download_once(mirror: Mirror, tmp_path: Path):
    """The second waits for the first and finds its files."""
    file = locked_file(mirror, tmp_path)
    both = (fetch_all([file], tmp_path, "A file") for _ in range(2))
    await asyncio.gather(*both)
    assert mirror.asked_from == [0]


def test_the_lock_names_each_jar_once_and_can_be_pointed_at_a_mirror(
    monkeypatch: pytest.MonkeyPatch,
):
    """45 jars, each with a full digest, from the address in the setting."""
    monkeypatch.setenv("MENTORIUM_MAVEN_URL", "http://mirror.test/maven/")
    jars = locked_jars()
    assert len({jar.path for jar in jars}) == len(jars) == 45
    assert all(len(jar.digest) == 32 for jar in jars)
    assert "http://mirror.test/maven/org/apache/kafka/kafka_2.13/4.4.0/kafka_2.13-4.4.0.jar" in [
        jar.url for jar in jars
    ]
