"""Notifications of object stores, read leniently: each is a hint to look at a key, and at most tells who sent it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote_plus

import orjson

from registry.domain.arrivals import Sender
from registry.domain.senders import read_sender

ENCODING_SOURCES = ("minio:", "aws:")
"""Stores that are known to write keys form-encoded; the others write them as they are."""
MAKING = (
    "s3:ObjectCreated:Put",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:CompleteMultipartUpload",
)
"""MinIO's events of a new version, which hold all the metadata that the version was sent with."""
REMOVING = ("ObjectRemoved:", "LifecycleExpiration:")
"""In the names of events of a version that went, or of a delete marker that came."""
METADATA = "x-amz-meta-"
MAX_KEY_BYTES = 1024
MAX_PRINCIPAL = 200


class Unreadable(ValueError):
    """The message is no notification of a known shape."""


@dataclass(frozen=True)
class Hint:
    """An object that a notification names, and who caused it; `sender` where the metadata of that version is in it."""

    bucket: str
    key: str
    version_id: str | None = None
    principal: str | None = None
    sender: Sender | None = None
    is_removal: bool = False


def read_notification(value: bytes | None) -> list[Hint]:
    """The objects that a notification names; none for a test event; Unreadable for any other shape."""
    try:
        message = orjson.loads(value or b"")
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error}") from None
    if _is_test(message):
        return []
    hints = [hint for hint in _read(message) if hint is not None]
    if not hints:
        raise Unreadable("no object is named in it")
    return hints


def versions_by_key(hints: Iterable[Hint]) -> dict[str, dict[str, set[str]]]:
    """For each bucket the keys that are named, each once, with the versions that are named of it."""
    named: dict[str, dict[str, set[str]]] = {}
    for hint in hints:
        ids = named.setdefault(hint.bucket, {}).setdefault(hint.key, set())
        ids.update([hint.version_id] if hint.version_id else [])
    return named


def removed_keys(hints: Iterable[Hint]) -> dict[str, set[str]]:
    """For each bucket the keys of which something was removed."""
    found: dict[str, set[str]] = {}
    for hint in hints:
        if hint.is_removal:
            found.setdefault(hint.bucket, set()).add(hint.key)
    return found


def senders_by_version(hints: Iterable[Hint]) -> dict[tuple[str, str, str], Sender]:
    """The senders that are told of exactly these versions, by bucket, key and version id."""
    return {(hint.bucket, hint.key, hint.version_id): hint.sender for hint in hints if hint.version_id and hint.sender}


def principals_by_version(hints: Iterable[Hint]) -> dict[tuple[str, str, str | None], str | None]:
    """Who caused each hint, by bucket, key and version id; no version id where the notification named none."""
    return {(hint.bucket, hint.key, hint.version_id): hint.principal for hint in hints}


def _is_test(message: Any) -> bool:
    records = message if isinstance(message, list) else [message]
    names = [part.get("Event") or part.get("eventName") for part in records if isinstance(part, dict)]
    return bool(names) and all(isinstance(name, str) and name.endswith("TestEvent") for name in names)


def _read(message: Any) -> Iterator[Hint | None]:
    if isinstance(message, list):
        # Bare arrays come from a gateway that writes keys as they are.
        yield from (_read_record(record, is_encoded=False) for record in message)
    elif isinstance(message, dict) and isinstance(message.get("Records"), list):
        for record in message["Records"]:
            yield from _read_enveloped(record)
    elif isinstance(message, dict) and isinstance(message.get("detail"), dict):
        yield _hint(message["detail"], message["detail"].get("requester"), is_encoded=False)
    else:
        yield _read_record(message)


def _read_enveloped(record: Any) -> Iterator[Hint | None]:
    body = record.get("body") if isinstance(record, dict) else None
    if not isinstance(body, str):
        yield _read_record(record)
        return
    # A queue's record holds the whole notification as text; queues are not nested.
    try:
        inner = orjson.loads(body)
    except orjson.JSONDecodeError:
        return
    records = inner.get("Records") if isinstance(inner, dict) else None
    yield from (_read_record(part) for part in (records if isinstance(records, list) else []))


def _read_record(record: Any, is_encoded: bool = True) -> Hint | None:
    if not isinstance(record, dict) or not isinstance(record.get("s3"), dict):
        return None
    identity = record.get("userIdentity")
    principal = identity.get("principalId") if isinstance(identity, dict) else None
    source = record.get("eventSource")
    is_known = isinstance(source, str) and source.startswith(ENCODING_SOURCES)
    hint = _hint(record["s3"], principal, is_encoded=is_encoded and is_known)
    name = record.get("eventName")
    is_removal = isinstance(name, str) and any(each in name for each in REMOVING)
    return hint and replace(hint, sender=_sender(record), is_removal=is_removal)


def _sender(record: dict[str, Any]) -> Sender | None:
    """Only MinIO tells the metadata; text beyond ASCII is left to the object, which spells it in another way."""
    metadata = record["s3"]["object"].get("userMetadata")
    is_told = record.get("eventSource") == "minio:s3" and record.get("eventName") in MAKING
    if not is_told or not isinstance(metadata, dict):
        return None
    names = [name for name in metadata if name.lower().startswith(METADATA)]
    ours = {name.lower().removeprefix(METADATA): metadata[name] for name in names}
    is_plain = all(isinstance(text, str) and text.isascii() for text in ours.values())
    return read_sender(ours) if is_plain else None


def _hint(part: dict[str, Any], principal: Any, *, is_encoded: bool) -> Hint | None:
    bucket, thing = part.get("bucket"), part.get("object")
    if not isinstance(bucket, dict) or not isinstance(thing, dict):
        return None
    name, key, version_id = bucket.get("name"), thing.get("key"), thing.get("versionId")
    if not isinstance(name, str) or not isinstance(key, str):
        return None
    key = unquote_plus(key) if is_encoded else key
    if not key or "\0" in key or len(key.encode()) > MAX_KEY_BYTES:
        return None  # no object can be called so
    return Hint(
        bucket=name,
        key=key,
        version_id=version_id if isinstance(version_id, str) and version_id else None,
        principal=principal.replace("\0", "")[:MAX_PRINCIPAL] if isinstance(principal, str) and principal else None,
    )
