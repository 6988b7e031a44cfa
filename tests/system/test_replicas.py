"""More than one of each, twice the same event, events out of order: one effect, and in the right order."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from asyncpg import Record
from dataset import Dataset, rows
from gates import WRITERS, TableGate, closed
from installation import SERVICES, Installation, http, until
from topics import dead_letters, forget_messages, messages, until_all_is_read

pytestmark = pytest.mark.timeout(240)

ONE = rows("1,one,1.00", "2,two,2.00")
TWO = rows("1,one,1.50", "3,three,3.00")
THREE = rows("1,one,1.75", "2,zwei,2.00")
DEAD_IN_A_ROW = 10
WORKERS = 2
"""Of one kind of job in a process, as it is by default: with one more at work, both of two processes are."""


@pytest.fixture(scope="module")
async def doubled(running: Installation) -> Installation:
    """Two of each service."""
    seconds = [running.make(name, "2", WAYBILL_WORKERS=str(WORKERS)) for name in SERVICES]
    await running.start(*[process.name for process in seconds])
    return running


async def test_the_same_event_again_and_a_replayed_event_change_no_table(running: Installation) -> None:
    orders = await Dataset.declared(running)
    await orders.deliver(ONE, TWO, TWO, b"", THREE)
    await orders.check()
    await until_all_is_read(running)
    before = await orders.digest()
    originals = {
        noun: await messages(running, noun, orders.name, count)
        for noun, count in (("files", 5), ("records", 5), ("loads", 3))
    }
    for headers in ([], [("waybill-replay-id", b"replay-1")]):
        for noun, records in originals.items():
            for record in records:
                await running.send(noun, record.value, record.key, [*record.headers, *headers])
    seen: dict[str, int] = {}

    async def is_handled_anew() -> bool:
        for name in SERVICES:
            seen[name] = len(await running.rows(name, "SELECT 1 FROM inbox WHERE replay_id = 'replay-1'"))
        return seen == {"registry": 8, "ingestor": 5, "loader": 3}

    await until(is_handled_anew, 60, lambda: f"the replay was not handled anew: {seen}")
    await until_all_is_read(running)
    assert await orders.digest() == before
    assert await dead_letters(running, "loader") == await dead_letters(running, "ingestor") == []
    await orders.check()


async def test_position_3_announced_before_position_2_waits_for_it(running: Installation) -> None:
    orders, other = await Dataset.declared(running), await Dataset.declared(running, "globex")
    running.processes["loader"].stop()
    try:
        for content in (ONE, TWO, THREE):
            await orders.drop(content)
        await orders.until_ingested(3)
        await until_all_is_read(running, ["registry"])
        first, second, third = await messages(running, "records", orders.name, 3)
        await forget_messages(running, "records")
        for record in (third, first):
            await running.send("records", record.value, record.key, record.headers)
    finally:
        await running.start("loader")
    facts = "SELECT position FROM facts WHERE dataset = $1 ORDER BY position"

    async def are_known() -> bool:
        return [row["position"] for row in await running.rows("loader", facts, orders.name)] == [1, 3]

    await until(are_known, 60, "the loader does not know positions 1 and 3")
    await other.deliver(ONE)  # queued after them, so they had their turn

    async def is_first_loaded() -> bool:
        return (await running.files(orders.name))[0]["state"] == "LOADED"

    await until(is_first_loaded, 60, "the first file is not LOADED")
    assert [file["state"] for file in await running.files(orders.name)] == ["LOADED", "INGESTED", "INGESTED"]
    await running.send("records", second.value, second.key, second.headers)
    await orders.check()
    await other.check()


async def test_an_ingestor_stopped_past_its_lease_does_no_harm_when_it_wakes(running: Installation) -> None:
    orders = await Dataset.declared(running)
    await orders.deliver(ONE)
    first, second = running.processes["ingestor"], running.make("ingestor", "late")
    async with closed(running, "ingestor", "heads") as gate:
        frozen = await _frozen_at(gate, orders, 2)
    second.start()
    try:
        await _until_done_by_another(orders, frozen)
    finally:
        first.resume()

    async def is_fenced() -> bool:
        return "attempt was fenced" in first.log.read_text()

    await until(is_fenced, 60, "the attempt that woke was not fenced")
    await orders.check()
    await asyncio.to_thread(second.stop)


async def test_an_ingestor_stopped_in_the_last_transaction_of_a_file_does_not_end_it_when_it_wakes_without_it(
    running: Installation,
) -> None:
    orders = await Dataset.declared(running)
    await orders.deliver(ONE)
    first, second = running.processes["ingestor"], running.make("ingestor", "later")
    async with closed(running, "ingestor", "positions", to=WRITERS) as gate:
        frozen = await _frozen_at(gate, orders, 2)
        (backend,) = await gate.until_waited_for()
        assert await running.rows("ingestor", UNLOCKED_JOB, orders.name, 2) == [], "it is not in its last transaction"
    second.start()
    try:
        await running.until_ready(second.name)
        assert (await orders.ingest_job(2))["attempt"] == frozen["attempt"], "two attempts at a time"
        await running.db.execute("SELECT pg_terminate_backend($1)", backend)
        # Also the relay of the frozen one loses its place, after 30 s: nothing waits for it.
        await orders.settle(120)
    finally:
        first.resume()
    assert (await orders.ingest_job(2))["attempt"] > frozen["attempt"]
    await running.until_ready("ingestor")
    await orders.deliver(TWO)
    await asyncio.to_thread(second.stop)
    await orders.deliver(THREE)
    await orders.check()


UNLOCKED_JOB = "SELECT 1 FROM jobs WHERE kind = 'ingest' AND lane = $1 AND seq = $2 FOR UPDATE SKIP LOCKED"


async def _frozen_at(gate: TableGate, orders: Dataset, arrival: int) -> Record:
    """Drop a file and stop the ingestor while its attempt waits at the gate; the job as it stands."""
    await orders.drop(rows(*(f"{number},name,{number % 900}.00" for number in range(2_000))))
    await gate.until_waited_for()
    orders.installation.processes["ingestor"].pause()
    job = await orders.ingest_job(arrival)
    assert job["state"] == "RUNNING"
    return job


async def _until_done_by_another(orders: Dataset, frozen: Record) -> None:
    async def is_done() -> bool:
        job = await orders.ingest_job(frozen["seq"])
        return bool(job["state"] == "DONE" and job["attempt"] > frozen["attempt"])

    await until(is_done, 50, "no other ingestor took the file up")


@asynccontextmanager
async def refusing(installation: Installation, orders: Dataset) -> AsyncIterator[None]:
    """The loader's handler goes wrong with each fact of this dataset."""
    facts = f'"{installation.namespace}_loader".facts'
    await installation.db.execute(f"ALTER TABLE {facts} ADD CONSTRAINT refuse CHECK (dataset <> '{orders.name}')")
    try:
        yield
    finally:
        await installation.db.execute(f"ALTER TABLE {facts} DROP CONSTRAINT refuse")


async def test_an_event_put_aside_is_redriven_and_its_file_loaded(running: Installation) -> None:
    orders, other = await Dataset.declared(running), await Dataset.declared(running)
    async with refusing(running, orders):
        await orders.drop(ONE)
        await _until_dead(running, "loader", 1)
        (letter,) = await dead_letters(running, "loader")
        assert (letter["key"], letter["error_type"]) == (orders.name, "CheckViolationError")
        await orders.drop(TWO)
        await _until_dead(running, "loader", 2)
        await orders.until_ingested(2)
        await other.deliver(ONE)
        assert {file["state"] for file in await running.files(orders.name)} == {"INGESTED"}
    code, _, complaint = await running.waybill("dead-letter", "redrive", "loader")
    assert code == 0, complaint
    await orders.check()
    await other.check()
    assert await dead_letters(running, "loader") == []


async def _until_dead(installation: Installation, service: str, count: int) -> None:
    async def are_dead() -> bool:
        return len(await dead_letters(installation, service)) >= count

    await until(are_dead, 60, f"the {service} has not {count} dead letters")


@pytest.mark.parametrize("way", ["redrive", "discard"])
async def test_a_flood_of_dead_letters_holds_the_consumer_over_a_restart_until_they_are_dealt_with(
    running: Installation, way: str
) -> None:
    orders = await Dataset.declared(running)
    async with refusing(running, orders):
        for number in range(DEAD_IN_A_ROW + 2):
            await orders.drop(rows(f"{number},one,1.00"))
        await _until_held(running)
        running.processes["loader"].stop()
        running.processes["loader"].start()
        await _until_held(running)
        await asyncio.sleep(3)
        assert len(await dead_letters(running, "loader")) == DEAD_IN_A_ROW
        code, told, _ = await running.waybill("status", "--json")
        assert (code, len(json.loads(told)["held_consumers"])) == (1, 1)
        await orders.until_ingested(DEAD_IN_A_ROW + 2)
    assert {file["state"] for file in await running.files(orders.name)} == {"INGESTED"}
    lost = await messages(running, "records", orders.name, DEAD_IN_A_ROW + 2)
    code, _, complaint = await running.waybill("dead-letter", way, "loader")
    assert code == 0, complaint
    await running.until_ready("loader")
    if way == "discard":
        # Given up is given up: the dataset waits until the facts are told again.
        assert "LOADED" not in {file["state"] for file in await running.files(orders.name)}
        for record in lost:
            await running.send("records", record.value, record.key, record.headers)
    await orders.check()


async def _until_held(installation: Installation) -> None:
    port = installation.processes["loader"].port  # type: ignore[attr-defined]

    heard = ""

    async def is_held() -> bool:
        nonlocal heard
        status, heard = await asyncio.to_thread(http, port, "/health/ready")
        return status == 503 and "held since" in heard

    await until(is_held, 60, lambda: f"the consumer is not held: {heard}")


async def test_two_of_each_service_and_the_death_of_one_of_each_under_load_change_nothing(
    doubled: Installation,
) -> None:
    datasets = [await Dataset.declared(doubled, organisation) for organisation in ("acme", "globex") for _ in range(3)]

    async def drop(numbers: range) -> None:
        for number in numbers:
            for orders in datasets:
                await orders.drop(rows("1,one,1.00", f"2,two,{number}.00", f"{number + 3},more,{number}.50"))

    async with closed(doubled, "ingestor", "positions", to=WRITERS) as gate:
        # One of each at first: a second file would wait for its lane, and in its partition all behind it.
        await drop(range(1))
        await gate.until_waited_for(by=WORKERS + 1)
        await drop(range(1, 5))
        for name in SERVICES:
            doubled.processes[name].kill()
    await drop(range(5, 12))
    for orders in datasets:
        await orders.check(120)
    assert await dead_letters(doubled, "loader") == await dead_letters(doubled, "registry") == []
