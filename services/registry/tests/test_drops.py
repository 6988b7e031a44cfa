"""Dropped files become arrivals, on a real PostgreSQL and a real bucket."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from email.header import Header

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from chassis.database import Pool, Tx
from chassis.intake import RawMessage
from registry.domain.arrivals import Found, ObjectVersion, Sender
from registry.domain.notifications import read_notification
from registry.files import Files
from registry.handlers import register_drops
from registry.store import registration
from stack.namespaces import Namespace

from .drops import (
    ORDERS,
    declare,
    drop,
    everything,
    notify,
    put,
    registered,
    states,
)

# Drops


async def test_drops_are_registered_in_the_order_of_their_time_with_who_and_why(db: Pool, files: Files) -> None:
    await declare(db)
    first = await put(files, "acme/orders/b é+1.csv", user="zoe", reason="month end")
    await asyncio.sleep(1.1)  # the store's stamps have seconds in listings
    second = await put(files, "acme/orders/a.csv")
    messages = [notify(files, "acme/orders/a.csv", second), notify(files, "acme/orders/b é+1.csv", first)]
    await register_drops(messages, db=db, files=files)
    events = await registered(db)
    assert [(event.object_key, event.version_id, event.arrival) for event in events] == [
        ("acme/orders/b é+1.csv", first, 1),
        ("acme/orders/a.csv", second, 2),
    ]
    assert [(event.user, event.reason) for event in events] == [("zoe", "month end"), ("ana", None)]
    assert {(event.registration, event.cause, event.found_by, event.late) for event in events} == {
        (1, "new", "notification", False)
    }
    assert events[0].declaration == ORDERS


async def test_only_the_version_that_a_notification_is_of_has_the_sender_told_in_it(
    db: Pool, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await declare(db)
    asked, find_sender = [], files.find_sender

    async def count(version: ObjectVersion) -> Sender:
        asked.append(version.version_id)
        return await find_sender(version)

    monkeypatch.setattr(files, "find_sender", count)
    key = "acme/orders/a.csv"
    older, newer = await put(files, key, user="zoe"), await put(files, key, user="max")
    await register_drops([notify(files, key, newer, metadata={"X-Amz-Meta-Waybill-User": "max"})], db=db, files=files)
    silent = await put(files, key)
    await register_drops([notify(files, key, silent, metadata={"content-type": "text/csv"})], db=db, files=files)
    found = [(event.version_id, event.user) for event in await registered(db)]
    assert found == [(older, "zoe"), (newer, "max"), (silent, "ana")]
    assert asked == [older]


async def test_who_removed_an_object_is_not_taken_for_its_sender(db: Pool, files: Files) -> None:
    await declare(db)
    key = "acme/orders/a.csv"
    sent = await put(files, key)
    removed = (await files.client.delete_object(Bucket=files.bucket, Key=key))["VersionId"]
    await register_drops([notify(files, key, sent, "ana"), notify(files, key, removed, "max")], db=db, files=files)
    assert [(event.version_id, event.user) for event in await registered(db)] == [(sent, "ana")]


@pytest.fixture
async def notifications(module_namespace: Namespace) -> AsyncIterator[AIOKafkaConsumer]:
    servers = module_namespace.environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"]
    topic = f"{module_namespace.name}.bucket-notifications"
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    async with AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
        yield consumer


FIRST = "acme/orders/first"


async def next_senders(files: Files, notifications: AIOKafkaConsumer) -> dict[str, Sender | None]:
    """Those that are told next of this bucket's keys; other tests' buckets are told of as well."""
    polled = await notifications.getmany(timeout_ms=1000)
    hints = [hint for each in polled.values() for message in each for hint in read_notification(message.value)]
    return {hint.key: hint.sender for hint in hints if hint.bucket == files.bucket}


async def until_told(files: Files, notifications: AIOKafkaConsumer) -> None:
    """The store loses what it cannot send at once, as the first ones to a topic that was just made."""
    async with asyncio.timeout(60):
        await put(files, FIRST)
        while not await next_senders(files, notifications):
            await put(files, FIRST)


async def test_the_store_tells_the_same_sender_as_the_object_itself(
    files: Files, notifications: AIOKafkaConsumer
) -> None:
    await until_told(files, notifications)
    ascii_only, encoded = {"user": "ana", "reason": "50% = a + b"}, {"user": Header("Zoë 文", "utf-8").encode()}
    for number, metadata in enumerate(({}, ascii_only, encoded, {"user": ""})):
        await put(files, f"acme/orders/{number}", **metadata)
    part = {"Bucket": files.bucket, "Key": "acme/orders/parts"}
    upload = await files.client.create_multipart_upload(**part, Metadata={"waybill-user": "max"})
    part["UploadId"] = upload["UploadId"]
    done = await files.client.upload_part(**part, PartNumber=1, Body=b"id\n1\n")
    parts = {"Parts": [{"PartNumber": 1, "ETag": done["ETag"]}]}
    await files.client.complete_multipart_upload(**part, MultipartUpload=parts)
    told: dict[str, Sender | None] = {}
    async with asyncio.timeout(60):
        while len(told) < 5:
            told |= await next_senders(files, notifications)
            told.pop(FIRST, None)
    found = {key: await files.find_sender((await files.list_versions(key))[0]) for key in told}
    assert told == found
    assert set(told.values()) == {Sender(), Sender("ana", "50% = a + b"), Sender("Zoë 文"), Sender("max")}


async def test_one_notification_registers_every_version_of_its_key_oldest_first(db: Pool, files: Files) -> None:
    await declare(db)
    versions = [await put(files, "acme/orders/a.csv", body) for body in (b"1", b"2", b"3")]
    await register_drops([notify(files, "acme/orders/a.csv")], db=db, files=files)
    assert [event.version_id for event in await registered(db)] == versions


@pytest.mark.parametrize("repeats", [[0, 0, 1, 1], [1, 0, 1], [1, 0]])
async def test_notifications_doubled_and_reordered_change_nothing(db: Pool, files: Files, repeats: list[int]) -> None:
    await declare(db)
    versions = [await put(files, "acme/orders/a.csv", body) for body in (b"1", b"2")]
    messages = [notify(files, "acme/orders/a.csv", version) for version in versions]
    for number in repeats:
        await register_drops([messages[number]], db=db, files=files)
    assert [(event.version_id, event.arrival) for event in await registered(db)] == list(
        zip(versions, (1, 2), strict=True)
    )
    before = await everything(db)
    await register_drops(messages * 2, db=db, files=files)
    assert await everything(db) == before


async def test_registries_that_see_some_of_the_same_drops_at_once_register_each_once(db: Pool, files: Files) -> None:
    await declare(db)
    await drop(db, files, "acme/other/first.csv")  # so that no dataset is new
    keys = [f"acme/{table}/{number}.csv" for table in ("orders", "other", "_x") for number in range(5)]
    messages = [notify(files, key, await put(files, key)) for key in keys]
    batches = [messages[::2], messages[1::2], messages]
    await asyncio.gather(*(register_drops(batch, db=db, files=files) for batch in batches))
    assert sorted(event.arrival for event in await registered(db)) == [1, 2, 3, 4, 5]
    assert len(await states(db)) == 16
    assert await db.fetchval("SELECT count(*) FROM file_audit WHERE file_id IS NOT NULL") == 16
    assert [event.arrival for event in await drop(db, files, "acme/orders/next.csv")] == [6]


async def test_a_registration_waits_for_another_one_of_its_dataset_and_goes_on_from_there(
    db: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await declare(db)
    held, find_known = asyncio.Event(), registration.files.find_known

    async def hold_first(tx: Tx, names: Sequence[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
        if names == [("landing", "acme/orders/first", "v")]:
            await held.wait()
        return await find_known(tx, names)

    async def register_one(name: str) -> int | None:
        version = ObjectVersion("landing", f"acme/orders/{name}", "v", 1, "etag", datetime.now(UTC))
        async with db.acquire() as tx, tx.transaction():
            (entry,) = await registration.register(tx, [Found(version, "sweep")])
        return entry.place.arrival

    monkeypatch.setattr(registration.files, "find_known", hold_first)
    first = asyncio.create_task(register_one("first"))
    await asyncio.sleep(0.3)
    second = asyncio.create_task(register_one("second"))
    await asyncio.sleep(0.3)
    assert not second.done()
    held.set()
    assert (await first, await second) == (1, 2)


async def test_keys_without_route_or_declaration_are_ignored_with_the_reason(db: Pool, files: Files) -> None:
    await declare(db)
    await drop(db, files, "acme/orders.csv", "acme/orders/_x/a.csv", "acme/unknown/a.csv", "Acme/orders/a.csv")
    assert {key: state for key, state, _ in await states(db)} == dict.fromkeys(
        ["acme/orders.csv", "acme/orders/_x/a.csv", "acme/unknown/a.csv", "Acme/orders/a.csv"], "IGNORED"
    )
    reasons = {key: reason for key, _, reason in await states(db)}
    assert reasons["acme/unknown/a.csv"] == "no declaration"
    assert "expected <organisation>/<table>/<name>" in (reasons["acme/orders.csv"] or "")
    assert await registered(db) == []


async def test_hints_that_lead_nowhere_stop_nobody(db: Pool, files: Files) -> None:
    await declare(db)
    removed = await put(files, "acme/orders/gone.csv")
    await files.client.delete_object(Bucket=files.bucket, Key="acme/orders/gone.csv", VersionId=removed)
    good = notify(files, "acme/orders/a.csv", await put(files, "acme/orders/a.csv"))
    strange = [notify(files, key) for key in ("acme/orders/../x", "a\\b", "//", "x" * 1024, "acme/orders/'; --")]
    junk = [RawMessage(value, None, (), 0, 0) for value in (None, b"", b"{", b"[1]", b'{"Records":[{"s3":1}]}')]
    elsewhere = notify(Files(files.client, "elsewhere"), "acme/orders/a.csv")
    gone = notify(files, "acme/orders/gone.csv", removed)
    await register_drops([*strange, *junk, elsewhere, gone, good], db=db, files=files)
    assert [event.object_key for event in await registered(db)] == ["acme/orders/a.csv"]


async def test_a_drop_that_lies_well_before_the_newest_is_late(db: Pool, files: Files) -> None:
    await declare(db)
    await drop(db, files, "acme/orders/a.csv")
    await db.execute("UPDATE datasets SET newest_modified = newest_modified + interval '2 minutes'")
    (event,) = await drop(db, files, "acme/orders/b.csv")
    assert event.late
