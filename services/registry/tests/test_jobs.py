"""What the registry does by the clock, on a real PostgreSQL and a real bucket."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from chassis import JobKind
from chassis.claim import claim, ensure_timer
from chassis.database import Pool
from chassis.telemetry import MISSED
from chassis.testing import outbox
from registry.files import Files
from registry.handlers import note_outcome, register_drops
from registry.jobs import sweep, sweep_at_start, take_declarations, write_waybill
from waybill_contracts import FileGone, Format, RepairCount

from .drops import ORDERS, declare, drop, everything, failed, ingested, loaded, notify, put, registered, states

YAML = "organisation: acme\ntable: orders\nkey: [id]\ncolumns:\n  id: {type: integer}\n"


async def run_sweep(db: Pool, files: Files, grace_seconds: float = 0, silent_seconds: float = 300) -> None:
    """One sweep, as a worker would run it."""
    run = partial(sweep, db=db, files=files, grace_seconds=grace_seconds, silent_seconds=silent_seconds)
    await run_next(db, JobKind("sweep", run=run, every=60))


async def run_next(db: Pool, kind: JobKind) -> None:
    if kind.every:
        await ensure_timer(db, kind)
        await db.execute("UPDATE jobs SET state = 'QUEUED', due = now() WHERE kind = $1", kind.name)
    job = await claim(db, kind, 30)
    assert job is not None
    await kind.run(job)


async def settled() -> None:
    """The store's stamps have seconds: from now on all that was put lies in the past."""
    await asyncio.sleep(1.05)


async def presences(db: Pool) -> dict[str, str]:
    return {row["key"]: row["presence"] for row in await db.fetch("SELECT key, presence FROM files")}


async def test_the_sweep_registers_what_no_notification_told_of_oldest_first(db: Pool, files: Files) -> None:
    await declare(db)
    for key in ("acme/orders/b.csv", "acme/orders/a é+1.csv", "acme/orders/b.csv", "acme/orders/_x/c.csv"):
        await put(files, key, user="zoe")
        await settled()
    await run_sweep(db, files)
    found = [(event.object_key, event.arrival, event.found_by, event.user) for event in await registered(db)]
    assert found == [
        ("acme/orders/b.csv", 1, "sweep", "zoe"),
        ("acme/orders/a é+1.csv", 2, "sweep", "zoe"),
        ("acme/orders/b.csv", 3, "sweep", "zoe"),
    ]
    assert ("acme/orders/_x/c.csv", "IGNORED") in [(key, state) for key, state, _ in await states(db)]
    before = await everything(db)
    await run_sweep(db, files)
    after = await everything(db)
    assert [file["file_id"] for file in after["files"]] == [file["file_id"] for file in before["files"]]
    assert after["outbox"] == before["outbox"]


async def test_a_drop_whose_notification_may_still_come_is_left_to_it(db: Pool, files: Files) -> None:
    await declare(db)
    version_id = await put(files, "acme/orders/a.csv")
    await run_sweep(db, files, grace_seconds=60)
    assert await registered(db) == []
    await register_drops([notify(files, "acme/orders/a.csv", version_id)], db=db, files=files)
    assert [event.found_by for event in await registered(db)] == ["notification"]


async def test_only_what_never_had_a_notification_is_counted_as_missed_and_once(db: Pool, files: Files) -> None:
    await declare(db)
    late = await put(files, "acme/orders/late.csv")
    await put(files, "acme/orders/lost.csv")
    await settled()
    before = MISSED._value.get()
    await run_sweep(db, files, grace_seconds=0.5)  # finds both
    await register_drops([notify(files, "acme/orders/late.csv", late)], db=db, files=files)
    await settled()
    await run_sweep(db, files, grace_seconds=0.5)
    await run_sweep(db, files, grace_seconds=0.5)
    assert MISSED._value.get() - before == 1
    assert await db.fetchval("SELECT key FROM files WHERE missed") == "acme/orders/lost.csv"


async def test_objects_that_are_deleted_or_gone_are_seen_and_said_once(db: Pool, files: Files) -> None:
    await declare(db)
    kept, deleted, gone = await drop(db, files, *(f"acme/orders/{name}.csv" for name in ("kept", "deleted", "gone")))
    await drop(db, files, "acme/ignored.csv")
    await files.client.delete_object(Bucket=files.bucket, Key=deleted.object_key)
    await files.client.delete_object(Bucket=files.bucket, Key=gone.object_key, VersionId=gone.version_id)
    await files.client.delete_object(Bucket=files.bucket, Key="acme/ignored.csv")
    for _ in range(2):
        await run_sweep(db, files)
        assert await presences(db) == {
            kept.object_key: "present",
            deleted.object_key: "deleted",
            gone.object_key: "gone",
            "acme/ignored.csv": "deleted",
        }
        said = {(event.file_id, event.presence) for event in await outbox(db) if isinstance(event, FileGone)}
        assert said == {(deleted.file_id, "deleted"), (gone.file_id, "gone")}
        assert sum(isinstance(event, FileGone) for event in await outbox(db)) == 2
    assert {state for _, state, _ in await states(db)} == {"REGISTERED", "IGNORED"}


async def test_a_version_that_the_listing_does_not_show_is_not_gone_while_it_can_be_read(
    db: Pool, files: Files
) -> None:
    await declare(db)
    await drop(db, files, "acme/orders/a", "acme/orders/a/b")  # MinIO lists no key below another one
    await run_sweep(db, files)
    assert await presences(db) == {"acme/orders/a": "present", "acme/orders/a/b": "present"}


async def test_a_registration_that_nobody_answers_is_announced_again_in_the_same_words(db: Pool, files: Files) -> None:
    await declare(db)
    silent, answered = await drop(db, files, "acme/orders/a.csv", "acme/orders/b.csv")
    await note_outcome(failed(answered), db=db)
    await run_sweep(db, files, silent_seconds=300)
    assert len(await registered(db)) == 2
    await run_sweep(db, files, silent_seconds=0)
    assert await registered(db) == [silent, answered, silent]
    assert len({event.id for event in await registered(db)}) == 2


async def test_a_sweep_is_due_at_start_but_none_is_fenced(db: Pool) -> None:
    async def no_work(_: object) -> None: ...

    kind = JobKind("sweep", run=no_work, every=60)
    await ensure_timer(db, kind)
    await db.execute("UPDATE jobs SET due = now() + interval '1 hour'")
    await sweep_at_start(db=db)
    job = await claim(db, kind, 30)
    assert job is not None
    await sweep_at_start(db=db)
    async with job.step(db):
        pass


async def waybill(db: Pool, files: Files, key: str) -> dict[str, Any]:
    await run_next(db, JobKind("waybill", run=partial(write_waybill, db=db, files=files), dense=False))
    answer = await files.client.get_object(Bucket=files.output_bucket, Key=key)
    document: dict[str, Any] = orjson.loads(await answer["Body"].read())
    return document


async def test_a_waybill_holds_both_halves_and_the_way_there(db: Pool, files: Files) -> None:
    await declare(db)
    (event,) = await drop(db, files, "acme/orders/a é.csv")
    await note_outcome(ingested(event), db=db)
    await note_outcome(loaded(event), db=db)
    document = await waybill(db, files, f"acme/orders/{event.file_id}/waybill.json")
    expected = {
        "name": "acme/orders#1",
        "state": "LOADED",
        "balanced": True,
        "position": 1,
        "attempt": 1,
        "late": False,
    }
    assert {name: document[name] for name in expected} == expected
    assert document["object"]["key"] == "acme/orders/a é.csv"
    assert document["rows"]["read"] == 3
    assert (document["mongodb"]["checksum"], document["postgresql"]["checksum"]) == ("a" * 32, "a" * 32)
    assert document["declaration_version"] == 1
    assert document["rejects"] == {
        "bucket": files.output_bucket,
        "key": f"acme/orders/{event.file_id}/1/rejects.csv",
        "corrected": {"bucket": files.bucket, "prefix": f"acme/orders/_corrections/{event.file_id}/"},
    }
    assert [change["to_state"] for change in document["history"]] == ["REGISTERED", "INGESTED", "LOADED"]
    assert document["history"][0]["at"].endswith("Z")


async def test_a_waybill_says_how_the_file_was_read_and_where_mended_rows_lie(db: Pool, files: Files) -> None:
    await declare(db)
    (event,) = await drop(db, files, "acme/orders/a.csv")
    said = {"format": Format(type="csv", header=False), "repairs": (RepairCount(repair="missing_fields", rows=2),)}
    await note_outcome(ingested(event).model_copy(update=said), db=db)
    await note_outcome(loaded(event), db=db)
    document = await waybill(db, files, f"acme/orders/{event.file_id}/waybill.json")
    assert (document["state"], document["format"]) == ("LOADED", {"type": "csv", "header": False})
    assert document["repairs"] == {
        "rows": {"missing_fields": 2},
        "bucket": files.output_bucket,
        "key": f"acme/orders/{event.file_id}/1/repairs.csv",
    }


async def test_the_waybill_of_a_file_from_before_repairs_says_nothing_of_them(db: Pool, files: Files) -> None:
    await declare(db)
    (event,) = await drop(db, files, "acme/orders/a.csv")
    await note_outcome(ingested(event), db=db)
    await db.execute("UPDATE files SET ingested = ingested - 'repairs' - 'format'")
    await note_outcome(loaded(event), db=db)
    document = await waybill(db, files, f"acme/orders/{event.file_id}/waybill.json")
    assert (document["state"], document["format"], document["repairs"]) == ("LOADED", None, None)


async def test_a_waybill_that_was_overtaken_while_it_was_written_is_written_again(
    db: Pool, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await declare(db)
    (event,) = await drop(db, files, "acme/orders/a.csv")
    await note_outcome(failed(event, 1), db=db)
    real: Callable[[str, bytes], Awaitable[None]] = files.put_waybill

    async def overtaken(key: str, body: bytes) -> None:
        monkeypatch.setattr(files, "put_waybill", real)
        await note_outcome(failed(event, 2), db=db)
        await real(key, body)

    monkeypatch.setattr(files, "put_waybill", overtaken)
    assert (await waybill(db, files, f"acme/orders/{event.file_id}/waybill.json"))["attempt"] == 2


async def test_only_declarations_that_changed_are_taken_from_the_folder(db: Pool, tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text(YAML)
    (tmp_path / "sample.csv").write_text("id\n1\n")
    await take_declarations(db=db, folder=tmp_path)
    await declare(db, ORDERS)  # someone declares something newer
    await take_declarations(db=db, folder=tmp_path)
    assert await db.fetch("SELECT version FROM declarations ORDER BY 1") == [(1,), (2,)]
    assert await db.fetchval("SELECT who FROM declarations WHERE version = 1") == "folder: orders.yaml"
    (tmp_path / "orders.yaml").write_text(YAML + "duplicates: last\n")
    await take_declarations(db=db, folder=tmp_path)
    assert await db.fetchval("SELECT declaration_version FROM datasets") == 3


async def test_a_broken_declaration_is_shown_with_line_and_field_and_stops_nobody(db: Pool, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("organisation: acme\ntable: [\n")
    (tmp_path / "bytes.yaml").write_bytes(b"organisation: \xff\n")
    (tmp_path / "field.yml").write_text(YAML.replace("integer", "number"))
    (tmp_path / "orders.yaml").write_text(YAML)
    await take_declarations(db=db, folder=tmp_path)
    problems = {row["name"]: row["problems"] for row in await db.fetch("SELECT * FROM declaration_files")}
    assert problems["orders.yaml"] == []
    assert problems["broken.yaml"][0].startswith("broken.yaml:3: ")
    assert problems["field.yml"][0].startswith("field.yml:5: columns.id.type: expected")
    assert problems["bytes.yaml"]
    assert await db.fetchval("SELECT declaration_version FROM datasets") == 1
