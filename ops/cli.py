"""The operator's commands: what they are called, what they print, how they end.

A command ends with 0 when all is well, with 1 when it found something wrong, and with 2 when it
could not do its work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

import typer
from rich.console import Console
from rich.table import Table

from ops.config import CannotOperate
from ops.topics import create_topics, topic_states
from shared.bus import Broker
from shared.config import CommonSettings, load

FOUND_WRONG = 1
CANNOT = 2

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
topics = typer.Typer(no_args_is_help=True, help="The topics of the contracts on the broker.")
app.add_typer(topics, name="topics")

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
def show() -> None:
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
