"""`python -m bench`: measure everything, each cost beside its control, in the same run."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bench.engines import engines
from bench.report import Result, show, write_docs, write_json
from bench.suites import SUITES, Sizes, worlds
from bench.whole import Market, measure_whole
from dev.home import Home
from shared.log import configure_logs

USUAL = Sizes(rounds=5, holds=1_600, events=5_000, handled=1_200, requests=1_500,
              few=1_000, many=100_000)  # fmt: skip
QUICK = Sizes(rounds=3, holds=400, events=2_000, handled=400, requests=400,
              few=1_000, many=10_000, notices=2_000,
              postings=800, entries=(1_000, 10_000))  # fmt: skip
LARGE = Sizes(rounds=5, holds=1_600, events=5_000, handled=1_200, requests=1_500,
              few=1_000, many=1_000_000,
              of_mentor=(1_000, 10_000, 100_000), clients=(1, 10, 50, 200),
              entries=(10_000, 100_000, 1_000_000))  # fmt: skip
MARKET = Market(sessions=60, starts=3)
QUICK_MARKET = Market(sessions=16, starts=1)
WHOLE = "ef"
ALL = "a,b,c,d,e,f,g,h,i,j"


def main(
    quick: Annotated[bool, typer.Option(help="Small sizes: one to two minutes.")] = False,
    large: Annotated[bool, typer.Option(help="A million stored sessions.")] = False,
    only: Annotated[str, typer.Option(help="Which benches: a,b,c,d,e,f,g,h,i,j")] = ALL,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where figures go.")] = None,
    write_docs_too: Annotated[
        bool, typer.Option("--write-docs", help="Renew docs/performance.md and its pictures.")
    ] = False,
) -> None:
    """Run the benchmarks, each beside its control."""
    if write_docs_too and only != ALL:
        raise typer.BadParameter("--write-docs needs all benches: the page would lose rows")
    sizes = QUICK if quick else LARGE if large else USUAL
    configure_logs("bench", form="console", level="WARNING")
    wanted = [name.strip() for name in only.split(",")]
    results = asyncio.run(_measure(wanted, sizes, QUICK_MARKET if quick else MARKET))
    show(results)
    path = json_file or _default_path()
    write_json(results, path)
    typer.echo(f"figures: {path}")
    if write_docs_too:
        write_docs(results)


def _default_path() -> Path:
    return Home.chosen().root / "bench-results" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}.json"


async def _measure(wanted: list[str], sizes: Sizes, market: Market) -> list[Result]:
    results: list[Result] = []
    if suites := [name for name in wanted if name in SUITES]:
        typer.echo("starting PostgreSQL and Kafka")
        async with engines() as started, worlds(started, sizes, typer.echo) as both:
            for name in suites:
                typer.echo(f"  {name}: {SUITES[name].__doc__}")
                found = await SUITES[name](both, sizes, typer.echo)
                show(found)  # At once: a later suite may fail.
                results += found
    if any(name in WHOLE for name in wanted):
        results += await measure_whole(sizes, market, typer.echo)
    return results


if __name__ == "__main__":
    typer.run(main)
