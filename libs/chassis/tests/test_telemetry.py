"""Names of figures, lines of the log, and traces that go on."""

import json
import logging
import re
import subprocess
import sys

import pytest
from chassis import telemetry, tracing
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import generate_latest

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_figures_have_the_agreed_names_and_no_topic_in_them() -> None:
    names = set(re.findall(r"^# TYPE (waybill_\S+)", generate_latest().decode(), re.MULTILINE))
    assert names == {
        "waybill_messages_consumed_total",
        "waybill_message_process_seconds",
        "waybill_consumer_lag_records",
        "waybill_consumer_last_poll_timestamp_seconds",
        "waybill_dead_letters_total",
        "waybill_outbox_pending_rows",
        "waybill_outbox_oldest_pending_seconds",
        "waybill_outbox_published_total",
        "waybill_files_total",
        "waybill_rows_total",
        "waybill_load_seconds",
        "waybill_stage_seconds",
        "waybill_notification_missed_total",
        "waybill_rejects_open_rows",
        "waybill_build_info",
    }


def test_without_an_exporter_the_trace_is_handed_on_as_it_came() -> None:
    with tracing.span("process", {"traceparent": TRACEPARENT}):
        assert tracing.headers() == {"traceparent": TRACEPARENT}


def test_no_trace_is_invented_where_there_was_none() -> None:
    with tracing.span("process", {}):
        assert tracing.headers() == {}


def test_with_an_exporter_what_is_sent_is_a_child_of_what_was_received(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_tracer", TracerProvider().get_tracer("test"))
    with tracing.span("process", {"traceparent": TRACEPARENT}) as received:
        sent = tracing.headers()["traceparent"].split("-")
        with tracing.span("stage", {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}) as inner:
            assert inner.get_span_context().trace_id == received.get_span_context().trace_id
    assert sent[1] == TRACEPARENT.split("-")[1]
    assert sent[2] == trace.format_span_id(received.get_span_context().span_id) != TRACEPARENT.split("-")[2]


def test_a_library_that_repeats_itself_is_heard_once_in_a_while() -> None:
    throttle = telemetry.Throttle(seconds=60)

    def passes(name: str, text: str) -> bool:
        return throttle.filter(logging.LogRecord(name, logging.ERROR, "", 1, text, (), None))

    assert [passes("aiokafka.client", "no connection") for _ in range(3)] == [True, False, False]
    assert passes("aiokafka.client", "something else")
    assert [passes("registry", "no connection") for _ in range(2)] == [True, True]


LOGGING = """
import logging
from chassis.messaging import Context, current
from chassis.settings import Log
from chassis.telemetry import log, set_up
set_up("smoke", Log())
log.info("before")
current.set(Context(correlation_id="f1"))
log.info("within", rows=3)
logging.getLogger("aiokafka.consumer").error("also within")
try:
    secret = "hush"
    raise ValueError("wrong")
except ValueError as error:
    log.error("failed", exc_info=error)
"""


def test_every_line_within_a_message_or_job_carries_its_correlation_id() -> None:
    ran = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, check=True, text=True)
    before, within, library, failed = map(json.loads, ran.stderr.splitlines())
    assert "correlation_id" not in before
    assert (within["correlation_id"], within["rows"], within["service"]) == ("f1", 3, "smoke")
    assert (library["correlation_id"], library["event"]) == ("f1", "also within")
    assert "ValueError: wrong" in failed["exception"]
    assert "hush" not in ran.stderr
