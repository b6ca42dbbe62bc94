"""One marketplace of real processes for all journeys, and the people who walk through it."""

from __future__ import annotations

import json
import sys
from asyncio import create_subprocess_exec, timeout
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from dev.client import Caller, Json, Person
from dev.home import REPOSITORY, Home
from dev.journey import OFFERING, calling, free_slots, new_mentor, new_person, publish_offering
from dev.marketplace import Marketplace, started
from tests.engines import engine_folder
from tests.journeys.leaks import leaks
from tests.journeys.undocumented import undocumented

VERIFY_SECONDS = 150.0
MISTAKES = ("request_failed", "[error", "deadlock detected", "never awaited", "never retrieved")
ZONE = "America/New_York"
UNTIL_ALL_IS_PAID_OUT = timedelta(days=20)


@dataclass
class Stall:
    """A mentor with a published offering."""

    mentor: Person
    offering_id: str


def _silent(_text: str) -> None:
    """Say nothing: the logs hold it all."""


@pytest.fixture(scope="package")
async def market() -> AsyncGenerator[Marketplace]:
    """Give a running marketplace; what its processes got wrong is printed at the end.

    Then all it has left behind is looked through: nothing personal may stand there in the clear,
    and every record on a topic must be what the AsyncAPI document says.
    """
    with engine_folder() as folder:
        home = Home(folder / "home")
        async with started(home, quiet=True, say=_silent) as made:
            yield made
            found = await leaks(made)
            strange = await undocumented(made)
        print("\n".join(mistakes(home)))
        assert not found, "in the clear:\n" + "\n".join(found)
        assert not strange, "not as docs/asyncapi.json says:\n" + "\n".join(strange)


def mistakes(home: Home) -> list[str]:
    """Return the log lines in which a process speaks of a mistake of its own."""
    return [
        f"{log.stem}: {line}"
        for log in sorted(home.logs.glob("*.log"))
        for line in log.read_text(errors="replace").splitlines()
        if any(word in line for word in MISTAKES)
    ]


@pytest.fixture(scope="package")
async def caller(market: Marketplace) -> AsyncGenerator[Caller]:
    """Give a caller of that marketplace."""
    async with calling(market) as made:
        yield made


@pytest.fixture(scope="package")
async def stall(caller: Caller) -> Stall:
    """Give a mentor who is ready to be booked."""
    return await open_stall(caller, "Mara Mentor")


@pytest.fixture
async def mentee(caller: Caller) -> Person:
    """Give a new mentee."""
    return await new_person(caller, "Milo Mentee", wants="mentee", zone="Europe/Berlin")


@pytest.fixture
async def stranger(caller: Caller) -> Person:
    """Give somebody who has nothing to do with it."""
    return await new_person(caller, "Sten Stranger", wants="mentee", zone="UTC")


async def open_stall(caller: Caller, name: str) -> Stall:
    """Return a new mentor with a published offering."""
    mentor = await new_mentor(caller, name, zone=ZONE)
    return Stall(mentor, await publish_offering(mentor, OFFERING, zone=ZONE))


async def slot_after(mentee: Person, stall: Stall, span: timedelta) -> Json:
    """Return the first free slot that begins later than `span` from now."""
    earliest = (mentee.caller.market.clock.now() + span).isoformat()
    slots = await free_slots(mentee, stall.offering_id)
    return next(slot for slot in slots if slot["starts_at"] > earliest[:19])


async def verified(market: Marketplace) -> str:
    """Run `ops verify --settled`; fail with what it says is wrong."""
    return await operated(market, "verify", "--settled")


async def story_of(market: Marketplace, order_id: str) -> Json:
    """Return what `ops saga show` tells of a purchase."""
    told: Json = json.loads(await operated(market, "saga", "show", order_id, "--json"))
    return told


async def operated(market: Marketplace, *arguments: str) -> str:
    """Run a command of the operator's; fail with what it says is wrong."""
    process = await create_subprocess_exec(
        sys.executable, "-m", "ops", *arguments,
        env=market.site.environment("ops"), cwd=REPOSITORY, stdout=PIPE, stderr=STDOUT,
    )  # fmt: skip
    async with timeout(VERIFY_SECONDS):
        said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


async def money_lines(person: Person, order_id: str) -> dict[str, int]:
    """Return the amounts of an order's money timeline, added up by kind."""
    found = await person.get("payments", f"/v1/orders/{order_id}/money")
    lines: dict[str, int] = {}
    for line in found["items"]:
        lines[line["kind"]] = lines.get(line["kind"], 0) + line["amount_minor"]
    return lines


async def mails_to(person: Person) -> list[Json]:
    """Return the mails somebody got, newest first."""
    found = await person.caller.send("GET", "mail", "/api/messages", query={"to": person.email})
    items: list[Json] = found["items"]
    return items
