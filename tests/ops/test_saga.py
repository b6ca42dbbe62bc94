"""`ops saga` and `ops audit`: one purchase from all schemas, what is stuck, deeds by the worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from ops.cli import app
from ops.config import CannotOperate
from ops.saga import ask
from shared.clock import BusinessInstant, SystemBusinessClock
from shared.db import Connection, open_pool, transaction
from shared.deeds import REQUEST_STANDS, Actions, Clerk, Deed, Details, file_request
from shared.errors import Refusal
from shared.ids import new_id
from tests.engines import Database
from tests.ops.conftest import MakeDatabase

PLANT = (Path(__file__).parent / "planted.sql").read_text()
ALL = ("profiles", "booking", "payments", "notifications")
IMPATIENT_SECONDS = 1.0
DEADLINE_SECONDS = 20.0
PAID_OUT, WAITING = (f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2))
"""Of planted.sql: order 2 was released to a mentor whose account cannot receive."""
REVIEWS_ARE_OUT = "UPDATE profiles.review_cases SET state = 'published'"
POISON = """
INSERT INTO booking.kept_events (event_id, topic, key, headers, state, error)
VALUES ('00000000-0000-0000-0000-0000000000e1', 'payments.orders', $1,
        '[["ce_type", "mentorium.payments.PaymentSucceeded"]]', 'parked', 'KeyError')
"""


class CannotBeDone(Refusal):
    """What a service says when a deed is not possible."""

    code = "cannot_be_done"
    detail = "Not now."


@dataclass(frozen=True)
class Line:
    """The command line beside a planted marketplace."""

    database: Database
    settings: Mapping[str, str]

    async def run(self, *arguments: str) -> Result:
        """Run a command as in a process of its own."""
        return await asyncio.to_thread(
            CliRunner().invoke, app, list(arguments), env=dict(self.settings)
        )

    async def json(self, *arguments: str, ends_with: int = 0) -> Any:
        """Return what a command prints for programs."""
        done = await self.run(*arguments, "--json")
        assert done.exit_code == ends_with, done.output
        return json.loads(done.stdout)

    async def change(self, sql: str, *values: object) -> None:
        """Change something behind everybody's back."""
        conn = await asyncpg.connect(self.database.superuser_url)
        await conn.execute(sql, *values)
        await conn.close()


@pytest.fixture
async def line(database: MakeDatabase) -> Line:
    """Give the command line of a planted marketplace."""
    own = await database(*ALL)
    settings = {
        "OPS_DATABASE_URL": own.ops_url,
        **{f"OPS_{service.upper()}_DATABASE_URL": own.app_url(service) for service in ALL},
    }
    made = Line(own, settings)
    await made.change(PLANT)
    await made.change(REVIEWS_ARE_OUT)
    return made


async def test_a_purchase_is_told_from_all_schemas(line: Line):
    """Steps of every service in order of time, and what each waits for, dead letters too."""
    await line.change(POISON, PAID_OUT)
    told = await line.json("saga", "show", PAID_OUT)
    assert [step["at"] for step in told["steps"]] == sorted(step["at"] for step in told["steps"])
    found = {(step["service"], step["kind"], step["what"]) for step in told["steps"]}
    assert {("payments", "ledger", "payment"), ("payments", "ledger", "transfer")} <= found
    waits = {(wait["service"], wait["waits_for"]): wait for wait in told["waits"]}
    poison = waits["booking", "an operator mends and replays PaymentSucceeded"]
    assert (poison["needs_operator"], poison["details"]["error"]) == (True, "KeyError")
    assert ("payments", "Stripe pays out to the bank") in waits
    shown = await line.run("saga", "show", PAID_OUT)
    assert shown.exit_code == 0
    nobody = await line.run("saga", "show", str(new_id()))
    assert (nobody.exit_code, "nobody knows" in nobody.stderr) == (2, True)


async def test_what_is_stuck_is_named_and_ends_the_command_with_1(line: Line):
    """Late things count from when they are late enough; dead letters of a purchase at once."""
    (wait,) = await line.json("saga", "stuck", ends_with=1)
    assert (wait["order_id"], wait["waits_for"]) == (WAITING, "the mentor's account can receive")
    assert await line.json("saga", "stuck", "--older", "3000000000") == []
    await line.change(POISON, WAITING)
    found = await line.json("saga", "stuck", "--older", "3000000000", ends_with=1)
    assert [each["service"] for each in found] == ["booking"]
    await line.change("DELETE FROM booking.kept_events")
    await line.change("UPDATE payments.accounts SET can_receive = true")
    await line.change("UPDATE payments.earnings SET transfer_state = 'nothing' WHERE due_at IS NOT"
                      " NULL AND transfer_state = 'waiting'")  # fmt: skip
    assert await line.json("saga", "stuck") == []


async def test_a_deed_is_done_by_the_worker_and_answered(line: Line):
    """The command waits for the service; what was refused ends it with 1, and both are logged."""
    pool = await open_pool(line.database.app_url("payments"), process="test")
    asked: list[Deed] = []

    async def release(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
        asked.append(deed)
        return {"mentor_minor": 5_100}

    async def back(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
        return {"amount_minor": 20_000}

    async def refuse(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
        await conn.execute("UPDATE orders SET title = 'changed'")
        raise CannotBeDone(amount_minor=7)

    actions: Actions = {"release": release, "retry_refund": refuse, "refund_credits": back}
    clerk = Clerk(pool, actions, SystemBusinessClock())
    working = asyncio.create_task(work(clerk))
    credit = await line.run("saga", "refund-credits", WAITING, "--reason", "Moved abroad")
    assert credit.stdout.strip() == "refund_credits done: amount_minor 20000"
    done = await line.run("saga", "release", WAITING, "--reason", "The mentor asked")
    refused = await line.run("saga", "retry-refund", WAITING, "--reason", "Bank is back")
    working.cancel()
    await pool.close()
    assert (done.exit_code, done.stdout.strip()) == (0, "release done: mentor_minor 5100")
    assert refused.exit_code == 1
    assert "amount_minor 7" in refused.stdout
    assert [(deed.subject, deed.reason) for deed in asked] == [(WAITING, "The mentor asked")]
    latest, earlier, _ = await line.json("audit", "list")
    assert (latest["action"], latest["outcome"]) == ("retry_refund", "refused")
    assert (earlier["service"], earlier["outcome"]) == ("payments", "done")
    assert earlier["who"].startswith("ops:")
    told = await line.json("saga", "show", WAITING)
    assert "release" in [step["what"] for step in told["steps"] if step["kind"] == "operator"]
    titles = "SELECT count(*) FROM payments.orders WHERE title = 'changed'"
    conn = await asyncpg.connect(line.database.superuser_url)
    assert await conn.fetchval(titles) == 0, "what was refused left nothing"
    await conn.close()


@pytest.mark.parametrize(
    ("command", "action"),
    [("retry-refund", "retry_refund"), ("paid-otherwise", "refund_paid_otherwise")],
)
async def test_a_failed_refund_is_mended_by_its_id_and_amount(
    line: Line, command: str, action: str
):
    """As they were shown; without them nothing is confirmed, and the service says what they are."""
    pool = await open_pool(line.database.app_url("payments"), process="test")
    asked: list[Deed] = []

    async def mend(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
        asked.append(deed)
        return {}

    working = asyncio.create_task(work(Clerk(pool, {action: mend}, SystemBusinessClock())))
    for shown in ((), ("--refund", PAID_OUT, "--minor", "1000")):
        done = await line.run("saga", command, WAITING, *shown, "--reason", "Came back")
        assert done.exit_code == 0, done.output
    working.cancel()
    await pool.close()
    confirmed = {"refund_id": PAID_OUT, "amount_minor": 1_000}
    assert [deed.arguments for deed in asked] == [{}, confirmed]


async def test_one_session_of_a_series_is_called_off_by_its_id(line: Line):
    """Named with `--session`, as in the other commands."""
    pool = await open_pool(line.database.app_url("booking"), process="test")
    asked: list[Deed] = []

    async def cancel(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
        asked.append(deed)
        return {}

    working = asyncio.create_task(work(Clerk(pool, {"cancel": cancel}, SystemBusinessClock())))
    arguments = (PAID_OUT, "--percent", "50", "--reason", "Both ask", "--session", WAITING)
    done = await line.run("saga", "cancel", *arguments)
    working.cancel()
    await pool.close()
    assert done.exit_code == 0, done.output
    (deed,) = asked
    assert deed.arguments == {"session_id": WAITING, "refund_basis_points": 5_000}


DEED = Deed("ops:ada", "release", WAITING, "The mentor asked")


async def test_a_deed_that_nobody_takes_up_is_withdrawn(line: Line):
    """It cannot happen later; what the worker has already begun it ends, and that is said."""
    url = line.database.app_url("payments")
    with pytest.raises(CannotOperate, match="withdrawn"):
        await ask(url, DEED, IMPATIENT_SECONDS)
    going_on = asyncio.Event()

    async def release(conn: Connection, deed: Deed, now: BusinessInstant) -> Details:
        await going_on.wait()
        return {}

    pool = await open_pool(url, process="test")
    assert not await Clerk(pool, {}, SystemBusinessClock()).step(), "it was withdrawn"
    clerk = Clerk(pool, {"release": release}, SystemBusinessClock())
    working = asyncio.create_task(work(clerk))
    with pytest.raises(CannotOperate, match="doing it"):
        await ask(url, DEED, IMPATIENT_SECONDS)
    going_on.set()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (found := await line.json("audit", "list")):
            await asyncio.sleep(0)
    assert [(deed["action"], deed["outcome"]) for deed in found] == [("release", "done")]
    working.cancel()
    await pool.close()


async def test_an_old_request_is_refused(line: Line):
    """The worker was away for longer than anybody waits: it says so and changes nothing."""
    pool = await open_pool(line.database.app_url("payments"), process="test")
    async with transaction(pool) as conn:
        await file_request(conn, new_id(), DEED)
    older = "UPDATE payments.operator_requests SET requested_at = requested_at - $1::interval"
    await line.change(older, REQUEST_STANDS)
    assert await Clerk(pool, {}, SystemBusinessClock()).step()
    (found,) = await line.json("audit", "list")
    assert (found["outcome"], found["details"]["code"]) == ("refused", "request_too_old")
    await pool.close()


async def work(clerk: Clerk) -> None:
    while True:
        if not await clerk.step():
            await asyncio.sleep(0)


@pytest.mark.parametrize("table", ["operator_log", "order_facts"])
async def test_nobody_rewrites_a_log(line: Line, table: str):
    """The runtime role may not, and by mistake not even the owner."""
    for url in (line.database.app_url("payments"), line.database.owner_url("payments")):
        conn = await asyncpg.connect(url)
        for change in ("DELETE FROM {}", "UPDATE {} SET order_id = NULL", "TRUNCATE {}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(change.format(table))
        await conn.close()
