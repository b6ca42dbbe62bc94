"""Traces: one cause, followed through HTTP, SQL, the outbox, Kafka and calls to the outside.

The trace context is W3C's (https://www.w3.org/TR/trace-context/): it enters with the HTTP request,
rides in the outbox row and the Kafka headers, and is current again while the event is handled. It
is always there, for the logs. Spans are made of it only when a collector is named by the standard
setting OTEL_EXPORTER_OTLP_ENDPOINT; without it nothing of OpenTelemetry is even imported. Names
and attributes follow its semantic conventions and carry no value that a person gave.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from typing import Any, Protocol

_TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+([a-z_.]+)", re.IGNORECASE)
_CHANGE = re.compile(r"\b(?:(INSERT) INTO|(DELETE) FROM|(UPDATE)(?! SET| SKIP| OF))\s+([a-z_.]+)")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)

Attributes = Mapping[str, str | int]


class SpanKind(Enum):
    """Which side of a boundary the work is on, in the words of OpenTelemetry."""

    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Work(Protocol):
    """A piece of work in hand; `traceparent` is what whoever continues it is given."""

    @property
    def traceparent(self) -> str:
        """Return the trace context of this piece."""
        ...

    def note(self, name: str, value: str | int) -> None:
        """Add something that is known only now."""
        ...

    def fail(self, kind: str) -> None:
        """Mark it as failed; `kind` names the error and never quotes it."""
        ...

    def end(self, at_nanoseconds: int | None = None) -> None:
        """Say that it is over."""
        ...


class Tracer(Protocol):
    """Whoever makes spans of work."""

    def begin(
        self,
        name: str,
        kind: SpanKind,
        parent: str | None,
        attributes: Attributes,
        at_nanoseconds: int | None = None,
    ) -> Work:
        """Begin a span below `parent`, or a new trace."""
        ...

    def close(self) -> None:
        """Hand over what is left; waits no longer than a deadline."""
        ...


class _Unwatched:
    """Work that nobody makes a span of: its trace goes on in logs and headers."""

    def __init__(self, parent: str | None) -> None:
        self.traceparent = new_traceparent(parent)

    def note(self, name: str, value: str | int) -> None:
        """Nobody listens."""

    def fail(self, kind: str) -> None:
        """Nobody listens."""

    def end(self, at_nanoseconds: int | None = None) -> None:
        """Nobody listens."""


_tracers: list[Tracer] = []
"""The one tracer of the process, while there is one."""


def begin_tracing(process: str, version: str, endpoint: str | None) -> None:
    """Make spans from now on if there is an `endpoint` to send them to.

    Ends the process with a word of explanation when the extra `telemetry` is not installed.
    """
    if endpoint is None:
        return
    try:
        from shared.telemetry.otlp import OtlpTracer
    except ImportError as missing:
        raise SystemExit(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set and {missing.name} is not installed:"
            " install the extra `telemetry`, or unset it"
        ) from None
    _tracers.append(OtlpTracer(process, version))


def end_tracing() -> None:
    """Hand over the last spans and make no more."""
    while _tracers:
        _tracers.pop().close()


def tracing() -> bool:
    """Return whether spans are made."""
    return bool(_tracers)


def new_traceparent(parent: str | None = None) -> str:
    """Return a trace context: a child of `parent` when that is well-formed, else a new trace."""
    found = _TRACEPARENT.match(parent) if parent else None
    trace_id = found[1] if found else secrets.token_hex(16)
    flags = found[3] if found else "01"
    return f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"


def parts_of(traceparent: str | None) -> tuple[int, int, int] | None:
    """Return trace, span and flags as numbers, or nothing for what is not well-formed."""
    found = _TRACEPARENT.match(traceparent) if traceparent else None
    return (int(found[1], 16), int(found[2], 16), int(found[3], 16)) if found else None


def current_traceparent() -> str | None:
    """Return the trace context of the work in hand, if there is one."""
    return _current.get()


def current_trace_id() -> str | None:
    """Return the 32 hex digits that join the logs of one cause, if there is one."""
    context = _current.get()
    return context.split("-")[1] if context else None


@contextmanager
def traced(
    parent: str | None, name: str, kind: SpanKind, attributes: Attributes | None = None
) -> Generator[Work]:
    """Make a child of `parent` (or a new trace) current for the time of the block.

    `name` has few different values: a route, a topic, a kind of call; never an id.
    """
    work = begin(name, kind, parent, attributes or {})
    token = _current.set(work.traceparent)
    try:
        yield work
    except BaseException as error:
        work.fail(type(error).__name__)
        raise
    finally:
        _current.reset(token)
        work.end()


def begin(
    name: str,
    kind: SpanKind,
    parent: str | None,
    attributes: Attributes,
    at_nanoseconds: int | None = None,
) -> Work:
    """Begin a piece of work that whoever asks ends."""
    if not _tracers:
        return _Unwatched(parent)
    return _tracers[-1].begin(name, kind, parent, attributes, at_nanoseconds)


class _Asked(Protocol):
    """What asyncpg tells after a statement."""

    query: str
    elapsed: float
    exception: BaseException | None


class _Listenable(Protocol):
    def add_query_logger(self, callback: Callable[[Any], None]) -> None: ...


def follow_statements(conn: _Listenable) -> None:
    """Make a span of every statement of a connection that belongs to a cause."""
    if _tracers:
        conn.add_query_logger(_follow)


def _follow(asked: _Asked) -> None:
    """Tell of a statement that just ended: its text has places for values, and no values."""
    parent = _current.get()
    if parent is None:  # Loops that look whether there is anything to do.
        return
    ended = time.time_ns()
    summary = _summary(asked.query)
    attributes = {
        "db.system.name": "postgresql",
        "db.query.summary": summary,
        "db.query.text": asked.query.strip(),
    }
    began = ended - int(asked.elapsed * 1e9)
    work = begin(summary, SpanKind.CLIENT, parent, attributes, began)
    if asked.exception is not None:
        work.fail(type(asked.exception).__name__)
    work.end(ended)


def _summary(statement: str) -> str:
    """Return what a statement does to which table, for example `INSERT outbox`."""
    verb = statement.split(None, 1)[0].strip(";").upper() if statement.strip() else "EMPTY"
    if verb == "WITH" and (changes := _CHANGE.findall(statement)):
        return " ".join(word for change in changes for word in change if word)
    table = _TABLE.search(statement)
    return f"{verb} {table[1]}" if table else verb
