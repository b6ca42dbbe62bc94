"""Spans by the official SDK, sent to a collector as OTLP over HTTP; imported only when asked for.

The trace context stays ours: every span gets its parent as an argument, and OpenTelemetry's own
notion of a current span is not used, so that there is one propagation and not two. Endpoint,
headers, sampling and resource are set by OpenTelemetry's own variables (OTEL_…).
"""

from __future__ import annotations

import threading

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from shared.telemetry.traces import Attributes, SpanKind, Work, parts_of

CLOSE_SECONDS = 3.0
"""How long the last spans may take to leave; then they are lost."""
_KINDS = {
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
    SpanKind.PRODUCER: trace.SpanKind.PRODUCER,
    SpanKind.CONSUMER: trace.SpanKind.CONSUMER,
}


class OtlpTracer:
    """Makes spans and sends them in batches from a thread of its own."""

    def __init__(self, process: str, version: str) -> None:
        """Speak as `process`, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say else."""
        ours = {
            "service.name": process,
            "service.namespace": "mentorium",
            "service.version": version,
        }
        resource = Resource.create(ours).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("mentorium", version)

    def begin(
        self,
        name: str,
        kind: SpanKind,
        parent: str | None,
        attributes: Attributes,
        at_nanoseconds: int | None = None,
    ) -> Work:
        """Begin a span below `parent`, or a new trace."""
        return _Span(
            self._tracer.start_span(
                name,
                context=_context_of(parent),
                kind=_KINDS[kind],
                attributes=attributes,
                start_time=at_nanoseconds,
                record_exception=False,
                set_status_on_exception=False,
            )
        )

    def close(self) -> None:
        """Send what is left; a collector that does not answer is not waited for."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)


class _Span:
    """Work that becomes a span."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        context = self._span.get_span_context()
        ids = f"{context.trace_id:032x}-{context.span_id:016x}"
        return f"00-{ids}-{context.trace_flags:02x}"

    def note(self, name: str, value: str | int) -> None:
        self._span.set_attribute(name, value)

    def fail(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(trace.StatusCode.ERROR)

    def end(self, at_nanoseconds: int | None = None) -> None:
        self._span.end(at_nanoseconds)


def _context_of(parent: str | None) -> Context:
    """Return what the SDK takes for a parent: never what it thinks is current."""
    found = parts_of(parent)
    if found is None:
        return Context()
    trace_id, span_id, flags = found
    known = trace.SpanContext(
        trace_id, span_id, is_remote=True, trace_flags=trace.TraceFlags(flags)
    )
    return trace.set_span_in_context(trace.NonRecordingSpan(known), Context())
