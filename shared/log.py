"""Structured logs, one line each, with the trace they belong to and without secrets."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, cast

# The console of structlog loads rich where that is installed, for tracebacks that are never shown
# here: 6 MB and a tenth of a second in each process.
_modules = cast("dict[str, object]", sys.modules)
_rich = _modules.setdefault("rich", None)

import structlog  # noqa: E402

if _rich is None:
    del _modules["rich"]

from shared.telemetry import current_trace_id  # noqa: E402

REDACTED = "[redacted]"
CALLS_AT_MOST = 8
CAUSES_AT_MOST = 4
SECRET_FIELDS = frozenset(
    """password token secret authorization cookie email name address link code sealed
    refresh_token access_token api_key locale zone""".split()
)
"""Names of fields whose value never reaches a log, at any depth."""

Line = MutableMapping[str, Any]


def _clean(fields: Mapping[str, object]) -> dict[str, object]:
    return {
        key: REDACTED
        if key.lower() in SECRET_FIELDS
        else _clean(cast("Mapping[str, object]", value))
        if isinstance(value, Mapping)
        else value
        for key, value in fields.items()
    }


def redact_secrets(_logger: Any, _method: str, line: Line) -> Line:
    """Replace the values of secret fields (a structlog processor)."""
    return _clean(line)


def add_trace(_logger: Any, _method: str, line: Line) -> Line:
    """Say which cause this line belongs to (a structlog processor)."""
    if trace_id := current_trace_id():
        line["trace_id"] = trace_id
    return line


def describe_error(_logger: Any, _method: str, line: Line) -> Line:
    """Say where an error came from, without its text (a structlog processor).

    The text of an unknown error may quote a row or a request; its kind and the way it took through
    the code are enough to find it.
    """
    given = line.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if error is not None:
        line["way"] = way_of(error)
    return line


def way_of(error: BaseException) -> list[str]:
    """Return the kinds of an error and of its causes, each with the calls that led to it."""
    way: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(way) < CAUSES_AT_MOST:
        calls = traceback.extract_tb(seen.__traceback__)[-CALLS_AT_MOST:]
        steps = " > ".join(f"{Path(c.filename).name}:{c.lineno} {c.name}" for c in calls)
        way.append(f"{type(seen).__name__}: {steps}")
        seen = seen.__cause__ or seen.__context__
    return way


def configure_logs(process: str, *, form: str, level: str) -> None:
    """Send every log line of this process to standard output; `form` is `json` or `console`."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            add_trace,
            describe_error,
            redact_secrets,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(name)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.ERROR)


def logger(room: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of one room of the house."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(room=room))
