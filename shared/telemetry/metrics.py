"""Metrics: rate, errors and duration of all work, how full things are, and gauges of the business.

Names of labels and their values are few: routes, topics, kinds; never ids, never a person's words.
What happens in the business needs no counters of its own: every fact is counted by its type when
it leaves (`mentorium_outbox_published_total`), exactly as often as it was committed.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from shared.telemetry.traces import SpanKind, current_traceparent, traced

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets in seconds, for what should take milliseconds."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "_OTHER"

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
    buckets=QUICK,
)
OUTSIDE_CALLS = Counter(
    "mentorium_outside_calls_total",
    "Calls to outside parties, by what came of them.",
    ["party", "kind", "outcome"],
    registry=REGISTRY,
)
OUTSIDE_CALL_SECONDS = Histogram(
    "mentorium_outside_call_seconds",
    "Time such a call took.",
    ["party", "kind"],
    registry=REGISTRY,
)
EVENTS_PUBLISHED = Counter(
    "mentorium_outbox_published_total",
    "Facts handed to Kafka.",
    ["topic", "type"],
    registry=REGISTRY,
)
EVENTS_HANDLED = Counter(
    "mentorium_inbox_events_total",
    "Events received, by what became of them.",
    ["topic", "outcome"],
    registry=REGISTRY,
)
HANDLING_SECONDS = Histogram(
    "mentorium_inbox_seconds",
    "Time from the record to its commit.",
    ["topic"],
    registry=REGISTRY,
    buckets=QUICK,
)
CONSUMER_LAG = Gauge(
    "mentorium_consumer_lag",
    "Records before this process on the partitions it reads.",
    ["topic", "partition"],
    registry=REGISTRY,
)
LOOP_SECONDS = Histogram(
    "mentorium_loop_seconds",
    "Time one turn of a worker's loop took.",
    ["loop"],
    registry=REGISTRY,
    buckets=QUICK,
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
EVENT_LOOP_LAG = Histogram(
    "mentorium_event_loop_lag_seconds",
    "How late the process wakes up when it wants to.",
    registry=REGISTRY,
    buckets=QUICK,
)
POOL_CONNECTIONS = Gauge(
    "mentorium_db_pool_connections",
    "Database connections: in use, open, and how many there may be.",
    ["state"],
    registry=REGISTRY,
)
POOL_WAIT_SECONDS = Histogram(
    "mentorium_db_pool_wait_seconds",
    "Time until a connection was free.",
    registry=REGISTRY,
    buckets=QUICK,
)
GAUGES_MEASURED_AT = Gauge(
    "mentorium_gauges_measured_timestamp_seconds",
    "When gauges were last read (system time): those of every service, or its own.",
    ["of"],
    registry=REGISTRY,
)
GAUGES_FAILED = Counter(
    "mentorium_gauge_failures_total",
    "Gauges that could not be read from the database.",
    ["gauge"],
    registry=REGISTRY,
)


@dataclass(frozen=True)
class Measure:
    """A gauge that is read from the database.

    `sql` takes the present business instant as `$1` and returns a column `value` and one column
    per label. It is read again when `every_seconds` have gone by.
    """

    name: str
    meaning: str
    sql: str
    labels: tuple[str, ...] = ()
    every_seconds: float = 5.0


@cache
def gauge_of(measure: Measure) -> Gauge:
    """Return the gauge of a measure; it is shown from the first time it is asked for."""
    return Gauge(measure.name, measure.meaning, measure.labels, registry=REGISTRY)


def counted_method(method: str) -> str:
    """Return an HTTP method as it is counted: whoever invents one makes no new series."""
    return method if method in METHODS else OTHER_METHOD


class OutsideCall:
    """A call to an outside party in progress; whoever makes it says what came of it."""

    outcome = "unfinished"


@contextmanager
def outside_call(party: str, kind: str, cause: str | None = None) -> Generator[OutsideCall]:
    """Count, time and trace a call; `cause` is the trace it belongs to, if not the current one."""
    call = OutsideCall()
    began = perf_counter()
    parent = cause or current_traceparent()
    try:
        with traced(parent, f"{party} {kind}", SpanKind.CLIENT, {"peer.service": party}) as work:
            yield call
            work.note("mentorium.outcome", call.outcome)
    finally:
        OUTSIDE_CALLS.labels(party, kind, call.outcome).inc()
        OUTSIDE_CALL_SECONDS.labels(party, kind).observe(perf_counter() - began)
