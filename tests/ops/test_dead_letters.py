"""`ops dlq` and `ops republish`: what an operator sees of dead letters and does with them."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID

import pytest
from typer.testing import CliRunner

from ops.cli import app
from ops.database import service_database
from ops.republish import request_republish
from shared import dead_letters
from shared.clock import BusinessInstant, SystemBusinessClock, system_now
from shared.contracts.envelope import Fact, enclose
from shared.contracts.profiles import ContactErased, ContactSealed
from shared.contracts.topics import TOPICS
from shared.db import Connection, Pool
from shared.deeds import Action, Deed, carry_out
from shared.errors import NotFound
from shared.ids import new_id
from shared.inbox import Arrival, Ears, Heard, Inbox
from tests.engines import Database
from tests.ops.conftest import SERVICE

PERSON = UUID("0190a000-0000-7000-8000-000000000001")
SEALED = "eyJhbGciOiJFQ0RILUVTIn0.secret-name-and-address"


class Reader:
    """A service that keeps the version of a contact, and chokes while it is `broken`."""

    def __init__(self, pool: Pool) -> None:
        self.broken = True
        self.versions: list[int] = []
        ears = Ears()
        ears.on(ContactSealed)(self.keep)
        ears.on(ContactErased)(self.keep)
        self.inbox = Inbox(pool, ears, SystemBusinessClock())

    async def keep(self, conn: Connection, heard: Heard[ContactSealed | ContactErased]) -> None:
        if self.broken and heard.fact.version == 1:
            raise RuntimeError("a mistake of ours")
        self.versions.append(heard.fact.version)

    async def take_up_everything(self) -> None:
        for _ in range(10):
            if not await self.inbox.take_up():
                return


async def do(database: Database, action: Action, event_id: UUID, reason: str) -> None:
    """Do what the command line does: the deed and its line in the log, in one transaction."""
    async with service_database(database.app_url(SERVICE)) as conn:
        deed = Deed("ops:test", action.__name__, str(event_id), reason)
        await carry_out(conn, action, deed, BusinessInstant(system_now()))


def arrival(fact: Fact) -> Arrival:
    event = enclose(fact, event_id=new_id(), source="/services/profiles", time=system_now())
    return Arrival(fact.topic, fact.key, event.headers(), event.value())


def contact(version: int) -> Arrival:
    return arrival(ContactSealed(person_id=PERSON, version=version, sealed=SEALED))


@pytest.fixture
async def parked(pool: Pool) -> tuple[Reader, Arrival]:
    """Give a reader with a parked event, and two later ones of its key behind it."""
    reader = Reader(pool)
    first = contact(1)
    assert await reader.inbox.receive(first) == "parked"
    assert await reader.inbox.receive(contact(2)) == "behind"
    assert await reader.inbox.receive(contact(3)) == "behind"
    return reader, first


async def test_only_the_parked_head_is_listed_unless_all_is_asked_for(
    kit_database: Database, parked: tuple[Reader, Arrival]
):
    """The list says what failed and how many events wait behind it."""
    async with service_database(kit_database.app_url(SERVICE)) as conn:
        (letter,) = await dead_letters.dead_letters(conn)
        everything = await dead_letters.dead_letters(conn, every_state=True)
    assert letter.event_id == parked[1].event_id()
    assert letter.behind == 2
    assert letter.error is not None
    assert letter.error.startswith("RuntimeError")
    assert [each.state for each in everything] == ["parked", "behind", "behind"]


async def test_a_replay_runs_the_event_before_those_behind_it(
    kit_database: Database, parked: tuple[Reader, Arrival], pool: Pool
):
    """After the mistake is mended the head is handled once, then the others in order."""
    reader, first = parked
    await do(kit_database, dead_letters.replay, first.event_id(), "mended")
    reader.broken = False
    await reader.take_up_everything()
    assert reader.versions == [1, 2, 3]
    logged = await pool.fetchrow("SELECT who, action, subject, reason, outcome FROM operator_log")
    assert tuple(logged or ()) == ("ops:test", "replay", str(first.event_id()), "mended", "done")


async def test_a_replay_that_fails_again_is_parked_again(
    kit_database: Database, parked: tuple[Reader, Arrival], pool: Pool
):
    """Trying again without mending anything harms nothing: the key still waits, in order."""
    reader, first = parked
    await do(kit_database, dead_letters.replay, first.event_id(), "hope")
    for _ in range(3):
        await pool.execute("UPDATE kept_events SET next_try_at = now() WHERE state <> 'parked'")
        await reader.take_up_everything()
    assert reader.versions == []
    states = await pool.fetch("SELECT state FROM kept_events ORDER BY seq")
    assert [row["state"] for row in states] == ["parked", "behind", "behind"]


async def test_a_discarded_event_never_takes_effect_again(
    kit_database: Database, parked: tuple[Reader, Arrival], pool: Pool
):
    """What waited behind goes on, and a copy of the discarded event is a duplicate."""
    reader, first = parked
    await do(kit_database, dead_letters.discard, first.event_id(), "deleted by hand")
    await reader.take_up_everything()
    assert reader.versions == [2, 3]
    reader.broken = False
    assert await reader.inbox.receive(first) == "duplicate"
    assert await pool.fetchval("SELECT action FROM operator_log") == "discard"


async def test_only_a_parked_event_can_be_replayed_or_discarded(
    kit_database: Database, parked: tuple[Reader, Arrival], pool: Pool
):
    """An event that waits behind another keeps its place, and an unknown id is an error."""
    async with service_database(kit_database.app_url(SERVICE)) as conn:
        behind = (await dead_letters.dead_letters(conn, every_state=True))[1]
    for wrong in (behind.event_id, new_id()):
        for action in (dead_letters.discard, dead_letters.replay):
            with pytest.raises(NotFound):
                await do(kit_database, action, wrong, "no")
    assert await pool.fetchval("SELECT count(*) FROM operator_log") == 0


async def test_what_is_sealed_is_never_shown(
    kit_database: Database, parked: tuple[Reader, Arrival]
):
    """Neither a fact's sealed field, nor a tombstone's data, nor a foreign record is printed."""
    reader, first = parked
    foreign = Arrival(TOPICS[0].name, "k", [("ce_id", str(new_id()).encode())], SEALED.encode())
    assert await reader.inbox.receive(foreign) == "parked"
    async with service_database(kit_database.app_url(SERVICE)) as conn:
        for event_id in (first.event_id(), foreign.event_id()):
            shown = json.dumps((await dead_letters.dead_letter(conn, event_id)).whole())
            assert SEALED not in shown
            assert str(event_id) in shown


def test_a_command_without_its_setting_says_which(monkeypatch: pytest.MonkeyPatch):
    """Without the address of the service's database a command ends with 2 and names it."""
    monkeypatch.delenv("OPS_BOOKING_DATABASE_URL", raising=False)
    done = CliRunner().invoke(app, ["dlq", "list", "--service", "booking"])
    assert done.exit_code == 2
    assert "OPS_BOOKING_DATABASE_URL" in done.stderr


async def test_a_republish_request_is_filed_once(kit_database: Database, pool: Pool):
    """Asking twice while the first request is open leaves one per topic."""
    for _ in range(2):
        async with service_database(kit_database.app_url(SERVICE)) as conn:
            topics = await request_republish(conn, "profiles")
    assert topics == ["profiles.people", "profiles.contacts"]
    assert await pool.fetchval("SELECT count(*) FROM republish_requests") == len(topics)


async def test_the_command_names_what_is_not_parked(
    kit_database: Database, monkeypatch: pytest.MonkeyPatch
):
    """A wrong id ends the command with 2 and says so."""
    monkeypatch.setenv(f"OPS_{SERVICE.upper()}_DATABASE_URL", kit_database.app_url(SERVICE))
    wrong = str(new_id())
    command = ["dlq", "discard", "--service", SERVICE, wrong, "--reason", "no"]
    done = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert done.exit_code == 2
    assert f"no event {wrong} is parked here" in done.stderr
