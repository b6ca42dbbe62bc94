"""What operators watch: the trace that follows one cause through all services, and metrics.

The trace context is W3C's (https://www.w3.org/TR/trace-context/): it enters with the HTTP request,
rides in the outbox row and the Kafka headers, and is current again while the event is handled.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

REQUESTS = Counter(
    "mentorium_http_requests_total",
    "Requests answered.",
    ["route", "method", "status"],
    registry=REGISTRY,
)
REQUEST_SECONDS = Histogram(
    "mentorium_http_request_seconds",
    "Time from request to answer.",
    ["route", "method"],
    registry=REGISTRY,
)
EVENTS_PUBLISHED = Counter(
    "mentorium_outbox_published_total", "Events handed to Kafka.", ["topic"], registry=REGISTRY
)
EVENTS_HANDLED = Counter(
    "mentorium_inbox_events_total",
    "Events received, by what became of them.",
    ["topic", "outcome"],
    registry=REGISTRY,
)
TASK_RESTARTS = Counter(
    "mentorium_task_restarts_total",
    "Tasks that failed and began anew.",
    ["task"],
    registry=REGISTRY,
)
CLIENT_REBUILDS = Counter(
    "mentorium_kafka_client_rebuilds_total",
    "Kafka clients thrown away because they missed a deadline or stood still.",
    ["client"],
    registry=REGISTRY,
)
OUTBOX_PENDING = Gauge(
    "mentorium_outbox_pending", "Events committed and not yet published.", registry=REGISTRY
)
OUTBOX_OLDEST_SECONDS = Gauge(
    "mentorium_outbox_oldest_seconds", "Age of the oldest such event.", registry=REGISTRY
)
KEPT_EVENTS = Gauge(
    "mentorium_kept_events", "Events kept aside, by reason.", ["reason"], registry=REGISTRY
)

_TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def new_traceparent(parent: str | None = None) -> str:
    """Return a trace context: a child of `parent` when that is well-formed, else a new trace."""
    found = _TRACEPARENT.match(parent) if parent else None
    trace_id = found[1] if found else secrets.token_hex(16)
    flags = found[3] if found else "01"
    return f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"


def current_traceparent() -> str | None:
    """Return the trace context of the work in hand, if there is one."""
    return _current.get()


def current_trace_id() -> str | None:
    """Return the 32 hex digits that join the logs of one cause, if there is one."""
    context = _current.get()
    return context.split("-")[1] if context else None


@contextmanager
def traced(parent: str | None) -> Generator[str]:
    """Make a child of `parent` the current trace context for the time of the block."""
    context = new_traceparent(parent)
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)
