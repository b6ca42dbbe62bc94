"""What all commands share: how they run, print and end.

A command ends with 0 when all is well, with 1 when it found something wrong, and with 2 when it
could not do its work.
"""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, TypeVar, get_args

import typer
from rich.console import Console

from ops.config import CannotOperate, OpsSettings
from ops.database import service_database
from shared.clock import BusinessInstant, business_clock
from shared.config import CommonSettings, load
from shared.contracts.topics import Service
from shared.db import Connection
from shared.deeds import ON_THE_COMMAND_LINE

FOUND_WRONG = 1
CANNOT = 2
SERVICES: tuple[Service, ...] = get_args(Service)

AsJson = Annotated[bool, typer.Option("--json", help="For programs instead of people.")]
Of = Annotated[Service, typer.Option("--service", help="The service in question.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is logged.")]

Result = TypeVar("Result")
out = Console()
_err = Console(stderr=True)


def run(work: Coroutine[None, None, Result]) -> Result:
    """Run a command's work; what it cannot do ends the program with the reason."""
    try:
        return asyncio.run(work)
    except CannotOperate as error:
        _err.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(CANNOT) from None


def in_database(service: Service, work: Callable[[Connection], Awaitable[Result]]) -> Result:
    """Do `work` in one transaction on a service's database, with that service's rights."""

    async def do() -> Result:
        url = load(OpsSettings).writing_url(service)
        async with service_database(url) as conn:
            return await work(conn)

    return run(do())


def print_json(value: object) -> None:
    """Print a value for programs."""
    typer.echo(json.dumps(value, indent=2, default=str))


def business_now() -> BusinessInstant:
    """Return the present instant of the marketplace's business clock."""
    return business_clock(load(CommonSettings).mentorium_clock_file).now()


def who() -> str:
    """Return under which name this person's deeds are logged."""
    return f"{ON_THE_COMMAND_LINE}{getpass.getuser()}"
