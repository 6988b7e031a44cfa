"""Crash points are counted, not chosen: each service is killed in every gap between two of its writes."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest
from checker import check
from crash_trials import HEARTBEAT, PRUNING, RENEWAL, common_points
from crashing import Point, Victim
from installation import SERVICES, Installation, http, until
from oracle import Oracle
from stack.namespaces import Reachable, claimed
from stack.ports import free_ports

COLUMNS = {"id": "{type: integer, required: true}", "name": "{type: text}", "amount": '{type: "decimal(8,2)"}'}
ORACLE_COLUMNS = {"id": ("integer", True), "name": ("text", False), "amount": ("decimal(8,2)", False)}
FIRST = b"id,name,amount\n1,one,1.00\n2,two,2.00\n3,three,\n"
SECOND = b"id,name,amount\n2,two,2.50\n3,three,\nx,bad,1\n4,four,4.00\n"
WIDE = b"id,name,amount\n" + b"".join(b"%d,%s,1.00\n" % (number, b"w" * 5_000) for number in range(3, 63))
WIDER = WIDE.replace(b"w,1.00", b"w,2.00")
"""More bytes than the ingestor works on without threads, COPY and temporary tables."""
Delivery = tuple[bytes, ...]
MANY = b"id,name,amount\n" + b"".join(b"%d,many,1.00\n" % number for number in range(100, 20_101))
"""One more than a batch holds: the loader appends two batches on their own, and applies them in a third transaction."""
MORE: dict[str, Delivery] = {"ingestor": (WIDE, WIDER), "loader": (MANY,)}
MOST_POINTS, SPARE = 200, 20
RETRIES = 2
SETTINGS = {"WAYBILL_SWEEP_SECONDS": "3600", "WAYBILL_JOBS__LEASE_SECONDS": "1.5"}
LONG = b"id,name,amount\n" + b"".join(b"%d,name,1.00\n" % number for number in range(1, 200_001))
BY_CLOCK = {
    "registry": PRUNING,
    "ingestor": (HEARTBEAT, *PRUNING),
    "loader": (HEARTBEAT, RENEWAL, *PRUNING),
}
"""Writes that no delivery surely makes; only the loader goes from step to step."""


class Trial:
    """One service under the knife, the others alive; a dataset for each death."""

    def __init__(self, installation: Installation, name: str) -> None:
        self.installation, self.name = installation, name
        self.port = free_ports().kafka
        settings = {"WAYBILL_HTTP__PORT": str(self.port), "WAYBILL_INSTANCE": f"{name}-victim"}
        self.environment = {**installation.environment, **settings}
        self.victim: Victim | None = None
        self.delivery = (FIRST, SECOND, SECOND, *MORE.get(name, ()))

    def start(self, target: Point | None = None) -> None:
        log = self.installation.logs / f"{self.name}-victim.log"
        self.victim = Victim(self.name, self.environment, log, target)

    async def deliver(self, dataset: str, delivery: Delivery | None = None) -> None:
        for number, content in enumerate(delivery or self.delivery):
            await self.installation.put(f"{dataset}/file {number}.csv", content)

    async def settle(self, dataset: str, delivery: Delivery | None = None) -> None:
        delivery = delivery or self.delivery
        files = await self.installation.settled(dataset, len(delivery))
        oracle = Oracle(("id",), ORACLE_COLUMNS)
        for file, content in zip(files, delivery, strict=True):
            oracle.take(content, file_id=str(file["file_id"]))
        await check(self.installation, dataset, oracle)

    async def count(self, dataset: str) -> list[Point]:
        """The writes of one delivery, start and stop of the service apart."""
        assert self.victim
        await self.ready()
        self.victim.arm(None)
        await self.deliver(dataset)
        await self.settle(dataset)
        await asyncio.sleep(1.0)  # the last offsets, marks and waybill files are written after the state is final
        return self.victim.seen()

    async def find(self, start: str, dataset: str, delivery: Delivery) -> str:
        """What a write that begins so is counted as, which is made by the clock during or after this delivery."""
        assert self.victim
        self.victim.arm(None)
        await self.deliver(dataset, delivery)
        await self.settle(dataset, delivery)

        async def is_seen() -> bool:
            return any(label.startswith(start) for label, _ in self.victim.seen())

        await until(is_seen, 20, f"{start} was not seen")
        return next(label for label, _ in self.victim.seen() if label.startswith(start))

    async def ready(self) -> None:
        async def is_ready() -> bool:
            return (await asyncio.to_thread(http, self.port, "/health/ready"))[0] == 200

        await until(is_ready, 30, f"{self.name} is not ready; see {self.installation.logs}")

    async def die_at(self, point: Point, dataset: str, delivery: Delivery | None = None) -> bool:
        """Deliver, die before the point, start again, settle; whether it died at all."""
        assert self.victim
        self.victim.arm(point)
        await self.deliver(dataset, delivery)
        died = await self.victim.death(10)
        if died:
            self.start()
        await self.settle(dataset, delivery)
        await self.ready()
        return died

    async def die_at_rest(self, dataset: str) -> None:
        """The gap after the last write: all is quiet."""
        assert self.victim
        self.victim.process.kill()
        self.start()
        await self.ready()
        await self.settle(dataset)
        self.victim.stop()


async def die_everywhere(environment: dict[str, str], folder: Path, name: str) -> tuple[int, list[Point]]:
    """Kill this service in every gap; how many gaps there are, and those in which it did not die."""
    async with Installation(environment, folder / name, SETTINGS) as installation:
        # Each has an organisation of its own, since some writes come only with a new one.
        datasets = [f"o{number}/orders" for number in range(MOST_POINTS)]
        for dataset in datasets:
            installation.declare(dataset, ["id"], COLUMNS, guards={"max_reject_share": 1.0})
        trial = Trial(installation, name)
        trial.start()
        await installation.start(*[other for other in SERVICES if other != name])
        fresh = iter(datasets)
        points = await common_points(trial.count, fresh)
        assert len(points) < MOST_POINTS - SPARE
        survived = [point for point in points if not await trial.die_at(point, next(fresh))]
        spare = iter(reversed(datasets))
        for _ in range(RETRIES):
            survived = [point for point in survived if not await trial.die_at(point, next(spare))]
        for start in BY_CLOCK[name]:
            delivery = (LONG,) if start in (HEARTBEAT, RENEWAL) else trial.delivery
            points.append((await trial.find(start, next(spare), delivery), 1))
            if not await trial.die_at(points[-1], next(spare), delivery):
                survived.append(points[-1])
        await trial.die_at_rest(datasets[0])
        return len(points) + 1, survived


@pytest.mark.timeout(3000)
async def test_killed_in_every_gap_between_two_writes_each_service_ends_the_same(
    stack: Reachable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as claims:
        mine = {name: claims.enter_context(claimed(stack)) for name in SERVICES}
        work = [die_everywhere(namespace.environment, tmp_path, name) for name, namespace in mine.items()]
        results = dict(zip(mine, await asyncio.gather(*work), strict=True))
    with capsys.disabled():
        for name, (gaps, survived) in results.items():
            print(f"\n{name}: crash points {gaps - len(survived)} of {gaps}", end="")
    uncovered = {name: survived for name, (_, survived) in results.items() if survived}
    assert not uncovered, f"no gap covers {uncovered}"
