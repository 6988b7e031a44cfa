"""Any event survives the way through a message; any message that is not one ends in one of four errors."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from uuid import UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka, to_structured
from cloudevents.core.formats.json import JSONFormat
from generated import events
from hypothesis import given, settings
from hypothesis import strategies as st
from waybill_contracts import (
    EVENTS,
    CodecError,
    Event,
    FileGone,
    FileSkipped,
    RetryRequested,
    Tombstone,
    UnknownType,
    UnknownVersion,
    Unreadable,
    decode,
    encode,
)

NAUGHTY = json.loads((Path(__file__).parent / "naughty-strings" / "blns.json").read_text())
NOW = datetime(2026, 11, 21, 8, 30, 0, 123456, tzinfo=UTC)
FILE = UUID("0193f0c8-0000-7000-8000-000000000001")
SKIPPED = FileSkipped(organisation="acme", table="orders", file_id=FILE, attempt=3, twin_file_id=FILE)


def sent(event: Event = SKIPPED, **changes: bytes | None) -> tuple[bytes, list[tuple[str, bytes | None]]]:
    """Value and headers of the event as a message, some headers replaced."""
    message = encode(event, source="/waybill/ingestor", time=NOW)
    headers = dict[str, bytes | None](message.headers) | changes
    return message.value, list(headers.items())


@pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.__name__)
@settings(max_examples=40)
@given(data=st.data())
def test_every_event_comes_back_as_it_was_sent(model: type[Event], data: st.DataObject) -> None:
    event = data.draw(events(model))
    message = encode(event, source="/waybill/x", time=NOW, causation_id=FILE, replay_id="again")
    decoded = decode(message.value, message.headers)
    assert decoded.event == event
    assert decoded.event.model_dump_json().encode() == message.value
    assert (decoded.id, decoded.source, decoded.time) == (event.id, "/waybill/x", NOW)
    assert (decoded.causation_id, decoded.replay_id) == (str(FILE), "again")


@pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.__name__)
@settings(max_examples=40)
@given(data=st.data())
def test_the_cloudevents_sdk_reads_what_we_write_and_we_read_what_it_writes(
    model: type[Event], data: st.DataObject
) -> None:
    event = data.draw(events(model))
    message = encode(event, source="/waybill/x", time=NOW)
    foreign = from_kafka(
        KafkaMessage(headers=dict(message.headers), key=message.key, value=message.value), JSONFormat()
    )
    assert foreign.get_id() == str(event.id)
    assert foreign.get_type() == event.type
    assert foreign.get_subject() == event.subject
    assert foreign.get_time() == NOW
    assert foreign.get_extension("partitionkey") == message.key.decode()
    assert foreign.get_data() == json.loads(message.value)
    structured = to_structured(foreign, JSONFormat())
    assert decode(structured.value, list(structured.headers.items())).event == event


def test_the_headers_are_exactly_those_of_the_conventions() -> None:
    trace = [("traceparent", "00-" + "1" * 32 + "-" + "2" * 16 + "-01"), ("baggage", "a=b"), ("other", "no")]
    local = NOW.astimezone(timezone(timedelta(hours=2)))
    message = encode(
        SKIPPED, source="/waybill/ingestor", time=local, namespace="test7", causation_id=FILE, trace_headers=trace
    )
    assert (message.topic, message.key) == ("test7.records", b"acme/orders")
    assert message.headers == [
        ("content-type", b"application/json"),
        ("ce_specversion", b"1.0"),
        ("ce_id", str(SKIPPED.id).encode()),
        ("ce_source", b"/waybill/ingestor"),
        ("ce_type", b"waybill.file-skipped.v1"),
        ("ce_time", b"2026-11-21T08:30:00.123456Z"),
        ("ce_subject", b"acme/orders"),
        ("ce_dataschema", b"urn:waybill:schema:file-skipped:v1"),
        ("ce_partitionkey", b"acme/orders"),
        ("ce_correlationid", str(FILE).encode()),
        ("ce_causationid", str(FILE).encode()),
        ("correlation_id", str(FILE).encode()),
        ("traceparent", trace[0][1].encode()),
        ("baggage", b"a=b"),
    ]
    assert decode(message.value, message.headers).trace_headers == dict(trace[:2])


def test_a_file_is_correlated_by_its_id_and_anything_else_by_what_led_to_it() -> None:
    request = RetryRequested(organisation="acme", table="orders", file_id=FILE, attempt=1, user="ann")
    assert decode(*sent(request)).correlation_id == str(FILE)
    message = encode(SKIPPED, source="/x", time=NOW, correlation_id="else")
    assert dict(message.headers)["ce_correlationid"] == str(FILE).encode()


def test_a_request_keeps_the_id_it_was_sent_with() -> None:
    request = RetryRequested(organisation="acme", table="orders", file_id=FILE, attempt=1, user="ann")
    again = RetryRequested(organisation="acme", table="orders", file_id=FILE, attempt=1, user="ann")
    assert decode(*sent(request)).event.id == request.id != again.id


def test_fields_of_a_newer_writer_are_ignored() -> None:
    value, headers = sent()
    assert decode(json.dumps(json.loads(value) | {"later": {"x": 1}}).encode(), headers).event == SKIPPED


def test_a_null_value_is_a_tombstone() -> None:
    with pytest.raises(Tombstone):
        decode(None, sent()[1])


@pytest.mark.parametrize(
    "ce_type", [b"waybill.file-scored.v1", b"com.example.order", b"waybill.file-skipped", b"\xc3\xa9"]
)
def test_a_type_of_others_is_unknown(ce_type: bytes) -> None:
    value, headers = sent(ce_type=ce_type)
    with pytest.raises(UnknownType):
        decode(value, headers)


@pytest.mark.parametrize("version", [b"v2", b"v0", b"vx", b"v"])
def test_another_version_of_a_known_type_is_told_apart(version: bytes) -> None:
    value, headers = sent(ce_type=b"waybill.file-skipped." + version)
    with pytest.raises(UnknownVersion):
        decode(value, headers)


@pytest.mark.parametrize(
    "changes",
    [
        {"ce_id": None},
        {"ce_id": b"not-a-uuid"},
        {"ce_id": str(FILE).encode()},
        {"ce_id": b""},
        {"ce_source": b""},
        {"ce_type": b""},
        {"ce_time": b"yesterday"},
        {"ce_time": b"2026-11-21T08:30:00"},
        {"ce_specversion": b"0.3"},
        {"ce_subject": b"\xff"},
        {"content-type": b"application/avro"},
        {"traceparent": None},
        {"x-anything": b"\x80"},
    ],
)
def test_a_broken_envelope_is_unreadable(changes: dict[str, bytes | None]) -> None:
    value, headers = sent(**changes)
    with pytest.raises(Unreadable):
        decode(value, headers)


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_type", "ce_time", "ce_specversion"])
def test_a_missing_attribute_is_unreadable_and_named(name: str) -> None:
    value, headers = sent()
    with pytest.raises(Unreadable, match=name[3:]):
        decode(value, [header for header in headers if header[0] != name])


def test_a_header_that_comes_twice_is_unreadable() -> None:
    value, headers = sent()
    with pytest.raises(Unreadable, match="ce_id"):
        decode(value, [*headers, ("CE_ID", b"x")])


def test_a_message_without_an_envelope_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        decode(sent()[0], [("content-type", b"application/json")])


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"1", b"null", b"\xff", b'{"a": NaN}', b"[" * 100_000, b'{"organisation": "\\ud800"}'],
)
def test_a_broken_body_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(body, sent()[1])
    with pytest.raises(CodecError):
        decode(body, [("content-type", b"application/cloudevents+json")])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("organisation", 'acme"; drop'),
        ("organisation", "acme\n"),
        ("table", "_orders"),
        ("attempt", 2**63),
        ("attempt", 0),
        ("attempt", "3"),
        ("file_id", "secret-value"),
    ],
)
def test_a_body_outside_the_contract_is_unreadable_and_its_values_are_not_told(field: str, value: object) -> None:
    body, headers = sent()
    with pytest.raises(Unreadable, match=field) as caught:
        decode(json.dumps(json.loads(body) | {field: value}).encode(), headers)
    assert str(value) not in str(caught.value).replace(field, "")


def test_naughty_strings_pass_through_remarks_and_are_refused_in_the_envelope() -> None:
    assert len(NAUGHTY) > 500
    for text in NAUGHTY:
        check_naughty(text)


def check_naughty(text: str) -> None:
    request = RetryRequested(organisation="acme", table="orders", file_id=FILE, attempt=1, user=text, reason=text)
    decoded = decode(*sent(request)).event
    assert isinstance(decoded, RetryRequested)
    assert (decoded.user, decoded.reason) == (text, text)
    for name in ("ce_type", "ce_id", "ce_time", "ce_specversion", "content-type"):
        value, headers = sent(**{name: text.encode(errors="surrogatepass")})
        with pytest.raises(CodecError):
            decode(value, headers)


def test_what_a_database_cannot_hold_is_replaced_in_remarks_and_refused_in_names() -> None:
    request = RetryRequested(
        organisation="acme", table="orders", file_id=FILE, attempt=1, user="a\0b", reason="x" * 9999
    )
    assert (request.user, len(request.reason or "")) == ("a\ufffdb", 2000)
    with pytest.raises(ValueError, match="presence"):
        FileGone(organisation="acme", table="orders", file_id=FILE, presence="a\0b")


@given(
    value=st.binary() | st.sampled_from([sent()[0]]),
    headers=st.lists(
        st.tuples(st.sampled_from(["ce_type", "ce_id", "content-type", "x"]) | st.text(), st.none() | st.binary())
    ),
)
def test_nothing_else_than_a_codec_error_ever_comes_out(value: bytes, headers: list[tuple[str, bytes | None]]) -> None:
    with pytest.raises(CodecError):
        decode(value, headers)
