"""A server that is away under load: noticed, waited for, and nothing lost, doubled or put aside; nobody restarts."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable

import pytest
from dataset import Dataset, rows
from installation import SERVICES, Installation, until
from stack.servers import SERVERS, Stack

AWAY_SECONDS = float(os.environ.get("WAYBILL_AWAY_SECONDS", "20"))
NOTICE_SECONDS = 10
RECOVERY_SECONDS = 10
NEEDED_BY = {"minio": {"registry", "ingestor"}, "mongodb": {"ingestor", "loader"}}

LONG = [
    pytest.param(server, way, marks=pytest.mark.chaos, id=f"{server}-{way}-long")
    for server in SERVERS
    for way in ("kill", "pause")
]

pytestmark = pytest.mark.timeout(300 + 2 * AWAY_SECONDS)


@pytest.fixture(scope="module")
async def shaken(own_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """An installation on servers of its own."""
    async with Installation(own_stack.environment("t01"), tmp_path_factory.mktemp("shaken")) as mine:
        await mine.start()
        yield mine


class Drip:
    """Small files, a few a second, as long as the object store takes them."""

    def __init__(self, *datasets: Dataset) -> None:
        self._datasets = datasets
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        number = 0
        while True:
            for dataset in self._datasets:
                number += 1
                content = rows("1,one,1.00", f"2,two,{number}.00", f"{number},more,0.50")
                try:
                    await dataset.drop(content, f"file {number:05}.csv")
                except Exception as error:  # noqa: BLE001 - the sender knows no more than that it was not taken
                    print(f"file {number} was not taken: {type(error).__name__}")
            await asyncio.sleep(0.3)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.mark.parametrize(("server", "way"), [*((server, "kill") for server in SERVERS), *LONG])
async def test_a_server_away_under_load_is_waited_for_and_every_file_comes_out_right(
    shaken: Installation, own_stack: Stack, server: str, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets = [await Dataset.declared(shaken, organisation) for organisation in ("acme", "globex")]
    pids = {name: shaken.processes[name].pid for name in SERVICES}
    needed = NEEDED_BY.get(server, set(SERVICES))
    drip = Drip(*datasets)
    try:
        await asyncio.sleep(2)
        away = own_stack.server(server)
        await asyncio.to_thread(getattr(away, way))
        noticed = await _seconds_until(shaken, lambda ready: not ready & needed, NOTICE_SECONDS)
        await asyncio.sleep(max(0.0, AWAY_SECONDS - noticed))
        await asyncio.to_thread(away.start if way == "kill" else away.resume)
        back = await _seconds_until(shaken, lambda ready: ready == set(SERVICES), RECOVERY_SECONDS)
        await asyncio.sleep(2)
    finally:
        await drip.stop()
    for dataset in datasets:
        await _adopt_unknown_drops(dataset)
        await dataset.check(90)
    assert {name: shaken.processes[name].pid for name in SERVICES if shaken.processes[name].is_running} == pids
    assert json.loads((await shaken.waybill("dead-letter", "list", "--json"))[1]) == []
    with capsys.disabled():
        files = sum(len(dataset.contents) for dataset in datasets)
        print(
            f"\n{server} {way} {AWAY_SECONDS:.0f} s, {files} files: not ready after {noticed:.1f} s, ready {back:.1f} s"
        )


async def _seconds_until(shaken: Installation, condition: Callable[[set[str]], bool], seconds: float) -> float:
    """How long it takes until the services that are ready are as the condition wants them."""
    started = time.monotonic()
    ready: set[str] = set()

    async def holds() -> bool:
        answers = await asyncio.gather(*(shaken.is_ready(name) for name in SERVICES))
        ready.clear()
        ready.update(name for name, is_ready in zip(SERVICES, answers, strict=True) if is_ready)
        return condition(ready)

    await until(holds, seconds, lambda: f"ready are {sorted(ready)}")
    return time.monotonic() - started


async def _adopt_unknown_drops(dataset: Dataset) -> None:
    """A put without an answer may have been done; such objects are files like others."""
    listing = dataset.installation.s3.get_paginator("list_object_versions")
    async for page in listing.paginate(Bucket=dataset.installation.bucket, Prefix=f"{dataset.name}/"):
        for entry in page.get("Versions", []):
            if entry["VersionId"] not in dataset.contents:
                place = {"Bucket": dataset.installation.bucket, "Key": entry["Key"], "VersionId": entry["VersionId"]}
                reply = await dataset.installation.s3.get_object(**place)
                dataset.contents[entry["VersionId"]] = await reply["Body"].read()
