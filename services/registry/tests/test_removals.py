"""Objects that are removed, on a real PostgreSQL and a real bucket."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from chassis.database import Pool
from chassis.testing import outbox
from registry.files import Files
from registry.handlers import note_outcome, register_drops, request_retry
from registry.store import removals
from waybill_contracts import Declaration, FileGone, FileRegistered

from .drops import ORDERS, declare, drop, everything, failed, ingested, notify, put, registered, retry, states
from .test_jobs import run_sweep

KEY = "acme/orders/a.csv"


def orders(object_removed: str = "delete", **fields: Any) -> Declaration:
    return Declaration.model_validate(ORDERS.model_dump() | {"object_removed": object_removed} | fields)


async def remove(files: Files, key: str = KEY, version_id: str | None = None) -> None:
    """Delete the key as people do, which leaves a marker; or a version for good."""
    named = {"VersionId": version_id} if version_id else {}
    await files.client.delete_object(Bucket=files.bucket, Key=key, **named)


def notify_removal(files: Files, key: str = KEY, name: str = "s3:ObjectRemoved:DeleteMarkerCreated") -> Any:
    message = notify(files, key)
    return replace(message, value=(message.value or b"").replace(b"s3:ObjectCreated:Put", name.encode()))


async def ended(db: Pool) -> list[FileRegistered]:
    """The ends of records that were registered."""
    return [event for event in await registered(db) if event.removes]


async def test_the_records_of_a_removed_object_are_to_end_once(db: Pool, files: Files) -> None:
    await declare(db, orders())
    (first,) = await drop(db, files, KEY)
    await declare(db, orders(duplicates="last"))
    await remove(files)
    for _ in range(3):
        await run_sweep(db, files)
    (end,) = await ended(db)
    said = (end.arrival, end.registration, end.cause, end.removes, end.object_key, end.size, end.etag, end.found_by)
    assert said == (2, 1, "removed", first.file_id, KEY, 0, "", "sweep")
    assert (end.version_id, end.declaration_version) == (f"removed:{first.version_id}", 2)
    assert end.reason == f"the object {KEY} was removed"
    assert [event.presence for event in await outbox(db) if isinstance(event, FileGone)] == ["deleted"]
    why = await db.fetch("SELECT why FROM file_audit WHERE file_id = $1 ORDER BY audit_id", first.file_id)
    assert why[-1]["why"] == "its object was removed: acme/orders#2 ends its records"
    assert await db.fetchval("SELECT count(*) FROM files WHERE missed") == 0


@pytest.mark.parametrize("policy", ["keep", "alert"])
async def test_records_stay_where_that_is_declared_and_an_alert_is_given_once(
    db: Pool, files: Files, policy: str
) -> None:
    await declare(db, orders(policy))
    (first,) = await drop(db, files, KEY)
    await remove(files)
    for _ in range(2):
        await run_sweep(db, files)
    audit = await db.fetch("SELECT why, from_state, to_state FROM file_audit WHERE file_id = $1", first.file_id)
    expected = [("its object was removed; its records stay", "REGISTERED", "REGISTERED")] if policy == "alert" else []
    assert [tuple(row) for row in audit][1:] == expected
    await declare(db, orders("delete"))  # what was declared when it was removed counts
    await run_sweep(db, files)
    assert await ended(db) == []


async def test_an_alert_is_of_the_version_that_went_now(db: Pool, files: Files) -> None:
    await declare(db, orders("alert"))
    for _ in range(2):
        (event,) = await drop(db, files, KEY)
        await remove(files, version_id=event.version_id)
        await run_sweep(db, files)
    rows = await db.fetch("SELECT arrival FROM file_audit JOIN files USING (file_id) WHERE why LIKE 'its object%'")
    assert sorted(row["arrival"] for row in rows) == [1, 2]


async def test_an_old_version_that_is_cleaned_up_removes_nothing(db: Pool, files: Files) -> None:
    await declare(db, orders())
    first, second = (await drop(db, files, KEY))[0], (await drop(db, files, KEY))[0]
    await remove(files, version_id=first.version_id)
    await register_drops([notify_removal(files, name="ObjectRemoved:Delete")], db=db, files=files)
    await run_sweep(db, files)
    assert [row["presence"] for row in await db.fetch("SELECT presence FROM files ORDER BY arrival")] == [
        "gone",
        "present",
    ]
    assert await ended(db) == []
    await remove(files, version_id=second.version_id)
    await run_sweep(db, files)
    assert [(end.arrival, end.removes) for end in await ended(db)] == [(3, first.file_id), (4, second.file_id)]


async def test_a_key_that_is_sent_again_is_a_new_version_and_can_be_removed_again(db: Pool, files: Files) -> None:
    await declare(db, orders())
    (first,) = await drop(db, files, KEY)
    await remove(files)
    await run_sweep(db, files)
    (second,) = await drop(db, files, KEY)
    await run_sweep(db, files)
    assert (second.arrival, second.cause) == (3, "new")
    await remove(files)
    await run_sweep(db, files)
    assert [(end.arrival, end.removes) for end in await ended(db)] == [(2, first.file_id), (4, second.file_id)]


async def test_a_version_that_nobody_knows_yet_keeps_its_key(db: Pool, files: Files) -> None:
    await declare(db, orders())
    (first,) = await drop(db, files, KEY)
    await remove(files)
    other, _ = await drop(db, files, "acme/orders/b.csv", "acme/orders/c.csv")  # the listing's last key comes alone
    await put(files, KEY)
    await remove(files, version_id=first.version_id)
    await remove(files, other.object_key)
    await run_sweep(db, files, grace_seconds=60)
    assert [end.removes for end in await ended(db)] == [other.file_id]


async def test_a_key_that_comes_back_while_it_is_looked_at_is_not_removed(
    db: Pool, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await declare(db, orders())
    await drop(db, files, KEY)
    await remove(files)
    real = files.look

    async def come_back(changes: Any) -> Any:
        seen = await real(changes)
        await drop(db, files, KEY)
        return seen

    with monkeypatch.context() as patch:
        patch.setattr(files, "look", come_back)
        await run_sweep(db, files)
    assert [event.arrival for event in await registered(db)] == [1, 2]
    await run_sweep(db, files)
    assert {row["presence"] for row in await db.fetch("SELECT presence FROM files")} == {"present"}


@pytest.mark.parametrize("is_marked", [True, False])
async def test_a_notification_of_a_removal_is_looked_into_at_once(db: Pool, files: Files, is_marked: bool) -> None:
    await declare(db, orders())
    (first,) = await drop(db, files, KEY)
    await register_drops([notify_removal(files)], db=db, files=files)  # of an earlier time: the object is there
    assert await ended(db) == []
    await remove(files, version_id=None if is_marked else first.version_id)
    for _ in range(2):
        await register_drops([notify_removal(files), notify(files, "x")], db=db, files=files)
    assert [end.removes for end in await ended(db)] == [first.file_id]
    assert await db.fetchval("SELECT presence FROM files WHERE arrival = 1") == ("deleted" if is_marked else "gone")


async def test_a_key_below_another_one_is_seen_to_be_removed(db: Pool, files: Files) -> None:
    """MinIO leaves it out of every listing."""
    await declare(db, orders())
    await drop(db, files, "acme/orders/a", "acme/orders/a/b")
    await run_sweep(db, files)
    assert await ended(db) == []
    await remove(files, "acme/orders/a/b")
    await run_sweep(db, files)
    assert [end.object_key for end in await ended(db)] == ["acme/orders/a/b"]


async def test_what_was_removed_while_records_were_kept_stays_so(db: Pool, files: Files) -> None:
    await declare(db, orders("keep"))
    await drop(db, files, "acme/orders/a", "acme/orders/a/b")
    await remove(files, "acme/orders/a/b")
    await run_sweep(db, files)
    await declare(db, orders())
    await run_sweep(db, files)
    await register_drops([notify_removal(files, "acme/orders/a/b")], db=db, files=files)
    assert await ended(db) == []


async def test_two_registries_that_see_it_at_once_end_the_records_once(db: Pool, files: Files) -> None:
    await declare(db, orders())
    await declare(db, orders(table="items"))
    keys = [f"acme/{table}/{number}.csv" for number in range(5) for table in ("orders", "items")]
    events = await drop(db, files, *keys)
    for key in keys:
        await remove(files, key)
    notices = [notify_removal(files, key) for key in keys]
    await asyncio.gather(
        register_drops(notices, db=db, files=files),
        register_drops(notices[::-1], db=db, files=files),
        run_sweep(db, files),
        *(note_outcome(ingested(event, event.arrival, event.arrival), db=db) for event in events),
    )
    found = await ended(db)
    assert sorted(str(end.removes) for end in found) == sorted(str(event.file_id) for event in events)
    assert len(await db.fetch("SELECT FROM files WHERE removes IS NOT NULL")) == 10
    for table in ("orders", "items"):
        assert sorted(end.arrival for end in found if end.table == table) == [6, 7, 8, 9, 10]


@pytest.mark.parametrize("step", ["_register", "_note_alerts", "emit"])
@pytest.mark.parametrize("policy", ["delete", "alert"])
async def test_a_crash_leaves_nothing_and_the_next_sweep_does_all(
    db: Pool, files: Files, monkeypatch: pytest.MonkeyPatch, step: str, policy: str
) -> None:
    await declare(db, orders(policy))
    await drop(db, files, KEY)
    await remove(files)
    before = await everything(db)
    real = getattr(removals, step)

    async def crash(*arguments: Any) -> None:
        await real(*arguments)
        raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(removals, step, crash)
        for act in (run_sweep(db, files), register_drops([notify_removal(files)], db=db, files=files)):
            with pytest.raises(RuntimeError):
                await act
    after = await everything(db)
    # The notification itself was taken in, and it is written down that the version had one.
    assert {**after, "jobs": [], "files": []} == {**before, "jobs": [], "files": []}
    assert len(after["files"]) == 1
    await run_sweep(db, files)
    assert len(await ended(db)) == (policy == "delete")
    audit = await db.fetchval("SELECT count(*) FROM file_audit WHERE why LIKE 'its object was removed%'")
    assert audit == 1


async def test_the_end_of_records_is_never_late_and_moves_no_order(db: Pool, files: Files) -> None:
    await declare(db, orders(order_by={"file_name": r"(\d+)"}))
    old, _ = await drop(db, files, "acme/orders/1.csv", "acme/orders/2.csv")
    standing = await db.fetchrow("SELECT newest_order, newest_modified FROM datasets")
    await remove(files, old.object_key)
    await run_sweep(db, files)
    (end,) = await ended(db)
    assert (end.late, end.order, end.partition) == (False, None, None)
    assert await db.fetchrow("SELECT newest_order, newest_modified FROM datasets") == standing


async def test_the_end_of_records_is_tried_again_under_the_newest_declaration(db: Pool, files: Files) -> None:
    await declare(db, orders())
    (first,) = await drop(db, files, KEY)
    await remove(files)
    await run_sweep(db, files)
    await note_outcome(failed((await ended(db))[0], 2), db=db)
    await declare(db, orders(duplicates="last"))
    await request_retry(retry((await ended(db))[0], 2), db=db)
    again = (await ended(db))[-1]
    assert (again.removes, again.registration, again.declaration_version) == (first.file_id, 2, 2)
    assert [state for _, state, _ in await states(db)] == ["REGISTERED", "REGISTERED"]


async def test_what_was_never_registered_has_no_records_to_end(db: Pool, files: Files) -> None:
    await declare(db, orders())
    await drop(db, files, "acme/_x/a.csv", "acme/waiting/a.csv")
    for key in ("acme/_x/a.csv", "acme/waiting/a.csv"):
        await remove(files, key)
    await run_sweep(db, files)
    assert await ended(db) == []
    assert {row["presence"] for row in await db.fetch("SELECT presence FROM files")} == {"deleted"}
