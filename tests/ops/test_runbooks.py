"""Each runbook, followed: the trouble shows, the commands lift it, and it shows no more."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tests.engines import Databases, KafkaServer
from tests.ops.promql import REPOSITORY, alerts, fires
from tests.ops.troubles import Trouble
from tests.ops.troubles_of_money import TROUBLES
from tests.ops.ward import WRONG_OR_WELL, Ward, open_ward

pytestmark = pytest.mark.xdist_group("runbooks")
SECONDS = 40.0
POLL_SECONDS = 0.1
WELL = (0,)


@pytest.fixture(scope="module")
async def ward(databases: Databases, kafka: KafkaServer) -> AsyncGenerator[Ward]:
    """Give a ward in which all is well."""
    own = await databases.create()
    async with open_ward(own, kafka, f"test-{secrets.token_hex(4)}.") as made:
        await made.follow("$ python -m ops topics create", {}, WELL)
        await _until_groups_are_known(made)
        yield made
    await databases.drop(own.name)


async def _until_groups_are_known(ward: Ward) -> None:
    """Wait until a broker that was just started keeps offsets."""
    async with asyncio.timeout(SECONDS):
        while True:
            with suppress(AssertionError):
                return await ward.follow("$ python -m ops lag", {}, WELL)
            await asyncio.sleep(POLL_SECONDS)


def runbook(name: str) -> tuple[str, str, str]:
    """Return a runbook in three parts: before, the looks, and what mends."""
    text = (REPOSITORY / alerts()[name]["annotations"]["runbook_url"]).read_text()
    before, look = text.split("## Look\n")
    look, mend = look.split("## Mend\n")
    assert "**People notice:**" in before
    assert "**It means:**" in before
    assert "## Over\n" in mend
    return before, look, mend


@pytest.mark.parametrize("name", sorted(alerts()))
async def test_a_runbook_lifts_its_trouble(name: str, ward: Ward):
    """A planted trouble makes the alert's condition true; after the runbook it is so no more."""
    _, look, mend = runbook(name)
    for process in ward.watched.values():
        shown = await process.look()
        assert not fires(name, shown, shown), "all is well before"
    async with TROUBLES[name](ward) as trouble, _going_on(trouble):
        await _until(name, trouble, firing=True)
        await ward.follow(look, trouble.names, WRONG_OR_WELL)
        await ward.follow(mend, trouble.names, WELL)
        await trouble.mended()
        await _until(name, trouble, firing=False)


async def _until(name: str, trouble: Trouble, *, firing: bool) -> None:
    """Look again and again until the alert's condition holds, or holds no more."""
    try:
        async with asyncio.timeout(SECONDS):
            before = await trouble.look()
            while True:
                await trouble.meanwhile()
                now = await trouble.look()
                if fires(name, before, now) == firing:
                    return
                if not firing:
                    before = now
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        pytest.fail(f"{name} {'was not noticed' if firing else 'did not end'} in {SECONDS} s")


@asynccontextmanager
async def _going_on(trouble: Trouble) -> AsyncGenerator[None]:
    """Let what goes on meanwhile go on, also while commands are typed."""
    task = asyncio.create_task(_again_and_again(trouble.worker))
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _again_and_again(work: Callable[[], Awaitable[object]]) -> None:
    while True:
        await work()
        await asyncio.sleep(POLL_SECONDS)
