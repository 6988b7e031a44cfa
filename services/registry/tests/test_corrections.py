"""Rejected rows that come back corrected, on a real PostgreSQL and a real bucket."""

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from chassis import AlreadyHandled, JobKind
from chassis.claim import claim
from chassis.database import Pool
from prometheus_client import REGISTRY
from registry.domain.routes import Declared, Ignored, Route, fixed_place
from registry.files import Files
from registry.handlers import note_outcome, register_drops, request_retry
from registry.jobs import apply_inference, write_waybill
from registry.store import corrections
from waybill_contracts import Declaration, FileRegistered, RecordsIngested, RowCounts

from .drops import ORDERS, declare, drop, everything, failed, ingested, loaded, notify, put, registered, retry, states
from .test_jobs import run_sweep
from .test_routes import place

BY_NAME = {"order_by": {"file_name": r"(\d+)"}, "files": ["in/{part}/*.csv"], "mode": "snapshot"}


def key_of(file_id: UUID | str, name: str = "rejects.csv") -> str:
    return f"acme/orders/_corrections/{file_id}/{name}"


def took_effect(event: FileRegistered, position: int, rejected: int = 0, closed: int = 0) -> RecordsIngested:
    """What the ingestor says of the file: so many rows rejected, or so many rejects of another file closed."""
    rows = RowCounts(read=2 + rejected, inserted=2, rejected=rejected)
    more = {"rows": rows, "corrects": event.corrects, "closed_rejects": closed}
    return ingested(event, position, position).model_copy(update=more)


async def drop_correction(db: Pool, files: Files, file_id: UUID) -> FileRegistered:
    (event,) = await drop(db, files, key_of(file_id, f"{uuid4()}.csv"))
    return event


async def open_rejects(db: Pool) -> list[int | None]:
    return [row["open_rejects"] for row in await db.fetch("SELECT open_rejects FROM files ORDER BY arrival")]


# Keys


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (key_of("1234"), "'1234/rejects.csv' names no file to correct: expected acme/orders/_corrections/<file id>/"),
        (key_of("0190e2a0"), "with the whole id"),
        (key_of(uuid4(), "folder/a.csv"), "names no file to correct"),
        (key_of(uuid4(), ""), "a folder"),
        (key_of(uuid4(), ".hidden"), "'.hidden' begins"),
        (key_of(uuid4(), "a\\b"), "backslash"),
        (key_of("..", "a.csv"), "'..'"),
        ("acme/orders/_corrections", "names no file to correct"),
        ("acme/Orders/_corrections/a/b", "no table"),
        (f"/orders/_corrections/{uuid4()}/a.csv", "begins with '/'"),
        (f"acme/orders/2026/_corrections/{uuid4()}", "'_corrections' begins"),
    ],
)
def test_what_names_no_file_to_correct_is_ignored_with_what_is_expected(key: str, reason: str) -> None:
    found = fixed_place(key)
    assert isinstance(found, Ignored)
    assert reason in found.reason
    assert not found.waits


def test_a_correction_belongs_to_its_dataset_whatever_files_are_declared() -> None:
    file_id = uuid4()
    route = fixed_place(key_of(file_id))
    assert isinstance(route, Route)
    assert (route.dataset, route.corrects) == ("acme/orders", file_id)
    others = (Declared("acme", "orders", ("in/*",), "2099-01-01"), Declared("acme", "all", ("acme/**",)))
    assert place(key_of(file_id), *others) == place(key_of(str(file_id).upper()), *others) == "acme/orders"


# Registering


async def test_a_correction_takes_an_arrival_is_never_late_and_has_order_and_partition_of_nothing(
    db: Pool, files: Files
) -> None:
    declared = Declaration.model_validate(ORDERS.model_dump() | BY_NAME | {"partition": {"path": "part"}})
    await declare(db, declared)
    first, last = await drop(db, files, "in/north/7.csv", "in/north/9.csv")
    correction = await drop_correction(db, files, first.file_id)
    assert (correction.arrival, correction.corrects, correction.cause) == (3, first.file_id, "new")
    assert (correction.order, correction.partition, correction.late) == (None, None, False)
    newest = "SELECT max(last_modified) FROM files WHERE corrects IS NULL"
    assert await db.fetchval("SELECT newest_order FROM datasets") == last.order
    assert await db.fetchval("SELECT newest_modified FROM datasets") == await db.fetchval(newest)


async def test_a_file_that_was_sent_before_a_correction_is_not_late_because_of_it(db: Pool, files: Files) -> None:
    await declare(db)
    (first,) = await drop(db, files, "acme/orders/a.csv")
    await db.execute("UPDATE datasets SET newest_modified = now() - interval '1 hour'")
    await drop_correction(db, files, first.file_id)
    assert await db.fetchval("SELECT newest_modified < now() - interval '50 minutes' FROM datasets")


async def test_a_correction_of_a_correction_is_one_of_the_same_file(db: Pool, files: Files) -> None:
    await declare(db)
    (first,) = await drop(db, files, "acme/orders/a.csv")
    again = await drop_correction(db, files, (await drop_correction(db, files, first.file_id)).file_id)
    assert again.corrects == first.file_id


async def test_a_correction_is_tried_again_under_the_newest_declaration(db: Pool, files: Files) -> None:
    await declare(db)
    (first,) = await drop(db, files, "acme/orders/a.csv")
    correction = await drop_correction(db, files, first.file_id)
    await declare(db, ORDERS.model_copy(update={"duplicates": "last"}))
    await note_outcome(failed(correction), db=db)
    await request_retry(retry(correction), db=db)
    said = (await registered(db))[-1]
    assert (said.corrects, said.cause, said.declaration_version) == (first.file_id, "retry", 2)


async def test_a_correction_makes_no_dataset_of_what_nobody_declared(db: Pool, files: Files) -> None:
    await apply_inference(db=db, infers=True)
    file_id = uuid4()
    await register_drops([notify(files, key_of(file_id), await put(files, key_of(file_id)))], db=db, files=files)
    assert [state[1:] for state in await states(db)] == [("IGNORED", "no declaration")]
    assert await db.fetch("SELECT FROM declarations") == []
    await declare(db)
    assert [event.corrects for event in await registered(db)] == [file_id]


# Closing


async def test_every_order_and_repetition_of_outcomes_closes_each_reject_once(db: Pool, files: Files) -> None:
    await declare(db)
    ends = []
    for number, order in enumerate(permutations(range(4))):
        first = (await drop(db, files, f"acme/orders/{number}.csv"))[0]
        two = [await drop_correction(db, files, first.file_id) for _ in range(2)]
        position = 10 * number + 1
        events: Sequence[Any] = (
            took_effect(first, position, rejected=5),
            took_effect(two[0], position + 1, rejected=1, closed=2),
            took_effect(two[1], position + 2, closed=1),
            loaded(first, position, position),
        )
        for place_in_order in order:
            await note_outcome(events[place_in_order], db=db)
        for event in events:
            with pytest.raises(AlreadyHandled):
                await note_outcome(event, db=db)
        rows = await db.fetch("SELECT state, open_rejects, closed_rejects FROM files ORDER BY arrival DESC LIMIT 3")
        audit = await db.fetch(
            "SELECT why FROM file_audit WHERE file_id = $1 AND why LIKE '%correction%' ORDER BY why", first.file_id
        )
        ends.append(([tuple(row) for row in rows], [row["why"].partition(" by ")[0] for row in audit]))
    expected = [("INGESTED", None, 1), ("INGESTED", None, 2), ("LOADED", 2, None)]
    assert ends == [(expected, ["1 of its rejects closed", "2 of its rejects closed"])] * 24


async def test_an_outcome_that_is_played_again_closes_nothing_more(db: Pool, files: Files) -> None:
    await declare(db)
    (first,) = await drop(db, files, "acme/orders/a.csv")
    correction = await drop_correction(db, files, first.file_id)
    for event in (took_effect(first, 1, rejected=3), took_effect(correction, 2, closed=2)):
        await note_outcome(event, db=db)
    await db.execute("DELETE FROM inbox")  # as a replay is delivered: under another id
    before = await everything(db)
    for event in (took_effect(correction, 2, closed=2), took_effect(first, 1, rejected=3)):
        await note_outcome(event, db=db)
    assert {**await everything(db), "inbox": []} == {**before, "inbox": []}
    assert await open_rejects(db) == [1, None]


async def test_outcomes_of_corrections_that_are_noted_at_once_all_count(db: Pool, files: Files) -> None:
    """Two registries at work: rows that each of them holds are never waited for in a circle."""
    await declare(db)
    firsts = await drop(db, files, *(f"acme/orders/{name}.csv" for name in range(4)))
    others = [await drop_correction(db, files, first.file_id) for first in firsts for _ in range(3)]
    events: list[Any] = [took_effect(first, number, rejected=4) for number, first in enumerate(firsts, 1)]
    events += [took_effect(each, number, closed=1) for number, each in enumerate(others, 10)]
    events += [loaded(first, number, number) for number, first in enumerate(firsts, 1)]
    await asyncio.gather(*(note_outcome(event, db=db) for event in reversed(events)), run_sweep(db, files))
    assert await open_rejects(db) == [1, 1, 1, 1, *[None] * 12]


@pytest.mark.parametrize("step", ["close_rejects", "lock_pair"])
async def test_a_crash_while_rejects_are_closed_leaves_nothing(
    db: Pool, files: Files, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await declare(db)
    (first,) = await drop(db, files, "acme/orders/a.csv")
    correction = await drop_correction(db, files, first.file_id)
    await note_outcome(took_effect(first, 1, rejected=3), db=db)
    before = await everything(db)
    real = getattr(corrections, step)

    async def crash(*arguments: Any) -> None:
        await real(*arguments)
        raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(corrections, step, crash)
        with pytest.raises(RuntimeError):
            await note_outcome(took_effect(correction, 2, closed=2), db=db)
    assert await everything(db) == before
    await note_outcome(took_effect(correction, 2, closed=2), db=db)
    assert await open_rejects(db) == [1, None]


async def test_files_from_before_rejects_could_be_corrected_have_none_open(db: Pool, files: Files) -> None:
    await declare(db)
    (first,) = await drop(db, files, "acme/orders/a.csv")
    await note_outcome(took_effect(first, 1, rejected=3), db=db)
    await db.execute("UPDATE files SET open_rejects = NULL")
    correction = await drop_correction(db, files, first.file_id)
    await note_outcome(took_effect(correction, 2), db=db)
    await note_outcome(loaded(first), db=db)
    assert await open_rejects(db) == [None, None]


# What is told


async def waybills(db: Pool, files: Files) -> dict[str, dict[str, Any]]:
    """The waybills that are due, by the name of their file."""
    kind, found = JobKind("waybill", run=partial(write_waybill, db=db, files=files), dense=False), {}
    while job := await claim(db, kind, 30):
        await kind.run(job)
        await db.execute("UPDATE jobs SET state = 'DONE' WHERE kind = 'waybill' AND seq = $1", job.seq)
        key = f"acme/orders/{job.payload['file_id']}/waybill.json"
        answer = await files.client.get_object(Bucket=files.output_bucket, Key=key)
        document = orjson.loads(await answer["Body"].read())
        found[document["name"]] = document
    return found


async def test_a_correction_shows_in_both_waybills(db: Pool, files: Files) -> None:
    await declare(db)
    (first,) = await drop(db, files, "acme/orders/a.csv")
    correction = await drop_correction(db, files, first.file_id)
    for event in (took_effect(first, 1, rejected=3), loaded(first, 1, 1)):
        await note_outcome(event, db=db)
    told = (await waybills(db, files))["acme/orders#1"]
    assert (told["open_rejects"], told["corrections"], told["corrects"]) == (3, [], None)
    assert key_of(first.file_id, "").startswith(told["rejects"]["corrected"]["prefix"])

    for later in (took_effect(correction, 2, rejected=1, closed=2), loaded(correction, 2, 2)):
        await note_outcome(later, db=db)
    told = await waybills(db, files)
    one, two = told["acme/orders#1"], told["acme/orders#2"]
    rows = {"read": 3, "inserted": 2, "rejected": 1}
    ((found,), still) = one["corrections"], one["open_rejects"]
    assert {name: count for name, count in found.pop("rows").items() if count} == rows
    assert (found, still) == (
        {"file_id": str(correction.file_id), "name": "acme/orders#2", "closed_rejects": 2},
        1,
    )
    assert one["history"][-1]["why"] == "2 of its rejects closed by the correction acme/orders#2"
    assert two["corrects"] == {"file_id": str(first.file_id), "name": "acme/orders#1"}
    assert (two["closed_rejects"], two["open_rejects"], two["rejects"]["corrected"]) == (2, None, None)


async def test_open_rejects_are_a_figure_and_0_is_told_when_the_last_is_closed(db: Pool, files: Files) -> None:
    def figure() -> float | None:
        return REGISTRY.get_sample_value("waybill_rejects_open_rows", {"organisation": "acme", "table": "orders"})

    await declare(db)
    one, two = await drop(db, files, "acme/orders/a.csv", "acme/orders/b.csv")
    for position, event in enumerate((one, two), 1):
        await note_outcome(took_effect(event, position, rejected=2), db=db)
    await run_sweep(db, files)
    assert figure() == 4
    for position, event in enumerate((one, two), 3):
        await note_outcome(took_effect(await drop_correction(db, files, event.file_id), position, closed=2), db=db)
    await run_sweep(db, files)
    assert figure() == 0
