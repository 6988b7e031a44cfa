"""Traces: spans continue what a message or job was caused by; without an exporter they only hand the context on."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import propagate, trace
from opentelemetry.context import Context

from chassis import semconv

EXPORTER_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

Attributes = Mapping[str, str | int]

_tracer = trace.get_tracer("chassis")


def set_up(service: str) -> None:
    """Export spans where the standard variables name an endpoint; otherwise load nothing."""
    if not any(os.environ.get(name) for name in EXPORTER_VARIABLES):
        return
    # Slow to import, so only where they are wanted.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME", f"waybill-{service}")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


@contextmanager
def span(
    name: str,
    cause: Mapping[str, str],
    attributes: Attributes | None = None,
    kind: trace.SpanKind = trace.SpanKind.INTERNAL,
) -> Iterator[trace.Span]:
    """A span below the current one, or below the one whose headers the cause holds."""
    with _tracer.start_as_current_span(
        name, context=_parent(cause), kind=kind, attributes=dict(attributes or {})
    ) as it:
        try:
            yield it
        except BaseException as error:
            it.set_attribute(semconv.ERROR_TYPE, type(error).__qualname__)
            raise


def headers() -> dict[str, str]:
    """What continues the current span elsewhere: traceparent, tracestate, baggage."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


def _parent(cause: Mapping[str, str]) -> Context | None:
    if trace.get_current_span().get_span_context().is_valid:
        return None
    return propagate.extract(dict(cause))
