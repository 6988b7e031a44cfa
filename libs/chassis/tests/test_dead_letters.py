"""What a dead letter says of itself."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from chassis.dead_letters import MAX_ERROR_BYTES, Death, original_headers

RECORD: Any = SimpleNamespace(topic="waybill.files", partition=3, offset=17)


def death(text: str) -> Death:
    failed_at = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
    return Death("loader", "waybill.loader.files", ValueError(text), 3, failed_at)


def test_a_dead_letter_says_where_it_came_from_and_why() -> None:
    assert death("no good").headers(RECORD) == [
        ("waybill-dead-topic", b"waybill.files"),
        ("waybill-dead-partition", b"3"),
        ("waybill-dead-offset", b"17"),
        ("waybill-dead-group", b"waybill.loader.files"),
        ("waybill-dead-error-type", b"ValueError"),
        ("waybill-dead-error", b"no good"),
        ("waybill-dead-attempts", b"3"),
        ("waybill-dead-first-failed-at", b"2026-11-21T08:30:00Z"),
        ("waybill-dead-service", b"loader"),
    ]


def test_a_long_error_is_cut_between_characters() -> None:
    error = dict(death("x" + "é" * MAX_ERROR_BYTES).headers(RECORD))["waybill-dead-error"]
    assert len(error) == MAX_ERROR_BYTES - 1
    assert error.decode().endswith("é")


def test_what_was_added_can_be_taken_off_again() -> None:
    headers: Any = [("ce_id", b"1"), ("odd", None), ("odd", b"\xff")]
    assert original_headers(headers + death("no good").headers(RECORD)) == headers
