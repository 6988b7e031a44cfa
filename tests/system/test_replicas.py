"""More than one of each, twice the same event, events out of order: one effect, and in the right order."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from dataset import Dataset, rows
from installation import SERVICES, Installation, http, until

pytestmark = pytest.mark.timeout(240)

ONE = rows("1,one,1.00", "2,two,2.00")
TWO = rows("1,one,1.50", "3,three,3.00")
THREE = rows("1,one,1.75", "2,zwei,2.00")
DEAD_IN_A_ROW = 10


@pytest.fixture(scope="module")
async def doubled(running: Installation) -> Installation:
    """Two of each service."""
    seconds = [running.make(name, "2") for name in SERVICES]
    await running.start(*[process.name for process in seconds])
    return running


async def messages(installation: Installation, noun: str, of: str, count: int) -> list[ConsumerRecord]:
    """The messages of a topic about one dataset, oldest first, once there are so many."""
    found: list[ConsumerRecord] = []

    async def are_there() -> bool:
        found[:] = await _read(installation, noun, of)
        return len(found) == count

    await until(are_there, 20, lambda: f"{len(found)} of {count} messages about {of} are in {noun}")
    return found


async def _read(installation: Installation, noun: str, of: str) -> list[ConsumerRecord]:
    servers = installation.environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"]
    consumer = AIOKafkaConsumer(f"{installation.namespace}.{noun}", bootstrap_servers=servers)
    await consumer.start()
    try:
        places = consumer.assignment()
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(places)
        found: list[ConsumerRecord] = []
        for place in [place for place in places if ends[place]]:
            while await consumer.position(place) < ends[place]:
                found += [
                    record for batch in (await consumer.getmany(place, timeout_ms=500)).values() for record in batch
                ]
        return [record for record in found if record.key == of.encode()]
    finally:
        await consumer.stop()


async def dead_letters(installation: Installation, service: str) -> list[dict[str, str]]:
    code, out, complaint = await installation.waybill("dead-letter", "list", service, "--json")
    assert code == 0, complaint
    found: list[dict[str, str]] = json.loads(out)
    return found


async def until_all_is_read(installation: Installation, services: Sequence[str] = SERVICES) -> None:
    """Each service has seen every message of its topics to the end."""
    admin = AIOKafkaAdminClient(bootstrap_servers=installation.environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"])
    consumer = AIOKafkaConsumer(bootstrap_servers=installation.environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"])
    await admin.start()
    await consumer.start()

    async def is_read() -> bool:
        prefixes = tuple(f"{installation.namespace}.{name}." for name in services)
        groups = [group for group, _ in await admin.list_consumer_groups() if group.startswith(prefixes)]
        for group in [group for group in groups if not group.endswith(".dead-letters")]:
            committed = await admin.list_consumer_group_offsets(group)
            ends = await consumer.end_offsets(list(committed))
            if not committed or any(ends[place] > read.offset for place, read in committed.items()):
                return False
        return True

    try:
        await until(is_read, 30, "messages are still on their way")
    finally:
        await consumer.stop()
        await admin.close()


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

    await until(is_handled_anew, 30, lambda: f"the replay was not handled anew: {seen}")
    await until_all_is_read(running)
    assert await orders.digest() == before
    assert await dead_letters(running, "loader") == await dead_letters(running, "ingestor") == []
    await orders.check()


async def test_position_3_announced_before_position_2_waits_for_it(running: Installation) -> None:
    orders = await Dataset.declared(running)
    running.processes["loader"].stop()
    try:
        for content in (ONE, TWO, THREE):
            await orders.drop(content)
        await _until_positions(orders, 3)
        await until_all_is_read(running, ["registry"])
        first, second, third = await messages(running, "records", orders.name, 3)
        await _forget_messages(running, "records")
        for record in (third, first):
            await running.send("records", record.value, record.key, record.headers)
    finally:
        await running.start("loader")
    await _until_loaded(orders, 1)
    await asyncio.sleep(1)
    assert [file["state"] for file in await running.files(orders.name)] == ["LOADED", "INGESTED", "INGESTED"]
    await running.send("records", second.value, second.key, second.headers)
    await orders.check()


async def _forget_messages(installation: Installation, noun: str) -> None:
    """The topic is as if nothing had ever been sent on it."""
    servers = installation.environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"]
    topic = f"{installation.namespace}.{noun}"
    consumer, admin = AIOKafkaConsumer(topic, bootstrap_servers=servers), AIOKafkaAdminClient(bootstrap_servers=servers)
    await consumer.start()
    await admin.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        await admin.delete_records({place: RecordsToDelete(before_offset=end) for place, end in ends.items() if end})
    finally:
        await consumer.stop()
        await admin.close()


async def _until_positions(orders: Dataset, count: int) -> None:
    async def are_ingested() -> bool:
        files = await orders.installation.files(orders.name)
        return len(files) == count and all(file["position"] for file in files)

    await until(are_ingested, 60, f"{orders.name} has not {count} positions")


async def _until_loaded(orders: Dataset, count: int) -> None:
    async def are_loaded() -> bool:
        files = await orders.installation.files(orders.name)
        return sum(file["state"] == "LOADED" for file in files) >= count

    await until(are_loaded, 60, f"{orders.name} has not {count} files LOADED")


async def test_an_ingestor_stopped_past_its_lease_does_no_harm_when_it_wakes(running: Installation) -> None:
    orders = await Dataset.declared(running)
    first, second = running.processes["ingestor"], running.make("ingestor", "late")
    for round, delay in enumerate((0.0, 0.3)):
        await orders.drop(rows(*(f"{number},round {round},{number % 900}.00" for number in range(20_000))))
        await _until_running(orders, round + 1)
        await asyncio.sleep(delay)
        first.pause()
        try:
            await asyncio.sleep(1)
            (job,) = await running.rows("ingestor", JOB, orders.name, round + 1)
            assert job["state"] == "RUNNING", "it was finished before it could be stopped"
            second.start()
            # Until the relay of the frozen one loses its place too: nothing waits for it.
            await orders.settle(90)
        finally:
            first.resume()
        (ended,) = await running.rows("ingestor", JOB, orders.name, round + 1)
        assert ended["attempt"] > job["attempt"]
        await running.until_ready("ingestor")
        await asyncio.sleep(2)
        second.stop()
    await orders.check()
    assert "attempt was fenced" in first.log.read_text(), "no attempt was stopped in its tracks"


JOB = "SELECT * FROM jobs WHERE kind = 'ingest' AND lane = $1 AND seq = $2"


async def _until_running(orders: Dataset, arrival: int) -> None:
    async def is_running() -> bool:
        jobs = await orders.installation.rows("ingestor", JOB, orders.name, arrival)
        return bool(jobs) and jobs[0]["state"] == "RUNNING"

    await until(is_running, 20, f"{orders.name}#{arrival} is not in work")


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

    await until(are_dead, 30, f"the {service} has not {count} dead letters")


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
    for number in range(12):
        for orders in datasets:
            await orders.drop(rows("1,one,1.00", f"2,two,{number}.00", f"{number + 3},more,{number}.50"))
        if number == 4:
            for name in SERVICES:
                doubled.processes[name].kill()
    for orders in datasets:
        await orders.check(120)
    assert await dead_letters(doubled, "loader") == await dead_letters(doubled, "registry") == []
