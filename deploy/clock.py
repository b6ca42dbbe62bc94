"""`python -m deploy.clock advance 3d | set INSTANT | show`: the business clock of the containers.

For development: production has no clock file. It walks from one due instant to the next and lets
the marketplace come to rest at each, as `python -m dev clock` does for the embedded one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import datetime
from pathlib import Path

from dev.clock import advance, parse_instant, parse_span
from ops.config import CannotOperate, OpsSettings
from ops.rest import Marketplace, NotAtRest
from shared.clock import ClockMovedBack, business_clock
from shared.config import CommonSettings, load


def main() -> None:
    """Move or show the clock; end with 2 when it cannot be moved."""
    parser = argparse.ArgumentParser(prog="clock", description=__doc__)
    parser.add_argument("what", choices=("show", "advance", "set"))
    parser.add_argument("to", nargs="?", help="a span like 3d, or an instant in ISO 8601")
    asked = parser.parse_args()
    common = load(CommonSettings)
    if common.mentorium_clock_file is None:
        sys.exit("set MENTORIUM_CLOCK_FILE: without one the business clock is the system's")
    now = business_clock(common.mentorium_clock_file).now()
    if asked.what == "show":
        sys.stdout.write(f"{now.isoformat()}\n")
        return
    if not asked.to:
        parser.error(f"{asked.what} what?")
    try:
        target = parse_instant(asked.to) if asked.what == "set" else now + parse_span(asked.to)
        asyncio.run(_move(common, common.mentorium_clock_file, target))
    except (ValueError, CannotOperate, ClockMovedBack, NotAtRest) as error:
        sys.exit(str(error))


async def _move(common: CommonSettings, clock_file: Path, target: datetime) -> None:
    settings = load(OpsSettings)
    market = Marketplace(
        settings.reading_url(),
        common.kafka_bootstrap_servers,
        common.kafka_topic_prefix,
        settings.stripe_base_url,
    )
    await advance(market, clock_file, target, lambda text: print(text, flush=True))  # noqa: T201


if __name__ == "__main__":
    main()
