"""The commands behind `make`: `python -m dev up | demo | seed | clock | status | reset`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import wraps
from typing import Annotated, Any, ParamSpec

import typer

from dev.cache import LockHeld
from dev.children import ProgramFailed
from dev.clock import ClockFixed, parse_instant, parse_span
from dev.demo import demonstrate
from dev.downloads import DownloadFailed
from dev.environment import HalfConfigured
from dev.home import Home
from dev.kafka import prepare_kafka
from dev.launcher import AlreadyRunning, cancelled_by_signals, only_launcher
from dev.marketplace import Marketplace, Say, is_running, site_of, started
from dev.packages import EngineMissing
from dev.status import Status, status_of
from dev.supervisor import NotStarted
from dev.webfiles import fetch_web_files
from ops.rest import NotAtRest
from shared.clock import ClockMovedBack

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)
clock_app = typer.Typer(no_args_is_help=True, help="The business clock, which only moves forward.")
app.add_typer(clock_app, name="clock")

_INTERRUPTED = 130
_EXPECTED = (
    AlreadyRunning, ClockFixed, ClockMovedBack, DownloadFailed, EngineMissing, HalfConfigured,
    LockHeld, NotAtRest, NotStarted, ProgramFailed,
)  # fmt: skip

P = ParamSpec("P")


def _command(body: Callable[P, Coroutine[Any, Any, int | None]]) -> Callable[P, None]:
    """Run an async command to its end: its number is the exit status, expected errors are told."""

    @wraps(body)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def inside() -> int | None:
            async with cancelled_by_signals():
                return await body(*args, **kwargs)

        try:
            raise typer.Exit(asyncio.run(inside()) or 0)
        except asyncio.CancelledError:
            raise typer.Exit(_INTERRUPTED) from None
        except _EXPECTED as error:
            typer.secho(str(error), err=True, fg="red")
            raise typer.Exit(1) from None

    return run


@app.command()
@_command
async def up(
    seeded: Annotated[bool, typer.Option(help="Fill a marketplace that is new.")] = False,
    quiet: Annotated[bool, typer.Option(help="Keep the logs to their files.")] = False,
) -> None:
    """Run the marketplace until Ctrl-C; its data stay for the next time."""
    home = Home.chosen()
    async with started(home, quiet=quiet, say=typer.echo) as marketplace:
        if seeded and not (filled := home.root / "seeded").exists():
            await _journey_seed(marketplace, mentors=12, mentees=6, sessions=6, seed=1)
            filled.touch()
        _tell_addresses(marketplace)
        await asyncio.get_running_loop().create_future()


def _tell_addresses(marketplace: Marketplace) -> None:
    typer.echo(f"""
  Mentorium is ready.
    the marketplace      {marketplace.url("web")}
    every mail it sends  {marketplace.url("mail")}
    the operator         sign up as {marketplace.operator_email}
    logs                 {marketplace.site.home.logs}
  Ctrl-C stops it.
""")


@app.command()
@_command
async def demo() -> int:
    """Take paid sessions from search to bank payout, straight and by every detour."""
    from dev.journey import paid_session
    from dev.second_act import second_act
    from dev.third_act import third_act

    async def all_acts(market: Marketplace, say: Say) -> None:
        await paid_session(market, say)
        await second_act(market, say)
        await third_act(market, say)

    return await demonstrate(all_acts, typer.echo)


@app.command()
@_command
async def seed(
    mentors: Annotated[int, typer.Option(min=0)] = 12,
    mentees: Annotated[int, typer.Option(min=0)] = 6,
    sessions: Annotated[int, typer.Option(min=0)] = 6,
    seed: Annotated[int, typer.Option(help="The same number makes the same people.")] = 1,
) -> None:
    """Add people, offerings and finished journeys; starts the marketplace if it is not running."""
    home = Home.chosen()
    if is_running(home):
        marketplace = Marketplace(site_of(home))
        await _journey_seed(marketplace, mentors, mentees, sessions, seed)
        return
    async with started(home, quiet=True, say=typer.echo) as marketplace:
        await _journey_seed(marketplace, mentors, mentees, sessions, seed)


async def _journey_seed(
    marketplace: Marketplace, mentors: int, mentees: int, sessions: int, seed: int
) -> None:
    from dev.seeding import seed_marketplace

    await seed_marketplace(
        marketplace, typer.echo, mentors=mentors, mentees=mentees, sessions=sessions, seed=seed
    )


@app.command()
@_command
async def status(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show every process with its id, address, health and log."""
    found = await status_of(Home.chosen())
    typer.echo(json.dumps(found, indent=2) if as_json else _in_lines(found))


def _in_lines(status: Status) -> str:
    return "\n".join(
        f"{each['name']:<22} {each['health']:<9} {each['pid'] or '-':<8} {each['url'] or ''}"
        for each in status["processes"]
    )


@app.command()
@_command
async def reset() -> None:
    """Delete the data of a marketplace that is not running."""
    home = Home.chosen()
    home.create()
    async with only_launcher(home):
        home.remove()
    typer.echo(f"Deleted {home.root}")


@app.command()
@_command
async def engines() -> None:
    """Bring everything that is downloaded or made once: the broker, its archive, browser files."""
    await prepare_kafka()
    await fetch_web_files()


@clock_app.command("show")
@_command
async def clock_show() -> None:
    """Show the present business instant."""
    typer.echo(_marketplace().clock.now().isoformat())


@clock_app.command("advance")
@_command
async def clock_advance(span: Annotated[str, typer.Argument(help="3d, 90m, 1d12h")]) -> None:
    """Let business time pass, from one due instant to the next."""
    length = _parsed(parse_span, span)
    await _marketplace().advance_by(length, typer.echo)


@clock_app.command("set")
@_command
async def clock_set(instant: Annotated[str, typer.Argument(help="ISO 8601")]) -> None:
    """Let business time pass until an instant."""
    target: datetime = _parsed(parse_instant, instant)
    await _marketplace().advance_to(target, typer.echo)


Parsed = Any


def _parsed(parse: Callable[[str], Parsed], text: str) -> Parsed:
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _marketplace() -> Marketplace:
    return Marketplace(site_of(Home.chosen()))


if __name__ == "__main__":
    app()
