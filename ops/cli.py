"""The operator's commands: what they are called, what they print, how they end.

A command ends with 0 when all is well, with 1 when it found something wrong, and with 2 when it
could not do its work.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Annotated, TypeVar, get_args
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from ops import dead_letters
from ops.config import CannotOperate, OpsSettings
from ops.dead_letters import service_database
from ops.lag import Progress, progress
from ops.republish import request_republish, retold_by
from ops.rest import Marketplace, NotAtRest, wait_for_rest
from ops.topics import create_topics, topic_states
from ops.verify.report import Failure, Report
from ops.verify.run import Market, verify
from shared.bus import Broker
from shared.clock import business_clock
from shared.config import CommonSettings, load
from shared.contracts.topics import Service
from shared.db import Connection

FOUND_WRONG = 1
CANNOT = 2
GRACE_SECONDS = 30.0
SERVICES: tuple[Service, ...] = get_args(Service)

Of = Annotated[Service, typer.Option("--service", help="The service in question.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs instead of people.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is logged.")]
EventId = Annotated[UUID, typer.Argument(help="The event, as `list` names it.")]

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
topics = typer.Typer(no_args_is_help=True, help="The topics of the contracts on the broker.")
dlq = typer.Typer(no_args_is_help=True, help="Dead letters: events a service could not handle.")
app.add_typer(topics, name="topics")
app.add_typer(dlq, name="dlq")

Result = TypeVar("Result")
_out = Console()
_err = Console(stderr=True)


def run(work: Coroutine[None, None, Result]) -> Result:
    """Run a command's work; what it cannot do ends the program with the reason."""
    try:
        return asyncio.run(work)
    except CannotOperate as error:
        _err.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(CANNOT) from None


def broker_of(common: CommonSettings) -> Broker:
    """Return the broker the settings name."""
    return Broker(common.kafka_bootstrap_servers, common.kafka_topic_prefix, "ops")


def print_json(value: object) -> None:
    """Print a value for programs."""
    typer.echo(json.dumps(value, indent=2))


@topics.command("create")
def create() -> None:
    """Make the topics that are absent; name those that differ from the contracts."""
    common = load(CommonSettings)
    made = run(create_topics(broker_of(common), common.kafka_replication))
    for name in made:
        typer.echo(f"created {name}")
    if not made:
        typer.echo("all topics are there")


@topics.command("show")
def show_topics() -> None:
    """Show every topic of the contracts and how it is on the broker."""
    common = load(CommonSettings)
    states = run(topic_states(broker_of(common), common.kafka_replication))
    table = Table("topic", "key", "partitions", "kept", "written by", "read by", "on the broker")
    for state in states:
        topic = state.topic
        on_broker = "; ".join(state.differs) or ("ok" if state.exists else "absent")
        table.add_row(
            topic.name,
            topic.key,
            str(topic.partitions),
            topic.kept,
            topic.writer,
            ", ".join(topic.readers) or "nobody here",
            on_broker,
        )
    _out.print(table)
    if any(state.differs or not state.exists for state in states):
        raise typer.Exit(FOUND_WRONG)


@dlq.command("list")
def list_dead_letters(
    service: Of,
    as_json: AsJson = False,
    every: Annotated[bool, typer.Option("--all", help="Also what only waits.")] = False,
) -> None:
    """List the parked events of a service, oldest first."""
    found = _in_database(service, lambda conn: dead_letters.dead_letters(conn, every_state=every))
    if as_json:
        print_json([letter.summary() for letter in found])
        return
    table = Table("event", "type", "key", "state", "behind", "tries", "kept", "error")
    for letter in found:
        table.add_row(
            str(letter.event_id),
            letter.type or letter.topic,
            letter.key,
            letter.state,
            str(letter.behind),
            str(letter.attempts),
            f"{letter.kept_at:%Y-%m-%d %H:%M:%S}",
            letter.waits_for or letter.error or "",
        )
    _out.print(table if found else "none")


@dlq.command("show")
def show_dead_letter(service: Of, event_id: EventId) -> None:
    """Show one kept event without what is sealed or secret."""
    letter = _in_database(service, lambda conn: dead_letters.dead_letter(conn, event_id))
    print_json(letter.whole())


@dlq.command("replay")
def replay_dead_letters(
    service: Of,
    reason: Reason,
    event_id: Annotated[UUID | None, typer.Argument(help="One event; none: all.")] = None,
) -> None:
    """Hand parked events back to the worker, their tries forgotten."""
    done = _in_database(service, lambda conn: dead_letters.replay(conn, event_id, reason))
    typer.echo(f"{len(done)} handed back to {service}")


@dlq.command("discard")
def discard_dead_letter(service: Of, event_id: EventId, reason: Reason) -> None:
    """Give a parked event up for ever; what waits behind it goes on."""
    _in_database(service, lambda conn: dead_letters.discard(conn, event_id, reason))
    typer.echo(f"{event_id} is given up")


@app.command("lag")
def show_lag(as_json: AsJson = False) -> None:
    """Show how far every reader has come on every topic."""
    rows = run(progress(broker_of(load(CommonSettings)), SERVICES))
    if as_json:
        print_json([_progress_fields(row) for row in rows])
        return
    table = Table("reader", "topic", "partition", "reached", "end", "lag")
    for row in rows:
        table.add_row(*(str(value) for value in _progress_fields(row).values()))
    _out.print(table)
    _out.print(f"lag in all: {sum(row.lag for row in rows)}")


@app.command("republish")
def republish(service: Of) -> None:
    """Ask a service to tell the present state of its topics again."""
    if not retold_by(service):
        run(_refuse(f"{service} has no topic that can be told again"))
    for topic in _in_database(service, lambda conn: request_republish(conn, service)):
        typer.echo(f"asked for {topic}")


@app.command("verify")
def verify_everything(
    as_json: AsJson = False,
    settled: Annotated[bool, typer.Option("--settled", help="First wait for rest.")] = False,
    grace: Annotated[
        float, typer.Option("--grace", help="Seconds for what only comes true in the end.")
    ] = GRACE_SECONDS,
) -> None:
    """Prove the promises on the data; end with 1 and name what is wrong."""
    report = run(_verify(settled=settled, grace=grace))
    if as_json:
        print_json(report.fields())
    else:
        _show(report)
    if not report.ok:
        raise typer.Exit(FOUND_WRONG)


async def _verify(*, settled: bool, grace: float) -> Report:
    settings, common = load(OpsSettings), load(CommonSettings)
    url, stripe_url = settings.reading_url(), settings.stripe_base_url
    restless: list[Failure] = []
    if settled:
        watched = Marketplace(
            url, common.kafka_bootstrap_servers, common.kafka_topic_prefix, stripe_url
        )
        try:
            await wait_for_rest(watched, business_clock(common.mentorium_clock_file))
        except NotAtRest as error:
            restless.append(Failure("not at rest", "marketplace", str(error)))
    report = await verify(Market(url, stripe_url, settings.stripe_secret()), grace)
    return replace(report, failures=(*restless, *report.failures))


def _show(report: Report) -> None:
    books = Table("book", "account", "currency", "minor units")
    for balance in report.books:
        books.add_row(*(str(value) for value in balance.fields().values()))
    _out.print(books)
    for each in report.in_flight:
        typer.echo(f"in flight: {each.service} {each.kind} {each.subject}")
    for each in report.failures:
        typer.echo(f"WRONG: {each.check}: {each.subject}: {each.detail}")
    typer.echo(f"verify: {'ok' if report.ok else f'{len(report.failures)} wrong'}")


async def _refuse(text: str) -> None:
    raise CannotOperate(text)


def _progress_fields(row: Progress) -> dict[str, str | int]:
    return {
        "reader": row.reader,
        "topic": row.topic,
        "partition": row.partition,
        "reached": row.reached,
        "end": row.end,
        "lag": row.lag,
    }


def _in_database(service: Service, work: Callable[[Connection], Awaitable[Result]]) -> Result:
    """Do `work` in one transaction on a service's database, with that service's rights."""

    async def do() -> Result:
        url = load(OpsSettings).writing_url(service)
        async with service_database(url) as conn:
            return await work(conn)

    return run(do())
