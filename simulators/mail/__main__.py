"""Start the mailbox: `python -m simulators.mail --smtp-port N --port N --state DIR`."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from aiohttp import web

from simulators.mail.app import make_app
from simulators.mail.faults import Faults
from simulators.mail.smtp import listen
from simulators.mail.store import Store

_HOST = "127.0.0.1"
_DRAIN_SECONDS = 2.0


def main() -> None:
    """Serve SMTP and HTTP until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="simulators.mail", description=__doc__)
    parser.add_argument("--host", default=_HOST, help="address to listen on")
    parser.add_argument("--smtp-port", type=int, required=True, help="where mail comes in")
    parser.add_argument("--port", type=int, required=True, help="where people and tests read it")
    parser.add_argument("--state", type=Path, required=True, help="folder that keeps the mail")
    asyncio.run(_serve(parser.parse_args()))


async def _serve(options: argparse.Namespace) -> None:
    options.state.mkdir(parents=True, exist_ok=True)
    store, faults = Store(options.state / "mail.sqlite"), Faults()
    stopped = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    smtp = await listen(store, faults, options.host, options.smtp_port)
    runner = web.AppRunner(make_app(store, faults), shutdown_timeout=_DRAIN_SECONDS)
    try:
        await runner.setup()
        await web.TCPSite(runner, options.host, options.port).start()
        await stopped.wait()
    finally:
        smtp.close()
        await runner.cleanup()
        store.close()


if __name__ == "__main__":
    main()
