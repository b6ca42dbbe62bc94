"""A whole marketplace of development: started here, or found running; what journeys drive."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from dev.children import start_time
from dev.clock import advance
from dev.environment import OPERATOR_EMAIL, Site
from dev.home import Home, write_whole
from dev.launcher import launched, only_launcher
from dev.running import Running
from dev.table import PORT_NAMES, table
from dev.webfiles import fetch_web_files, web_files_folder
from ops.rest import Marketplace as Watched
from ops.rest import wait_for_rest
from shared.clock import FileBusinessClock

Say = Callable[[str], None]
OPS_NAMES = ("OPS_", "KAFKA_", "MENTORIUM_CLOCK_FILE")


class Marketplace:
    """The addresses of a marketplace and its clock."""

    operator_email = OPERATOR_EMAIL

    def __init__(self, site: Site) -> None:
        """Stand for the marketplace of a site, running or not."""
        self.site = site
        self.clock = FileBusinessClock(site.home.clock)

    def url(self, process: str) -> str:
        """Return the HTTP address of `web`, `mail`, `stripe`, `booking-api` and so on."""
        return self.site.url(process)

    @property
    def watched(self) -> Watched:
        """Where `ops` looks to see whether it is at rest."""
        ops = self.site.environment("ops")
        return Watched(
            ops["OPS_DATABASE_URL"],
            ops["KAFKA_BOOTSTRAP_SERVERS"],
            ops.get("KAFKA_TOPIC_PREFIX", ""),
            ops.get("OPS_STRIPE_BASE_URL"),
        )

    async def rest(self) -> None:
        """Return when everything has come to rest; raises `NotAtRest`."""
        await wait_for_rest(self.watched, self.clock)

    async def advance_by(self, span: timedelta, say: Say | None = None) -> None:
        """Let that much business time pass, resting at each due instant on the way."""
        await self.advance_to(self.clock.now() + span, say)

    async def advance_to(self, instant: datetime, say: Say | None = None) -> None:
        """Let business time pass until `instant`; raises `ClockMovedBack` and `NotAtRest`."""
        await advance(self.watched, self.site.home.clock, instant, say or _silently)


def _silently(_text: str) -> None:
    pass


def site_of(home: Home, *, renew_taken_ports: bool = False) -> Site:
    """Return the site of a home, which is made when it is absent."""
    home.create()
    ports = home.ports(PORT_NAMES, renew_taken=renew_taken_ports)
    return Site(home, ports, str(web_files_folder()), dict(os.environ))


@asynccontextmanager
async def started(home: Home, *, quiet: bool, say: Say) -> AsyncGenerator[Marketplace]:
    """Give a marketplace of which everything is ready; nothing is left running afterwards.

    Raises `AlreadyRunning`, `NotStarted`, `DownloadFailed` and what engines raise.
    """
    home.create()
    async with only_launcher(home) as leftovers:
        if leftovers:
            say(f"Ended what a killed launcher had left: {', '.join(leftovers)}")
        await fetch_web_files()
        site = site_of(home, renew_taken_ports=True)
        _tell_operators(site)
        async with launched(home, table(site), quiet=quiet):
            yield Marketplace(site)


def _tell_operators(site: Site) -> None:
    """Write what `python -m ops` needs to find this marketplace, for people who type it."""
    told = site.environment("ops").items()
    lines = [f"{name}={value}" for name, value in told if name.startswith(OPS_NAMES)]
    write_whole(site.home.ops_settings, "\n".join(lines) + "\n", mode=0o600)


def is_running(home: Home) -> bool:
    """Whether a launcher keeps this home's marketplace now."""
    launcher = Running.read(home.running).processes.get("launcher")
    return launcher is not None and launcher.started == start_time(launcher.pid)
