"""The operator's commands: what they are called, what they print, how they end.

A command ends with 0 when all is well, with 1 when it found something wrong, and with 2 when it
could not do its work.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table

from ops import ledger_cli, saga_cli
from ops.config import CannotOperate, OpsSettings
from ops.lag import Progress, progress
from ops.republish import request_republish, retold_by
from ops.rest import Marketplace, NotAtRest, wait_for_rest
from ops.terminal import (
    FOUND_WRONG,
    SERVICES,
    AsJson,
    Of,
    Reason,
    business_now,
    in_database,
    out,
    print_json,
    run,
    who,
)
from ops.topics import create_topics, topic_states
from ops.verify.report import Failure, Report
from ops.verify.run import Market, verify
from shared import dead_letters
from shared.bus import Broker
from shared.clock import business_clock
from shared.config import CommonSettings, load
from shared.db import Connection
from shared.dead_letters import DeadLetter
from shared.deeds import Action, Deed, carry_out
from shared.errors import Refusal

GRACE_SECONDS = 30.0

EventId = Annotated[UUID, typer.Argument(help="The event, as `list` names it.")]

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
topics = typer.Typer(no_args_is_help=True, help="The topics of the contracts on the broker.")
dlq = typer.Typer(no_args_is_help=True, help="Dead letters: events a service could not handle.")
app.add_typer(topics, name="topics")
app.add_typer(dlq, name="dlq")
app.add_typer(ledger_cli.ledger, name="ledger")
app.add_typer(saga_cli.saga, name="saga")
app.add_typer(saga_cli.audit, name="audit")


def broker_of(common: CommonSettings) -> Broker:
    """Return the broker the settings name."""
    return Broker(common.kafka_bootstrap_servers, common.kafka_topic_prefix, "ops")


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
    out.print(table)
    if any(state.differs or not state.exists for state in states):
        raise typer.Exit(FOUND_WRONG)


@dlq.command("list")
def list_dead_letters(
    service: Of,
    as_json: AsJson = False,
    every: Annotated[bool, typer.Option("--all", help="Also what only waits.")] = False,
) -> None:
    """List the parked events of a service, oldest first."""
    found = in_database(service, lambda conn: dead_letters.dead_letters(conn, every_state=every))
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
    out.print(table if found else "none")


@dlq.command("show")
def show_dead_letter(service: Of, event_id: EventId) -> None:
    """Show one kept event without what is sealed or secret."""

    async def show(conn: Connection) -> DeadLetter:
        try:
            return await dead_letters.dead_letter(conn, event_id)
        except Refusal:
            raise CannotOperate(f"no event {event_id} is kept here") from None

    print_json(in_database(service, show).whole())


@dlq.command("replay")
def replay_dead_letters(
    service: Of,
    reason: Reason,
    event_id: Annotated[UUID | None, typer.Argument(help="One event; none: all.")] = None,
) -> None:
    """Hand parked events back to the worker, their tries forgotten."""

    async def replay(conn: Connection) -> int:
        parked = await dead_letters.dead_letters(conn)
        chosen = [event_id] if event_id else [letter.event_id for letter in parked]
        for each in chosen:
            await _do(conn, dead_letters.replay, "replay", each, reason)
        return len(chosen)

    typer.echo(f"{in_database(service, replay)} handed back to {service}")


@dlq.command("discard")
def discard_dead_letter(service: Of, event_id: EventId, reason: Reason) -> None:
    """Give a parked event up for ever; what waits behind it goes on."""
    in_database(service, lambda conn: _do(conn, dead_letters.discard, "discard", event_id, reason))
    typer.echo(f"{event_id} is given up")


async def _do(conn: Connection, action: Action, name: str, event_id: UUID, reason: str) -> None:
    deed = Deed(who(), name, str(event_id), reason)
    try:
        await carry_out(conn, action, deed, business_now())
    except Refusal:
        raise CannotOperate(f"no event {event_id} is parked here") from None


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
    out.print(table)
    out.print(f"lag in all: {sum(row.lag for row in rows)}")


@app.command("republish")
def republish(service: Of) -> None:
    """Ask a service to tell the present state of its topics again."""
    if not retold_by(service):
        run(_refuse(f"{service} has no topic that can be told again"))
    for topic in in_database(service, lambda conn: request_republish(conn, service)):
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
    out.print(books)
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
