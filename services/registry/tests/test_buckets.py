"""More than one bucket: drops of each are taken in, and what is written of a file goes beside its own."""

import asyncio
from functools import partial
from typing import Any

import orjson
import pytest
from chassis import JobKind, NotNow
from chassis.claim import claim, ensure_timer
from chassis.database import Pool
from registry.files import Files
from registry.handlers import note_outcome, register_drops
from registry.jobs import sweep, write_waybill

from .drops import ORDERS, declare, failed, notify, put, registered


@pytest.fixture
async def two(files: Files, target: str) -> tuple[Files, Files]:
    """Two buckets, the first of which knows the other."""
    both = Files(files.client, files.bucket, f"{files.bucket}-b")
    await both.make_buckets(target)
    await both.check_buckets()
    await both.ping()
    return both, both.all[f"{files.bucket}-b"]


async def run_job(db: Pool, kind: JobKind) -> None:
    if kind.every:
        await ensure_timer(db, kind)
        await db.execute("UPDATE jobs SET state = 'QUEUED', due = now() WHERE kind = $1", kind.name)
    job = await claim(db, kind, 30)
    assert job is not None
    await kind.run(job)
    await db.execute("DELETE FROM jobs")


async def test_drops_of_every_bucket_are_registered_and_those_of_strange_ones_are_not(
    db: Pool, two: tuple[Files, Files]
) -> None:
    await declare(db, ORDERS.model_copy(update={"files": ("acme/orders/*", f"s3://{two[1].bucket}/in/{{day}}/*")}))
    key = "acme/orders/a.csv"
    messages = [notify(files, key, await put(files, key, user="zoe")) for files in two]
    messages += [notify(files, "in/1/a.csv", await put(files, "in/1/a.csv")) for files in two]
    messages.append(notify(two[0].beside("elsewhere"), key))
    for _ in range(2):
        await register_drops(messages, db=db, files=two[0])
    events = await registered(db)
    assert sorted((event.bucket, event.object_key) for event in events) == [
        (two[0].bucket, key),
        (two[1].bucket, key),
        (two[1].bucket, "in/1/a.csv"),
    ]
    assert sorted(event.arrival for event in events) == [1, 2, 3]
    assert {event.user for event in events if event.object_key == key} == {"zoe"}
    assert await db.fetchval("SELECT count(*) FROM files WHERE notified_at IS NOT NULL") == 4


async def test_the_sweep_takes_the_drops_of_all_buckets_oldest_first_and_sees_what_is_gone(
    db: Pool, two: tuple[Files, Files]
) -> None:
    await declare(db)
    gone = ""
    for files in (two[1], two[0], two[1]):
        gone = await put(files, "acme/orders/a.csv")
        await asyncio.sleep(1.05)
    run = partial(sweep, db=db, files=two[0], grace_seconds=0, silent_seconds=300)
    await run_job(db, JobKind("sweep", run=run, every=60))
    places = [(event.bucket, event.arrival, event.found_by) for event in await registered(db)]
    assert places == [(two[1].bucket, 1, "sweep"), (two[0].bucket, 2, "sweep"), (two[1].bucket, 3, "sweep")]
    await two[1].client.delete_object(Bucket=two[1].bucket, Key="acme/orders/a.csv", VersionId=gone)
    await run_job(db, JobKind("sweep", run=run, every=60))
    rows = await db.fetch("SELECT arrival, presence FROM files ORDER BY arrival")
    assert [tuple(row) for row in rows] == [(1, "present"), (2, "present"), (3, "gone")]


async def test_a_waybill_goes_beside_the_bucket_of_its_file_also_when_that_is_no_more_among_the_settings(
    db: Pool, two: tuple[Files, Files]
) -> None:
    await declare(db)
    for files in two:
        await register_drops(
            [notify(files, "acme/orders/a.csv", await put(files, "acme/orders/a.csv"))], db=db, files=two[0]
        )
    first = Files(two[0].client, two[0].bucket)
    for event, files in zip(await registered(db), two, strict=True):
        await note_outcome(failed(event, event.arrival), db=db)
        await run_job(db, JobKind("waybill", run=partial(write_waybill, db=db, files=first), dense=False))
        key = f"acme/orders/{event.file_id}/waybill.json"
        answer: Any = await files.client.get_object(Bucket=files.output_bucket, Key=key)
        assert orjson.loads(await answer["Body"].read())["object"]["bucket"] == files.bucket


async def test_what_is_missing_of_any_bucket_is_named(files: Files) -> None:
    both = Files(files.client, files.bucket, f"{files.bucket}-none")
    with pytest.raises(NotNow, match=f"bucket missing: {files.bucket}-none, {files.bucket}-none-out"):
        await both.check_buckets()
    with pytest.raises(Exception, match="404"):
        await both.ping()
