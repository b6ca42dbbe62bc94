"""What runs: every process of the table with its id, address, health and log."""

from __future__ import annotations

import asyncio
from typing import Literal, TypedDict

from dev.home import Home
from dev.marketplace import site_of
from dev.running import Running
from dev.table import Kind, Process, table

Health = Literal["ok", "starting", "down"]


class ProcessStatus(TypedDict):
    """One process; `pid` and `url` are null where it has none."""

    name: str
    pid: int | None
    url: str | None
    health: Health
    log: str


class Status(TypedDict):
    """The whole marketplace; `postgres` and `kafka` are null where others provide them."""

    processes: list[ProcessStatus]
    postgres: ProcessStatus | None
    kafka: ProcessStatus | None


async def status_of(home: Home) -> Status:
    """Ask every process of a home how it is."""
    running = Running.read(home.running)
    servers = [row for row in table(site_of(home)) if row.kind is Kind.SERVER]
    processes = await asyncio.gather(*(_status(home, running, row) for row in servers))
    by_name = {each["name"]: each for each in processes}
    return Status(
        processes=list(processes), postgres=by_name.get("postgres"), kafka=by_name.get("kafka")
    )


async def _status(home: Home, running: Running, row: Process) -> ProcessStatus:
    recorded = running.processes.get(row.name)
    alive = recorded is not None and recorded.is_alive()
    health: Health = "down"
    if alive:
        health = "ok" if await row.ready() else "starting"
    return ProcessStatus(
        name=row.name,
        pid=recorded.pid if recorded and alive else None,
        url=row.url,
        health=health,
        log=str(home.log(row.name)),
    )
