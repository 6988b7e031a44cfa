"""A notification is a hint: doubled, lost, late or out of order, the files that are registered are the same."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote_plus

import pytest
from dataset import Dataset, rows
from gates import BucketGate
from installation import Installation, until
from topics import until_all_is_read

pytestmark = pytest.mark.timeout(180)

ONE = rows("1,one,1.00", "2,two,2.00")
TWO = rows("1,one,1.50", "3,three,3.00")
THREE = rows("1,one,1.75", "2,zwei,2.00")


def notification(installation: Installation, *drops: tuple[str, str], sequencer: str = "0") -> bytes:
    """What the object store writes of these (key, version id)."""
    records = [
        {
            "eventVersion": "2.0",
            "eventSource": "minio:s3",
            "eventName": "s3:ObjectCreated:Put",
            "s3": {
                "bucket": {"name": installation.bucket},
                "object": {"key": quote_plus(key), "versionId": version, "sequencer": sequencer},
            },
        }
        for key, version in drops
    ]
    return json.dumps({"EventName": "s3:ObjectCreated:Put", "Key": "any", "Records": records}).encode()


@pytest.fixture
async def silent(running: Installation) -> AsyncIterator[Installation]:
    """An installation whose bucket sends no notifications."""
    rules = await running.s3.get_bucket_notification_configuration(Bucket=running.bucket)
    await _set_rules(running, {})
    yield running
    await _set_rules(running, {name: value for name, value in rules.items() if name.endswith("Configurations")})


@pytest.fixture
async def unswept(running: Installation) -> AsyncIterator[None]:
    """The sweep finds nothing that is less than an hour old."""
    async with running.instead("registry", WAYBILL_SWEEP_GRACE_SECONDS="3600"):
        yield


async def _set_rules(installation: Installation, rules: dict[str, Any]) -> None:
    await installation.s3.put_bucket_notification_configuration(
        Bucket=installation.bucket, NotificationConfiguration=rules
    )


async def test_a_doubled_notification_registers_its_file_once(running: Installation) -> None:
    orders = await Dataset.declared(running)
    version = await orders.drop(ONE, "a b+c.csv")
    await orders.check()
    told = notification(running, (f"{orders.name}/a b+c.csv", version))
    for _ in range(5):
        await running.send("bucket-notifications", told, b"any")
    await until_all_is_read(running, ["registry"])
    await orders.deliver(TWO)
    assert [file["arrival"] for file in await orders.check()] == [1, 2]


async def test_a_lost_notification_is_made_good_by_the_sweep(silent: Installation) -> None:
    orders = await Dataset.declared(silent)
    for content in (ONE, TWO, THREE):
        await orders.drop(content)
    files = await orders.check()
    assert {file["found_by"] for file in files} == {"sweep"}
    assert [file["version_id"] for file in files] == list(orders.contents)


async def test_notifications_in_any_order_register_the_versions_of_an_object_oldest_first(
    silent: Installation, unswept: None
) -> None:
    orders = await Dataset.declared(silent)
    key = f"{orders.name}/always the same name.csv"
    versions = [await orders.drop(content, "always the same name.csv") for content in (ONE, TWO, THREE)]
    for version in (versions[2], versions[0], versions[1]):
        await silent.send("bucket-notifications", notification(silent, (key, version)), b"any")
    files = await orders.check()
    assert [file["version_id"] for file in files] == versions
    assert {file["found_by"] for file in files} == {"notification"}


async def test_an_object_put_while_the_registry_is_down_is_taken_in_when_it_is_back(running: Installation) -> None:
    orders = await Dataset.declared(running)
    running.processes["registry"].stop()
    await orders.drop(ONE, "same.csv")
    await orders.drop(TWO, "same.csv")
    await orders.drop(THREE)
    await running.start("registry")
    files = await orders.check()
    assert [file["version_id"] for file in files] == list(orders.contents)


async def test_an_object_deleted_before_it_is_read_ends_failed_and_gone_and_blocks_nobody(
    running: Installation,
) -> None:
    orders = await Dataset.declared(running)
    await orders.deliver(ONE)
    running.processes["ingestor"].stop()
    version = await orders.drop(TWO, "gone.csv")
    await orders.until_registered(2)
    await running.s3.delete_object(Bucket=running.bucket, Key=f"{orders.name}/gone.csv", VersionId=version)
    orders.contents[version] = None
    await orders.drop(THREE)
    await running.start("ingestor")
    files = await orders.check()
    assert (files[1]["state"], files[1]["code"], files[1]["attempt"]) == ("FAILED", "object_gone", 2)

    async def is_gone() -> bool:
        return (await running.files(orders.name))[1]["presence"] == "gone"

    await until(is_gone, 60, "nobody noticed that the object is gone")


async def test_an_object_hidden_by_a_delete_marker_before_it_is_read_is_still_taken_in(running: Installation) -> None:
    orders = await Dataset.declared(running)
    running.processes["ingestor"].stop()
    await orders.drop(ONE, "hidden.csv")
    await orders.until_registered(1)
    await running.s3.delete_object(Bucket=running.bucket, Key=f"{orders.name}/hidden.csv")
    await running.start("ingestor")
    assert [file["state"] for file in await orders.check()] == ["LOADED"]

    async def is_deleted() -> bool:
        return (await running.files(orders.name))[0]["presence"] == "deleted"

    await until(is_deleted, 60, "nobody noticed that the object was deleted")


async def test_an_object_overwritten_before_it_is_read_is_two_files(running: Installation) -> None:
    orders = await Dataset.declared(running)
    running.processes["ingestor"].stop()
    versions = [await orders.drop(content, "overwritten.csv") for content in (ONE, TWO)]
    await running.start("ingestor")
    assert [file["version_id"] for file in await orders.check()] == versions


@pytest.mark.parametrize("is_cut", [False, True], ids=["read to the end", "read again"])
@pytest.mark.parametrize("what", ["overwritten", "deleted"])
async def test_an_object_that_changes_while_it_is_read_is_read_as_it_was_or_not_at_all(
    running: Installation, what: str, is_cut: bool
) -> None:
    orders = await Dataset.declared(running)
    await orders.deliver(ONE)
    # More than all buffers on the way hold.
    long = rows(*(f"{number},{'long name ' * 100},{number % 1000}.00" for number in range(24_000)))
    key = f"{orders.name}/long.csv"
    async with (
        BucketGate(running.environment["WAYBILL_S3__ENDPOINT_URL"]) as gate,
        running.instead("ingestor", WAYBILL_S3__ENDPOINT_URL=gate.url),
    ):
        gate.close(key)
        version = await orders.drop(long, "long.csv")
        await gate.until_reading()
        assert (await orders.ingest_job(2))["state"] == "RUNNING"
        change = asyncio.create_task(_change(orders, key, version, what))
        # The store may let a writer wait until the reader is done.
        await asyncio.wait([change], timeout=1)
        if is_cut:
            await gate.cut()
            await change
        gate.open()
        await change
        await orders.drop(THREE)
        files = await orders.settle(120)
    read = files[1]
    if what == "deleted" and (is_cut or read["state"] == "FAILED"):
        assert (read["state"], read["code"]) == ("FAILED", "object_gone")
        orders.contents[version] = None
    await orders.check()


async def _change(orders: Dataset, key: str, version: str, what: str) -> None:
    if what == "overwritten":
        await orders.drop(TWO, "long.csv")
    else:
        await orders.installation.s3.delete_object(Bucket=orders.installation.bucket, Key=key, VersionId=version)
