"""Deliveries that a manifest tells of, and those that declarations make, on a real PostgreSQL and a real bucket."""

import asyncio
from typing import Any

import pytest
from chassis import NotNow
from chassis.claim import claim
from chassis.database import Pool
from registry import jobs
from registry.files import Files
from registry.handlers import accept_declaration, register_drops
from registry.jobs import take_delivery

from .delivering import DONE, FILES, MANIFEST, A, B, C, declared, drop, kind, listed, marked, reasons, take_all, told
from .drops import (
    ORDERS,
    declare,
    notify,
    put,
    registered,
    request,
    states,
)
from .test_jobs import run_sweep


async def test_a_manifest_waits_for_the_files_that_it_names_and_takes_exactly_those(db: Pool, files: Files) -> None:
    await declare(db, listed())
    text = b"\xef\xbb\xbf# files of the day\r\nc.csv\r\n\r\na.csv\r\nc.csv\r\n"
    (a, _) = await drop(db, files, A, B)
    await drop(db, files, MANIFEST, body=text)
    assert (await reasons(db))[MANIFEST] == (
        "the manifest of a delivery: 1 of its 2 files are not there yet: 'acme/orders/1/c.csv'"
    )
    assert await registered(db) == []
    (c,) = await drop(db, files, C)
    assert await told(db) == [(MANIFEST, 1, [(C, c), (A, a)])]
    assert (await reasons(db))[B] == "part of a delivery: waits for its manifest"


async def test_a_file_whose_notification_was_lost_completes_its_delivery_with_the_sweep(db: Pool, files: Files) -> None:
    await declare(db, listed())
    await drop(db, files, MANIFEST, body=b'["a.csv"]')
    lost = await put(files, A)
    await asyncio.sleep(1.05)
    await run_sweep(db, files)
    assert await take_all(db, files) == 1
    assert await told(db) == [(MANIFEST, 1, [(A, lost)])]


async def test_a_file_that_comes_while_its_delivery_is_looked_up_completes_it(
    db: Pool, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await declare(db, listed())
    manifest = await put(files, MANIFEST, b"a.csv\nb.csv\n")
    await register_drops([notify(files, MANIFEST, manifest)], db=db, files=files)
    looked = jobs._look
    late: list[str] = []

    async def look(*arguments: Any) -> Any:
        found = await looked(*arguments)
        if not late:
            for key in (A, B):
                late.append(await put(files, key))
                await register_drops([notify(files, key, late[-1])], db=db, files=files)
        return found

    monkeypatch.setattr(jobs, "_look", look)
    await take_all(db, files)
    assert await told(db) == [(MANIFEST, 1, [(A, late[0]), (B, late[1])])]


async def test_a_later_manifest_delivers_what_is_new_of_what_it_names(db: Pool, files: Files) -> None:
    await declare(db, listed())
    (a,) = await drop(db, files, A)
    await drop(db, files, MANIFEST, body=b"a.csv")
    (b,) = await drop(db, files, B)
    await drop(db, files, MANIFEST, body=b"a.csv\nb.csv")
    assert await told(db) == [(MANIFEST, 1, [(A, a)]), (MANIFEST, 2, [(B, b)])]
    await drop(db, files, MANIFEST, body=b"b.csv")
    assert (await states(db))[-1][1] == "IGNORED"
    assert len(await told(db)) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"../2/a.csv", "'../2/a.csv': the name holds a part '..'"),
        (b"/acme/orders/1/a.csv", "the name begins with '/'"),
        (b"_hidden/a.csv", "begins with '_' or '.'"),
        (b"./a.csv", "begins with '_' or '.'"),
        (b"a\\b.csv", "backslash"),
        (b"folder/", "names a folder"),
        (b"x" * 1100 + b".csv", "too long"),
        (b"a.txt", "'acme/orders/1/a.txt', which is no file of acme/orders"),
        (b"manifest.txt", "which is no file of acme/orders"),
        (b"\n# nothing\n", "names no files"),
        (b"", "names no files"),
        (b"\xff", "not UTF-8"),
        (b'["a.csv"', "begins like a JSON array"),
        (b"[1]", "other things than names"),
        (b"a.csv\n" * 200_000, "at most 1048576 are read"),
        (b"".join(b"%d.csv\n" % number for number in range(1001)), "1001 files"),
    ],
    ids=lambda value: value[:12] if isinstance(value, bytes) else "",
)
async def test_a_manifest_that_cannot_be_one_is_ignored_with_the_reason(
    db: Pool, files: Files, body: bytes, reason: str
) -> None:
    await declare(db, listed())
    await drop(db, files, A, "acme/orders/2/a.csv")
    await drop(db, files, MANIFEST, body=body)
    (state,) = [(state, why) for key, state, why in await states(db) if key == MANIFEST]
    assert state[0] == "IGNORED"
    assert reason in str(state[1])
    assert await registered(db) == []
    await run_sweep(db, files)
    assert await take_all(db, files) == 0


async def test_a_manifest_that_is_gone_before_it_was_read_is_ignored(db: Pool, files: Files) -> None:
    await declare(db, listed())
    version = await put(files, MANIFEST, b"a.csv")
    await register_drops([notify(files, MANIFEST, version)], db=db, files=files)
    await files.client.delete_object(Bucket=files.bucket, Key=MANIFEST, VersionId=version)
    await take_all(db, files)
    assert "no longer in the bucket" in str((await reasons(db))[MANIFEST])


# Declarations


async def test_a_declaration_turns_what_waited_into_deliveries_and_back_into_files(db: Pool, files: Files) -> None:
    keys = ["in/1/a.csv", "in/1/b.csv", "in/1/DONE", "in/2/a.csv"]
    await drop(db, files, *keys)
    group = {"marker": "in/{day}/DONE"}
    await accept_declaration(request(declared(group, files=["in/{day}/*.csv"])), db=db)
    await take_all(db, files)
    assert [(key, len(parts)) for key, _, parts in await told(db)] == [("in/1/DONE", 2)]
    assert (await reasons(db))["in/2/a.csv"] == "part of a delivery: waits for its marker"
    await declare(db, ORDERS.model_copy(update={"files": ("in/{day}/*.csv",)}))
    assert [(key, arrival) for key, arrival, _ in await told(db)] == [("in/1/DONE", 1), ("in/2/a.csv", 2)]


@pytest.mark.parametrize("change", ["declaration", "file"])
async def test_a_file_that_is_no_part_any_more_once_it_was_looked_up_is_not_delivered(
    db: Pool, files: Files, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    await declare(db, marked())
    await drop(db, files, A)
    version = await put(files, DONE)
    await register_drops([notify(files, DONE, version)], db=db, files=files)
    looked = jobs._look

    async def look(*arguments: Any) -> Any:
        found = await looked(*arguments)
        if change == "declaration":
            await declare(db, marked(files=["{organisation}/{table}/{day}/*.txt"]))
        else:
            await db.execute("UPDATE files SET waits = false, reason = 'taken' WHERE key = $1", A)
        return found

    monkeypatch.setattr(jobs, "_look", look)
    job = await claim(db, kind(db, files), 30)
    assert job
    with pytest.raises(NotNow, match="changed while"):
        await take_delivery(job, db=db, files=files)
    assert await registered(db) == []


async def test_a_declaration_that_changes_while_files_are_looked_up_leaves_them_as_they_are(
    db: Pool, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await declare(db, marked())
    await drop(db, files, A)
    version = await put(files, DONE)
    await register_drops([notify(files, DONE, version)], db=db, files=files)
    looked = jobs._look

    async def look(*arguments: Any) -> Any:
        found = await looked(*arguments)
        await declare(db, ORDERS.model_copy(update={"files": FILES}))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "_look", look)
        job = await claim(db, kind(db, files), 30)
        assert job
        with pytest.raises(NotNow, match="changed while"):
            await take_delivery(job, db=db, files=files)
    assert [(key, parts) for key, _, parts in await told(db)] == [(A, [])]
    await db.execute("UPDATE jobs SET lease = now() - interval '1 second' WHERE kind = 'delivery'")
    await take_all(db, files)
    assert "tells of no delivery" in str((await reasons(db))[DONE])


async def test_a_default_for_every_table_may_ask_for_deliveries(db: Pool, files: Files) -> None:
    await declare(db, marked(table="*", files=["{organisation}/{table}/{day}/*.csv"]))
    keys = [f"acme/{table}/1/{name}" for table in ("one", "two") for name in ("a.csv", "_DONE")]
    await drop(db, files, *keys)
    found = [(event.dataset, event.arrival, len(event.parts)) for event in await registered(db)]
    assert sorted(found) == [("acme/one", 1, 1), ("acme/two", 1, 1)]
