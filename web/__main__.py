"""Start the web client: `python -m web --host 127.0.0.1 --port 8000`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from aiohttp import web

from shared.config import CommonSettings, load
from shared.log import configure_logs, logger
from shared.telemetry import begin_tracing, end_tracing
from shared.web.server import runner
from web.app import build
from web.config import WebSettings

VERSION = "1.0.0"
DRAIN_SECONDS = 8.0
NOTICE_SECONDS = 0.2
"""How long readiness is off before the server stops taking, so that balancers see it."""

_log = logger("process")


def main() -> None:
    """Serve until SIGTERM or SIGINT; finish what has begun, then end with 0."""
    parser = argparse.ArgumentParser(prog="python -m web")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    asked = parser.parse_args()
    common, settings = load(CommonSettings), load(WebSettings)
    configure_logs("web", form=common.log_format, level=common.log_level)
    begin_tracing("web", VERSION, common.otel_exporter_otlp_endpoint)
    asyncio.run(_serve(settings, common, asked.host, asked.port))
    end_tracing()


async def _serve(settings: WebSettings, common: CommonSettings, host: str, port: int) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    serving = runner(build(settings, common, stopping), drain_seconds=DRAIN_SECONDS)
    await serving.setup()
    await web.TCPSite(serving, host, port, reuse_address=True).start()
    _log.info("listening", url=f"http://{host}:{serving.addresses[0][1]}")
    await stopping.wait()
    _log.info("draining")
    await asyncio.sleep(NOTICE_SECONDS)
    await serving.cleanup()
    _log.info("stopped")


if __name__ == "__main__":
    sys.exit(main())
