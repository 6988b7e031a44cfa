"""Events to Kafka messages and back: CloudEvents 1.0, binary mode written, binary and structured mode read."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID

import orjson
from pydantic import ValidationError

from waybill_contracts.event import Event, Request
from waybill_contracts.files import FileGone, FileRegistered
from waybill_contracts.loads import FileLoaded
from waybill_contracts.records import FileFailed, FileHeld, FileRefused, FileSkipped, RecordsIngested
from waybill_contracts.requests import DecisionRequested, DeclarationRequested, RetryRequested

EVENTS: tuple[type[Event], ...] = (
    FileRegistered,
    FileGone,
    RecordsIngested,
    FileSkipped,
    FileHeld,
    FileRefused,
    FileFailed,
    FileLoaded,
    RetryRequested,
    DecisionRequested,
    DeclarationRequested,
)
TYPES: Mapping[str, type[Event]] = {event.type: event for event in EVENTS}

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
UPCASTS: Mapping[str, Upcast] = {
    # What a declaration said in version 1, version 2 says in the same words.
    "waybill.file-registered.v1": dict,
    "waybill.declaration-requested.v1": dict,
}
"""Old ce_type -> what turns its body into that of the next version."""

JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
REPLAY_HEADER = "waybill-replay-id"
TRACE_HEADERS = ("traceparent", "tracestate", "baggage")
SHOWN_PROBLEMS = 3
SHOWN_CHARACTERS = 120


class CodecError(ValueError):
    """A message that gives no event; the text names attributes and fields, never business values."""


class Tombstone(CodecError):
    """A null value: the key is to be forgotten. Nothing to handle."""


class UnknownType(CodecError):
    """An event of somebody else's: to be skipped and counted."""


class UnknownVersion(CodecError):
    """A type we know in a version we do not: a dead letter."""


class Unreadable(CodecError):
    """Not a message of the contract: a dead letter."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent to Kafka."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Decoded:
    """An event and what its envelope says of it."""

    event: Event
    id: UUID
    source: str
    time: datetime
    correlation_id: str
    causation_id: str | None
    replay_id: str | None
    trace_headers: dict[str, str]


def dataschema(ce_type: str) -> str:
    """`urn:waybill:schema:file-registered:v1`: the `$id` of the type's JSON schema."""
    return "urn:waybill:schema:" + ":".join(ce_type.split(".")[1:])


def encode(  # noqa: PLR0913 (the envelope's attributes, each by name)
    event: Event,
    *,
    source: str,
    time: datetime,
    namespace: str = "waybill",
    causation_id: UUID | str | None = None,
    correlation_id: UUID | str | None = None,
    replay_id: UUID | str | None = None,
    trace_headers: Iterable[tuple[str, str]] = (),
) -> Message:
    """The event as a message; what is said of a file is always correlated by the file's id."""
    if time.tzinfo is None:
        raise ValueError("time: expected an aware datetime")
    correlation = event.correlation_id or str(correlation_id or event.id)
    texts: dict[str, object | None] = {
        "content-type": JSON,
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_source": source,
        "ce_type": event.type,
        "ce_time": time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "ce_subject": event.subject,
        "ce_dataschema": dataschema(event.type),
        "ce_partitionkey": event.message_key,
        "ce_correlationid": correlation,
        "ce_causationid": causation_id,
        "correlation_id": correlation,
        REPLAY_HEADER: replay_id,
        **{name: value for name, value in trace_headers if name in TRACE_HEADERS},
    }
    return Message(
        topic=f"{namespace}.{event.topic}",
        key=event.message_key.encode(),
        value=event.model_dump_json().encode(),
        headers=[(name, str(text).encode()) for name, text in texts.items() if text is not None],
    )


def decode(
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    *,
    types: Mapping[str, type[Event]] = TYPES,
    upcasts: Mapping[str, Upcast] = UPCASTS,
) -> Decoded:
    """The event of a message; otherwise Tombstone, UnknownType, UnknownVersion or Unreadable, and no other error."""
    if value is None:
        raise Tombstone("null value")
    texts = _texts(headers)
    attributes = {name[3:]: text for name, text in texts.items() if name.startswith("ce_")}
    if attributes:
        body = value
        _check_media_type(texts.get("content-type", JSON))
    elif _media_type(texts.get("content-type", "")) == STRUCTURED:
        attributes, body = _unwrap(value)
    else:
        raise Unreadable(f"expected ce_ headers or content-type {STRUCTURED}")
    event = _event(_required(attributes, "type"), body, types, upcasts)
    return _decoded(event, attributes, texts)


def _texts(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for raw_name, value in headers:
        name = raw_name.lower()
        if name in texts:
            raise Unreadable(f"header {_shown(name)}: expected once")
        if value is None:
            raise Unreadable(f"header {_shown(name)}: expected a value")
        try:
            texts[name] = value.decode()
        except UnicodeDecodeError:
            raise Unreadable(f"header {_shown(name)}: expected UTF-8") from None
    return texts


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _check_media_type(content_type: str) -> None:
    if _media_type(content_type) != JSON:
        raise Unreadable(f"content-type: expected {JSON}")


def _unwrap(value: bytes) -> tuple[dict[str, str], bytes]:
    """Attributes and body of a structured message."""
    envelope = _json_object(value)
    if "data" in envelope:
        body = orjson.dumps(envelope.pop("data"))
    else:
        try:
            body = base64.b64decode(envelope.pop("data_base64", ""), validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise Unreadable("data_base64: expected base64") from None
    _check_media_type(str(envelope.get("datacontenttype", JSON)))
    return {name: text for name, text in envelope.items() if isinstance(text, str)}, body


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        loaded = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unreadable("body: expected JSON") from None
    if not isinstance(loaded, dict):
        raise Unreadable("body: expected a JSON object")
    return loaded


def _event(ce_type: str, body: bytes, types: Mapping[str, type[Event]], upcasts: Mapping[str, Upcast]) -> Event:
    if ce_type not in types and ce_type not in upcasts:
        _refuse_type(ce_type, types)
    if ce_type in upcasts:
        ce_type, body = _lift(ce_type, body, upcasts)
    try:
        return types[ce_type].model_validate_json(body, strict=True, extra="ignore")
    except ValidationError as error:
        raise Unreadable(_problems(error)) from None


def _refuse_type(ce_type: str, types: Mapping[str, type[Event]]) -> NoReturn:
    known = {name.rpartition(".v")[0] for name in types}
    if ce_type.rpartition(".v")[0] in known:
        raise UnknownVersion(f"type {_shown(ce_type)}: unknown version")
    raise UnknownType(f"type {_shown(ce_type)}: unknown")


def _lift(ce_type: str, body: bytes, upcasts: Mapping[str, Upcast]) -> tuple[str, bytes]:
    """The newest type, and the body as that type has it, one version at a time."""
    fields = _json_object(body)
    while ce_type in upcasts:
        try:
            fields = upcasts[ce_type](fields)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Unreadable(f"type {_shown(ce_type)}: cannot be lifted to the next version") from None
        name, _, version = ce_type.rpartition(".v")
        ce_type = f"{name}.v{int(version) + 1}"
    return ce_type, orjson.dumps(fields)


def _decoded(event: Event, attributes: Mapping[str, str], headers: Mapping[str, str]) -> Decoded:
    if attributes.get("specversion") != "1.0":
        raise Unreadable("specversion: expected 1.0")
    id = _uuid(_required(attributes, "id"))
    if isinstance(event, Request):
        event = event.with_id(id)
    elif id != event.id:
        raise Unreadable("id: expected the id that follows from the event's type and fields")
    return Decoded(
        event=event,
        id=id,
        source=_required(attributes, "source"),
        time=_time(_required(attributes, "time")),
        correlation_id=attributes.get("correlationid") or event.correlation_id or str(id),
        causation_id=attributes.get("causationid") or None,
        replay_id=headers.get(REPLAY_HEADER) or None,
        trace_headers={name: headers[name] for name in TRACE_HEADERS if name in headers},
    )


def _required(attributes: Mapping[str, str], name: str) -> str:
    if not attributes.get(name):
        raise Unreadable(f"{name}: expected in the envelope")
    return attributes[name]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Unreadable("id: expected a UUID") from None


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Unreadable("time: expected RFC 3339") from None
    if time.tzinfo is None:
        raise Unreadable("time: expected a time zone")
    return time


def _problems(error: ValidationError) -> str:
    """Where and of which kind, not what was found there."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [f"{_shown('.'.join(map(str, one['loc']))) or 'body'}: {one['type']}" for one in found[:SHOWN_PROBLEMS]]
    return "; ".join(shown) + (f" and {len(found) - SHOWN_PROBLEMS} more" if len(found) > SHOWN_PROBLEMS else "")


def _shown(text: str) -> str:
    """Fit for a log line."""
    return "".join(c if c.isprintable() else "?" for c in text[:SHOWN_CHARACTERS])
