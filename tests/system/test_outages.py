"""A server that is away under load: noticed, waited for, and nothing lost, doubled or put aside; nobody restarts."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator

import pytest
from dataset import Dataset, rows
from installation import SERVICES, Installation, http, until
from stack.servers import SERVERS, Stack

AWAY_SECONDS = float(os.environ.get("WAYBILL_AWAY_SECONDS", "20"))
NOTICE_SECONDS = 10
RECOVERY_SECONDS = 10
NEEDED_BY = {
    "kafka": set(SERVICES),
    "minio": {"registry", "ingestor"},
    "mongodb": {"ingestor", "loader"},
    "postgresql": set(SERVICES),
}
PROBED_AS = {"minio": "s3"}

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
        self.taken = 0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        number = 0
        while True:
            for dataset in self._datasets:
                number += 1
                content = rows("1,one,1.00", f"2,two,{number}.00", f"{number},more,0.50")
                try:
                    await dataset.drop(content, f"file {number:05}.csv")
                    self.taken += 1
                except Exception as error:  # noqa: BLE001 - the sender knows no more than that it was not taken
                    print(f"file {number} was not taken: {type(error).__name__}")
            await asyncio.sleep(0.3)

    async def until_dropped(self, count: int) -> None:
        """So many more files have been taken."""
        enough = self.taken + count

        async def are_dropped() -> bool:
            return self.taken >= enough

        await until(are_dropped, 60, "no files are taken")

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.mark.parametrize(("server", "way"), [*((server, "kill") for server in SERVERS), *LONG])
async def test_a_server_away_under_load_is_waited_for_and_every_file_comes_out_right(
    shaken: Installation, own_stack: Stack, server: str, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets = [await Dataset.declared(shaken, organisation) for organisation in ("acme", "globex")]
    pids = {name: shaken.processes[name].pid for name in SERVICES}
    drip, away = Drip(*datasets), own_stack.server(server)
    call_back = away.start if way == "kill" else away.resume
    try:
        await _until_all_are_ready(shaken)
        await drip.until_dropped(6)
        started = time.monotonic()
        await asyncio.to_thread(getattr(away, way))
        await _until_missed(shaken, server, NOTICE_SECONDS)
        noticed = time.monotonic() - started
        await asyncio.sleep(max(0.0, AWAY_SECONDS - noticed))
        assert await _missing(shaken, server) == NEEDED_BY[server], "a service is ready without what it needs"
        started = time.monotonic()
        await asyncio.to_thread(call_back)
        answered = time.monotonic() - started
        await _until_all_are_ready(shaken, answered + RECOVERY_SECONDS)
        back = time.monotonic() - started
        await drip.until_dropped(6)
    finally:
        await drip.stop()
        # Also where this one failed: the next one needs the server.
        await asyncio.to_thread(call_back)
    for dataset in datasets:
        await _adopt_unknown_drops(dataset)
        await dataset.check(90)
    assert {name: shaken.processes[name].pid for name in SERVICES if shaken.processes[name].is_running} == pids
    assert json.loads((await shaken.waybill("dead-letter", "list", "--json"))[1]) == []
    with capsys.disabled():
        files = sum(len(dataset.contents) for dataset in datasets)
        print(
            f"\n{server} {way} {AWAY_SECONDS:.0f} s, {files} files: not ready {noticed:.1f} s after it went,"
            f" ready {back:.1f} s after it was called back (it answered after {answered:.1f} s)"
        )


async def _until_all_are_ready(shaken: Installation, seconds: float = 60) -> None:
    await asyncio.gather(*(shaken.until_ready(name, seconds) for name in SERVICES))


async def _until_missed(shaken: Installation, server: str, seconds: float) -> None:
    missing: set[str] = set()

    async def is_missed() -> bool:
        missing.clear()
        missing.update(await _missing(shaken, server))
        return missing == NEEDED_BY[server]

    await until(is_missed, seconds, lambda: f"{server} is missed by {sorted(missing)}")


async def _missing(shaken: Installation, server: str) -> set[str]:
    """The services that say that they are not ready, and that it is for this server."""
    answers = await asyncio.gather(
        *(asyncio.to_thread(http, _port(shaken, name), "/health/ready") for name in SERVICES)
    )
    told = dict(zip(SERVICES, answers, strict=True))
    reason = PROBED_AS.get(server, server)
    return {name for name, (status, body) in told.items() if status == 503 and reason in json.loads(body)["reasons"]}


def _port(shaken: Installation, name: str) -> int:
    return int(shaken.processes[name].port)  # type: ignore[attr-defined]


async def _adopt_unknown_drops(dataset: Dataset) -> None:
    """A put without an answer may have been done; such objects are files like others."""
    listing = dataset.installation.s3.get_paginator("list_object_versions")
    async for page in listing.paginate(Bucket=dataset.installation.bucket, Prefix=f"{dataset.name}/"):
        for entry in page.get("Versions", []):
            if entry["VersionId"] not in dataset.contents:
                place = {"Bucket": dataset.installation.bucket, "Key": entry["Key"], "VersionId": entry["VersionId"]}
                reply = await dataset.installation.s3.get_object(**place)
                dataset.contents[entry["VersionId"]] = await reply["Body"].read()
