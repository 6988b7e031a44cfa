"""Logs, metrics and stages: every line about a message or job carries its correlation id, every figure a fixed name."""

import logging
import sys
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import orjson
import structlog
from opentelemetry import trace
from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from chassis import tracing
from chassis.messaging import current
from chassis.settings import Log

disable_created_metrics()  # type: ignore[no-untyped-call]

# Buckets reach from a fast commit to a file of millions of rows.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)

CONSUMED = Counter(
    "waybill_messages_consumed_total", "Messages by how they ended", ["topic", "consumer_group", "outcome"]
)
PROCESS_SECONDS = Histogram(
    "waybill_message_process_seconds", "Time to handle a message", ["topic", "consumer_group"], buckets=_SECONDS
)
LAG = Gauge("waybill_consumer_lag_records", "Messages not read yet", ["topic", "partition", "consumer_group"])
LAST_POLL = Gauge(
    "waybill_consumer_last_poll_timestamp_seconds", "When the broker last answered", ["topic", "consumer_group"]
)
DEAD_LETTERS = Counter("waybill_dead_letters_total", "Messages put aside", ["topic", "error_type"])
OUTBOX_PENDING = Gauge("waybill_outbox_pending_rows", "Events committed and not published yet")
OUTBOX_OLDEST = Gauge("waybill_outbox_oldest_pending_seconds", "Age of the oldest event not published yet")
OUTBOX_PUBLISHED = Counter("waybill_outbox_published_total", "Events published")
FILES = Counter("waybill_files_total", "Files by where they came from and how they ended", ["source", "status"])
ROWS = Counter("waybill_rows_total", "Rows by what became of them", ["organisation", "table", "outcome"])
LOAD_SECONDS = Histogram("waybill_load_seconds", "Time to load a file into the warehouse", buckets=_SECONDS)
STAGE_SECONDS = Histogram("waybill_stage_seconds", "Time of a stage", ["service", "stage"], buckets=_SECONDS)
MISSED = Counter("waybill_notification_missed_total", "Objects found by the sweep that no notification named")
OPEN_REJECTS = Gauge("waybill_rejects_open_rows", "Rejected rows that nothing corrected yet", ["organisation", "table"])
BUILD_INFO = Gauge("waybill_build_info", "Constant 1, labelled with the version", ["version"])

log = structlog.get_logger()


@contextmanager
def stage(service: str, name: str) -> Iterator[None]:
    """Measure the block as a stage of the service, and trace it where tracing is on."""
    started = time.perf_counter()
    try:
        with tracing.span(name, current.get().trace):
            yield
    finally:
        STAGE_SECONDS.labels(service, name).observe(time.perf_counter() - started)


def set_up(service: str, settings: Log) -> None:
    """Logs to stderr, build info, and traces where an exporter is configured; once a process."""
    BUILD_INFO.labels(metadata.version("chassis")).set(1)
    tracing.set_up(service)
    _set_up_logs(service, settings)


def _set_up_logs(service: str, settings: Log) -> None:
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_context(service),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.level)),
        cache_logger_on_first_use=True,
    )
    renderer = (
        structlog.processors.JSONRenderer(serializer=lambda line, **_: orjson.dumps(line, default=str).decode())
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    handler.addFilter(Throttle())
    logging.basicConfig(handlers=[handler], level=settings.level, force=True)
    for library in ("aiokafka", "asyncio", "botocore", "pymongo"):
        logging.getLogger(library).setLevel(logging.WARNING)


def _add_context(service: str) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line["service"] = service
        if correlation_id := current.get().correlation_id:
            line.setdefault("correlation_id", correlation_id)
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"] = trace.format_trace_id(span.trace_id)
        return line

    return add


class Throttle(logging.Filter):
    """Lets the Kafka client say a thing once in some seconds: while Kafka is away it says it many times a second."""

    def __init__(self, seconds: float = 10.0) -> None:
        super().__init__()
        self._seconds = seconds
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        # Our own lines arrive as dicts and pass.
        if not isinstance(record.msg, str) or not record.name.startswith(("aiokafka", "chassis.faststream")):
            return True
        now, key = time.monotonic(), (record.name, record.msg[:60])
        if now - self._said.get(key, -self._seconds) < self._seconds:
            return False
        self._said[key] = now
        return True
