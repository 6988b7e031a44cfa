"""What notifications name, and who caused them."""

import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry.domain.arrivals import Sender
from registry.domain.notifications import Hint, Unreadable, read_notification

CORPUS = Path(__file__).parents[4] / "shared/corpora/s3-events/events"


def notification(key: str, source: str = "minio:s3", **thing: object) -> dict[str, object]:
    return {
        "eventSource": source,
        "userIdentity": {"principalId": "ana"},
        "s3": {"bucket": {"name": "landing"}, "object": {"key": key, **thing}},
    }


def told(source: str = "minio:s3", event: str = "s3:ObjectCreated:Put", **metadata: object) -> dict[str, object]:
    names = {name: f"X-Amz-Meta-Waybill-{name.title()}" for name in ("user", "reason")}
    written = {"content-type": "text/csv", **{names[name]: text for name, text in metadata.items()}}
    return {**notification("a", source, versionId="v", userMetadata=written), "eventName": event}


def read(message: object) -> list[Hint]:
    return read_notification(json.dumps(message).encode())


@given(st.text(min_size=1, max_size=200).filter(lambda key: "\0" not in key))
def test_a_key_is_decoded_exactly_once(key: str) -> None:
    """Keys with plus, percent, spaces and any other text come out as they are in the bucket."""
    for source, written in (("minio:s3", quote_plus(key)), ("aws:s3", quote_plus(key)), ("ceph:s3", key)):
        assert [hint.key for hint in read({"Records": [notification(written, source)]})] == [key]
    assert [hint.key for hint in read([notification(key, "aws:s3")])] == [key]


@pytest.mark.parametrize(
    "key", ["a/b/100%25.csv", "a/b/1+1 = 2.csv", "a/b/50%.csv", "a/b/%2B.csv", "a/b/é ü 文.csv", "a/b/+%20 .csv"]
)
def test_keys_that_look_encoded_are_not_decoded_twice(key: str) -> None:
    assert read({"Records": [notification(quote_plus(key))]})[0].key == key


def test_what_minio_writes_is_read() -> None:
    message = {
        "EventName": "s3:ObjectCreated:Put",
        "Key": "landing/acme/orders/2026 11+x é.csv",
        "Records": [notification("acme%2Forders%2F2026+11%2Bx+%C3%A9.csv", versionId="752a", sequencer="18E9")],
    }
    assert read(message) == [Hint("landing", "acme/orders/2026 11+x é.csv", "752a", "ana")]


@pytest.mark.parametrize(
    ("record", "sender"),
    [
        (told(), Sender()),
        (told(user="ana", reason="a = 50% + b"), Sender("ana", "a = 50% + b")),
        (told(user="=?utf-8?b?Wm/DqyDmloc=?="), Sender("Zoë 文")),
        (told(event="s3:ObjectCreated:CompleteMultipartUpload", user="ana"), Sender("ana")),
        (told(user=""), Sender()),
        (told(user="ana", reason="für Zoë"), None),  # the object itself has an encoded word there
        (told(user=["ana"]), None),
        (told(event="s3:ObjectCreated:PutTagging", user="ana"), None),
        (told("aws:s3", "ObjectCreated:Put"), None),
        (told("ceph:s3", user="ana"), None),
        ({**notification("a", userMetadata={}), "eventName": "s3:ObjectCreated:Put"}, Sender()),
        ({**notification("a", userMetadata="x"), "eventName": "s3:ObjectCreated:Put"}, None),
        ({**notification("a"), "eventName": "s3:ObjectCreated:Put"}, None),
    ],
)
def test_the_sender_is_told_where_the_notification_holds_all_the_metadata(
    record: dict[str, object], sender: Sender | None
) -> None:
    assert [hint.sender for hint in read({"Records": [record]})] == [sender]


CORPUS_CASES: dict[str, list[tuple[str, str]] | None] = {
    "s3Event.json": [("lambda-artifacts-deafc19498e3f2df", "b21b84d653bb07b05b1e6b33684dc11b")],
    "s3EventDeleteObject.json": [("lambda-artifacts-deafc19498e3f2df", "b21b84d653bb07b05b1e6b33684dc11b")],
    "s3EventGlacier.json": [("lambda-artifacts-deafc19498e3f2df", "b21b84d653bb07b05b1e6b33684dc11b")],
    "s3EventDecodedKey.json": [("sourcebucket", "Happy Face.jpg")],
    "s3SqsEvent.json": [("xxx", "test.pdf")],
    "s3EventBridgeNotificationObjectCreatedEvent.json": [("example-bucket", "IMG_m7fzo3.jpg")],
    "s3EventBridgeNotificationObjectDeletedEvent.json": [("example-bucket", "IMG_m7fzo3.jpg")],
    "s3EventBridgeNotificationObjectExpiredEvent.json": [("example-bucket", "IMG_m7fzo3.jpg")],
    "s3EventBridgeNotificationObjectRestoreCompletedEvent.json": [("example-bucket", "IMG_m7fzo3.jpg")],
    "eventBridgeEvent.json": None,
    "s3BatchOperationEventSchemaV1.json": None,
    "s3BatchOperationEventSchemaV2.json": None,
    "s3ObjectEventIAMUser.json": None,
    "s3ObjectEventTempCredentials.json": None,
}


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of S3 events is not beside the repository")
def test_every_shape_of_the_corpus_is_read_or_refused() -> None:
    found: dict[str, list[tuple[str, str]] | None] = {}
    for path in CORPUS.iterdir():
        try:
            found[path.name] = [(hint.bucket, hint.key) for hint in read_notification(path.read_bytes())]
        except Unreadable:
            found[path.name] = None
    assert found == CORPUS_CASES


@pytest.mark.parametrize(
    "message", [{"Event": "s3:TestEvent", "Bucket": "landing"}, [{"eventName": "s3:TestEvent"}], {"Event": "TestEvent"}]
)
def test_a_test_event_names_nothing(message: object) -> None:
    assert read(message) == []


@pytest.mark.parametrize(
    "value",
    [
        b"", None, b"{", b"\xff", b"null", b"1", b'"x"', b"[]", b"{}", b'{"Records":[]}', b'{"Records":[1,null]}',
        b'{"Records":[{"body":"{"}]}', b'{"Records":[{"s3":{"bucket":{"name":1},"object":{"key":2}}}]}',
        b'{"Records":[{"s3":{"bucket":[],"object":{}}}]}', b"[" * 100_000,
        json.dumps([notification("a\0b")]).encode(), json.dumps([notification("x" * 1025)]).encode(),
    ],
)  # fmt: skip
def test_what_names_no_object_is_unreadable(value: bytes | None) -> None:
    with pytest.raises(Unreadable):
        read_notification(value)


WORDS = st.sampled_from(["Records", "s3", "bucket", "object", "key", "name", "body", "detail", "userIdentity"])
LEAVES = st.none() | st.booleans() | st.text(max_size=5)


@given(st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner)))
def test_no_json_breaks_the_reader(message: object) -> None:
    with suppress(Unreadable):
        assert all(isinstance(hint, Hint) for hint in read(message))
