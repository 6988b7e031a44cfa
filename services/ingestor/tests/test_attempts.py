"""Attempts that die, come back or meet what should not be, on real servers."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from chassis import Fenced
from chassis.claim import claim
from driven_ingestor import Ingestor, csv, declaration
from ingestor.documents import Documents, InsertRefused
from ingestor.files.workspace import Workspaces
from ingestor.jobs import endings, ingest, sweep_dead_attempts, writing
from ingestor.store.datasets import find_dead_attempts
from pymongo.errors import ServerSelectionTimeoutError

FIRST = csv("1,Ada,10.00", "2,Bob,20.50")
SECOND = csv("1,Ada,11.00", "3,Cem,3.00")


class Died(Exception):
    """The process is gone."""


def die(*_args: object, **_named: object) -> Any:
    raise Died


async def test_an_object_that_is_gone_fails_its_file_at_once(ingestor: Ingestor) -> None:
    event = ingestor.registered(FIRST)
    ingestor.s3.delete_object(Bucket=event.bucket, Key=event.object_key, VersionId=event.version_id)
    await ingestor.note(event)
    await ingestor.work()
    said = await ingestor.last_event()
    assert (said["type"], said["code"], said["rows"]) == ("file-failed", "object_gone", None)
    assert [row["tries"] for row in await ingestor.all("SELECT tries FROM jobs")] == [1]


async def test_the_version_that_was_registered_is_read_whatever_lies_there_now(ingestor: Ingestor) -> None:
    event = ingestor.registered(FIRST)
    ingestor.put(csv("9,Other,9.00"))
    ingestor.s3.delete_object(Bucket=event.bucket, Key=event.object_key)
    await ingestor.note(event)
    await ingestor.work()
    assert [document["key"] for document in await ingestor.stored()] == ["1", "2"]


async def test_an_object_of_another_size_is_tried_again_and_then_fails_visibly(ingestor: Ingestor) -> None:
    event = ingestor.registered(FIRST, size=len(FIRST) + 1)
    await ingestor.note(event)
    assert await ingestor.work() == ingestor.max_tries
    said = await ingestor.last_event()
    assert (said["type"], said["code"], said["attempt"]) == ("file-failed", "tries_exhausted", 2)
    assert "TruncatedObject" in said["reason"]


@pytest.mark.parametrize(
    ("room", "step"),
    [(ingest, "read"), (ingest, "compare"), (ingest, "write"), (ingest, "finish"), (endings, "take_position")],
)
async def test_an_attempt_that_dies_leaves_nothing_that_counts(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch, room: Any, step: str
) -> None:
    await ingestor.deliver(FIRST)
    before = await ingestor.outcome()
    await ingestor.note(ingestor.registered(SECOND))
    job = await ingestor.claim()
    assert job is not None
    monkeypatch.setattr(room, step, die)
    with pytest.raises(Died):
        await ingestor.run(job)
    assert await ingestor.outcome() == before
    assert len(await ingestor.events()) == 1
    assert list(Path(ingestor.workspaces.folder).iterdir()) == []


async def test_the_next_attempt_does_what_the_dead_one_would_have_done(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ingestor.deliver(FIRST)
    event = ingestor.registered(SECOND)
    await ingestor.note(event)
    job = await ingestor.claim()
    assert job is not None
    with monkeypatch.context() as patch:
        patch.setattr(endings, "take_position", die)
        with pytest.raises(Died):
            await ingestor.run(job)
    # The dead attempt wrote its documents; another one finishes while they lie there.
    assert len(await ingestor.stored(attempts=[job.attempt])) == 2
    await expire(ingestor)
    await ingestor.work()
    said = await ingestor.last_event()
    assert (said["position"], said["attempt"]) == (2, 3)
    assert [(d["key"], d["version"], d.get("changed")) for d in await ingestor.stored(attempts=[3])] == [
        ("1", 2, ["amount"]),
        ("3", 1, None),
    ]
    assert await ingestor.states() == [(1, "DONE"), (2, "DONE")]


async def test_a_runner_that_wakes_after_its_lease_writes_nothing_that_counts(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ingestor.note(ingestor.registered(FIRST))
    sleeper = await ingestor.claim()
    assert sleeper is not None
    asleep, awake = asyncio.Event(), asyncio.Event()
    finish = ingest.finish

    async def sleep_before_finish(*args: Any) -> None:
        asleep.set()
        await awake.wait()
        await finish(*args)

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "finish", sleep_before_finish)
        sleeping = asyncio.create_task(ingestor.run(sleeper))
        await asleep.wait()
    await expire(ingestor)
    await ingestor.work()
    after = await ingestor.outcome()
    awake.set()
    with pytest.raises(Fenced):
        await sleeping
    assert await ingestor.outcome() == after
    assert [e["attempt"] for e in await ingestor.events()] == [2]


async def test_heads_that_moved_under_an_attempt_stop_it(ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch) -> None:
    await ingestor.deliver(FIRST)
    await ingestor.note(ingestor.registered(SECOND))
    job = await ingestor.claim()
    assert job is not None
    await ingestor.db.execute("UPDATE heads SET version = 5 WHERE key = '2'")
    write = ingest.write

    async def move_heads(*args: Any) -> Any:
        batches = await write(*args)
        await ingestor.db.execute("UPDATE heads SET version = 5 WHERE key = '1'")
        return batches

    monkeypatch.setattr(ingest, "write", move_heads)
    with pytest.raises(RuntimeError, match="1 heads were to advance, 0 did"):
        await ingestor.run(job)
    assert [row["position"] for row in await ingestor.all("SELECT position FROM datasets")] == [1]


@pytest.mark.parametrize("damage", [{"$set": {"hash": b"x" * 32}}, None])
async def test_a_record_that_is_not_as_its_head_says_is_a_visible_failure(
    ingestor: Ingestor, damage: dict[str, Any] | None
) -> None:
    await ingestor.deliver(FIRST)
    collection = ingestor.mongo[ingestor.names.mongo_database]["raw_acme_orders"]
    if damage:
        await collection.update_one({"key": "1"}, damage)
    else:
        await collection.delete_one({"key": "1"})
    before = await ingestor.outcome()
    await ingestor.deliver(SECOND)
    said = await ingestor.last_event()
    assert (said["type"], said["code"]) == ("file-failed", "tries_exhausted")
    assert "MissingRecords" in said["reason"]
    assert await ingestor.outcome() == before


async def test_documents_that_the_server_refuses_end_the_attempt(ingestor: Ingestor) -> None:
    collection = ingestor.mongo[ingestor.names.mongo_database]
    await collection.create_collection("raw_acme_orders", validator={"key": {"$ne": "2"}})
    await ingestor.deliver(FIRST)
    said = await ingestor.last_event()
    assert (said["type"], said["code"]) == ("file-failed", "tries_exhausted")
    assert InsertRefused.__name__ in said["reason"]
    assert await ingestor.all("SELECT 1 FROM heads") == []


async def test_the_sweep_removes_documents_of_dead_attempts_only(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ingestor.deliver(FIRST)
    with monkeypatch.context() as patch:
        patch.setattr(endings, "take_position", die)
        await ingestor.deliver(SECOND)
    await ingestor.note(ingestor.registered(csv("4,Dan,4.00")))
    running = await claim(ingestor.db, ingestor.kind, 30)
    assert running is not None
    monkeypatch.setattr(endings, "take_position", die)
    with pytest.raises(Died):
        await ingestor.run(running)
    for number in (1, 2, 3, 4):
        assert await ingestor.stored(attempts=[number]) != []
    await sweep_dead_attempts(running, db=ingestor.db, documents=ingestor.documents)
    assert [bool(await ingestor.stored(attempts=[number])) for number in (1, 2, 3, 4)] == [True, False, False, True]


async def test_attempts_before_an_old_position_are_swept_no_more(ingestor: Ingestor) -> None:
    await ingestor.deliver(b"")
    await ingestor.deliver(FIRST)
    await ingestor.db.execute("UPDATE positions SET finished_at = now() - interval '2 days'")
    await ingestor.deliver(SECOND)
    job: Any = None
    await sweep_dead_attempts(job, db=ingestor.db, documents=ingestor.documents)
    assert [row["swept_attempt"] for row in await ingestor.all("SELECT swept_attempt FROM datasets")] == [2]
    async with ingestor.db.acquire() as tx:
        assert await find_dead_attempts(tx, "acme/orders") == []


async def test_a_large_file_is_written_in_batches_that_its_event_names(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "batch_size", lambda _versions: 1_000)
    rows = [f"{number},Ada,1.00" for number in range(2_500)]
    await ingestor.deliver(csv(*rows))
    said = await ingestor.last_event()
    assert [(b["number"], b["version_count"]) for b in said["batches"]] == [(1, 1_000), (2, 1_000), (3, 500)]
    batches = await ingestor.all("SELECT number, version_count, checksum FROM batches ORDER BY number")
    assert batches == said["batches"]
    records = await ingestor.all("SELECT key, record FROM heads")
    assert {row["key"]: row["record"] for row in records} == {
        d["key"]: d["_id"].binary for d in await ingestor.stored()
    }


async def test_wide_rows_are_cut_into_smaller_batches(ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "BATCH_BYTES", 100_000)
    wide = declaration(columns={"order_id": {"type": "integer"}, "customer": {}, "amount": {"type": "decimal(12,2)"}})
    rows = [f"{number},{'x' * 10_000},1.00" for number in range(30)]
    await ingestor.deliver(csv(*rows), wide)
    said = await ingestor.last_event()
    assert len(said["batches"]) > 2
    assert sum(batch["version_count"] for batch in said["batches"]) == 30
    assert len(await ingestor.stored()) == 30


async def test_a_file_of_many_blocks_finds_repeated_keys_wherever_they_stand(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ranges of two rows would be thirty thousand of them.
    monkeypatch.setattr("ingestor.files.fingerprints.MOST_ROWS", 10_000)
    monkeypatch.setattr("ingestor.files.ranged.RANGE", 10_000)
    names = [f"a customer, number {number:06d}"[:20] for number in range(60_000)]
    rows = [f'{number},"{name}",{number}.00' for number, name in enumerate(names)]
    rows += [rows[0], f"1,changed,{1}.00", rows[59_999]]
    await ingestor.deliver(csv(*rows))
    said = await ingestor.last_event()
    assert {name: count for name, count in said["rows"].items() if count} == {
        "read": 60_003,
        "inserted": 59_999,
        "duplicate": 2,
        "rejected": 2,
    }
    assert [row["line"] for row in await ingestor.all("SELECT line FROM rejects ORDER BY line")] == [3, 60_003]
    # More rows than are probed one by one: the same answer by a join.
    await ingestor.deliver(csv(*reversed(rows[:60_000])))
    said = await ingestor.last_event()
    assert (said["rows"]["unchanged"], said["rows"]["inserted"]) == (59_999, 1)


def test_what_a_dead_process_left_on_the_disk_is_removed_and_a_living_ones_is_not(tmp_path: Path) -> None:
    living = Workspaces(tmp_path)
    dead = Workspaces(tmp_path)
    with living.open("acme/orders", 1) as mine, dead.open("acme/orders", 2) as left:
        (left / "content").write_bytes(b"x")
        dead.release()
        with Workspaces.on(tmp_path):
            assert mine.exists()
            assert not left.exists()
    living.close()
    assert list(tmp_path.iterdir()) == []


async def test_the_service_names_what_is_away(ingestor: Ingestor) -> None:
    await ingestor.documents.ping()
    await ingestor.bucket.ping()
    async with Documents.open("mongodb://127.0.0.1:1/", ingestor.names) as nowhere:
        with pytest.raises(ServerSelectionTimeoutError):
            await nowhere.ping()


async def expire(ingestor: Ingestor) -> None:
    """The leases of running jobs run out."""
    await ingestor.db.execute("UPDATE jobs SET lease = now() - interval '1 second' WHERE state = 'RUNNING'")
