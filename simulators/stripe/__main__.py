"""Run the simulator: `python -m simulators.stripe --port 0 --state DIR`."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from shared.clock import business_clock
from simulators.stripe.server import Settings, create_app

DRAIN_SECONDS = 5.0
CLOCK_FILE = "MENTORIUM_CLOCK_FILE"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators.stripe", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free one")
    parser.add_argument("--state", type=Path, help="folder of the state; in memory without it")
    parser.add_argument("--public-url", help="where browsers reach the hosted pages")
    parser.add_argument("--platform-webhook", help="URL that hears the platform's events")
    parser.add_argument("--platform-secret", default="", help="one or more, comma-separated")
    parser.add_argument("--connect-webhook", help="URL that hears connected accounts' events")
    parser.add_argument("--connect-secret", default="", help="one or more, comma-separated")
    return parser.parse_args()


def _settings(given: argparse.Namespace) -> Settings:
    return Settings(
        folder=given.state,
        public_url=given.public_url,
        platform_webhook=given.platform_webhook,
        platform_secrets=given.platform_secret.split(","),
        connect_webhook=given.connect_webhook,
        connect_secrets=given.connect_secret.split(","),
    )


async def _serve(given: argparse.Namespace) -> None:
    clock_file = os.environ.get(CLOCK_FILE)
    clock = business_clock(Path(clock_file) if clock_file else None)
    runner = web.AppRunner(create_app(_settings(given), clock), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, given.host, given.port, shutdown_timeout=DRAIN_SECONDS)
    await site.start()
    host, port = runner.addresses[0][:2]
    sys.stdout.write(f"stripe simulator on http://{host}:{port}\n")
    sys.stdout.flush()
    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    await stopped.wait()
    await runner.cleanup()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    asyncio.run(_serve(_arguments()))


if __name__ == "__main__":
    main()
