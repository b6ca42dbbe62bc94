"""The process that reads feeds: questions on standard input, answers on standard output.

A question is a line of JSON and the bytes it announces; an answer is a line of JSON. The process
ends when its input does, so it does not outlive the worker that started it.
"""

from __future__ import annotations

import json
import resource
import sys
from contextlib import suppress
from typing import Any

from services.booking.domain.calendars import FeedUnusable
from services.booking.domain.imports import read_feed
from services.booking.slots import Interval
from shared.clock import from_epoch_seconds, to_epoch_seconds

MEMORY_BYTES = 512 * 1024 * 1024


def main() -> None:
    """Answer until nobody asks any more."""
    # Not every system can promise it.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    while line := sys.stdin.buffer.readline():
        question = json.loads(line)
        content = sys.stdin.buffer.read(question["bytes"])
        sys.stdout.write(json.dumps(_answer(question, content)) + "\n")
        sys.stdout.flush()


def _answer(question: dict[str, Any], content: bytes) -> dict[str, Any]:
    window = Interval(*map(from_epoch_seconds, question["window"]))
    try:
        # Titles may be in any encoding; times are digits in all of them.
        reading = read_feed(content.decode(errors="replace"), question["zone"], window)
    except FeedUnusable as unusable:
        return {"failure": unusable.failure.value}
    return {
        "busy": [
            [to_epoch_seconds(busy.starts_at), to_epoch_seconds(busy.ends_at)]
            for busy in reading.busy
        ],
        "refresh": reading.refresh.total_seconds() if reading.refresh else None,
    }


if __name__ == "__main__":
    main()
