"""A large file of one organisation makes nobody else wait."""

import time

import pytest
from bson import Decimal128
from checker import tables
from dataset import Dataset, rows
from installation import FINAL, Installation, until
from pymongo import AsyncMongoClient

ROWS = 1_000_000
SMALL_FILES = 10
AT_MOST_SECONDS = 3.0

pytestmark = pytest.mark.timeout(600)


async def test_a_file_of_a_million_rows_in_work_leaves_small_files_of_others_their_three_seconds(
    running: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    large, small = await Dataset.declared(running, "acme"), await Dataset.declared(running, "globex")
    await small.deliver(rows("0,first,0.00"))
    await large.drop(rows(*(f"{number},name {number},{number % 90_000}.25" for number in range(ROWS))))

    async def is_in_work() -> bool:
        return bool(
            await running.rows("ingestor", "SELECT 1 FROM jobs WHERE lane = $1 AND state = 'RUNNING'", large.name)
        )

    await until(is_in_work, 60, "the large file is not in work")
    seconds = []
    for number in range(SMALL_FILES):
        started = time.monotonic()
        await small.deliver(rows(f"{number},small,{number}.00"))
        seconds.append(time.monotonic() - started)
        (file,) = await running.files(large.name)
        assert file["state"] not in FINAL, f"the large file was done before {SMALL_FILES} small ones: too early to tell"
    with capsys.disabled():
        print(f"\nsmall files beside a large one: {', '.join(f'{each:.2f}' for each in sorted(seconds))} s")
    # The second slowest of ten.
    assert sorted(seconds)[-2] <= AT_MOST_SECONDS
    await small.check()
    (file,) = await large.settle(240)
    assert (file["state"], file["balanced"]) == ("LOADED", True)
    await _check_large(large)


async def _check_large(large: Dataset) -> None:
    """As the oracle would, in the servers: a million rows are too many for dictionaries."""
    running = large.installation
    for table in tables(running, large.name):
        differing = await running.db.fetchval(
            f"""
            SELECT count(*) FROM (SELECT id, name, amount, _key, _version FROM {table}) AS found
            FULL JOIN (
                SELECT n AS id, 'name ' || n AS name, n % 90000 + 0.25 AS amount, n::text AS _key, 1 AS _version
                FROM generate_series(0, {ROWS - 1}) AS n
            ) AS expected USING (id, name, amount, _key, _version)
            WHERE found IS NULL OR expected IS NULL
            """
        )
        assert differing == 0, f"{differing} rows of {table} are not what the file said"
    organisation, table = large.name.split("/")
    async with AsyncMongoClient(running.environment["WAYBILL_MONGO__URI"]) as client:
        collection = client[running.namespace][f"raw_{organisation}_{table}"]
        is_right = {
            "$and": [
                {"$eq": ["$key", {"$toString": "$data.id"}]},
                {"$eq": ["$data.name", {"$concat": ["name ", "$key"]}]},
                {"$eq": ["$data.amount", {"$add": [{"$mod": ["$data.id", 90_000]}, Decimal128("0.25")]}]},
                {"$eq": ["$version", 1]},
            ]
        }
        assert await collection.count_documents({}) == ROWS
        assert await collection.count_documents({"$expr": {"$not": is_right}}) == 0
