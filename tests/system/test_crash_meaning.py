"""What files mean has crash points of its own: deletes, orders said again, holds, decisions; each is died at."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest
from crash_trials import Knife, common_points
from crashing import Point
from dataset import Dataset, declared_columns, fields
from deliveries import COLUMNS
from installation import SERVICES, Installation
from meaning import Meaning
from stack.namespaces import Reachable, claimed

PLAIN = Meaning(("id",), COLUMNS)
SNAPSHOT = Meaning(
    ("id",), COLUMNS, mode="snapshot", order_name=r"_(\d+)\.", late="hold", min_rows=2, max_delete_share=0.5
)
HEADER = "id,name,amount,region,seen\n"
PLAIN_FILES = ((1, "1a 2b"), (2, "1c 3d x!"))
SNAPSHOT_FILES = ((1, "1a 2b 3c 4d"), (3, "1a 2x 3c"), (2, "4z 5e"), (4, "1a"), (5, "1a 6f"))
"""Deletes 4; comes late, and is released to be stale; would delete too much, and is released; comes behind it."""
RELEASED = (3, 4)
RETRIES, MOST = 2, 90
SETTINGS = {"WAYBILL_SWEEP_SECONDS": "3600", "WAYBILL_JOBS__LEASE_SECONDS": "1.5"}


def content(rows: str) -> bytes:
    """Rows as `1a`: id 1, name a."""
    return (HEADER + "".join(f"{row[0]},{row[1:]},1,north,2026-01-01\n" for row in rows.split())).encode()


class Told:
    """A dataset from its first file to its last decision."""

    def __init__(self, installation: Installation, name: str, meaning: Meaning) -> None:
        self.dataset = Dataset(installation, name, meaning)
        self.files = SNAPSHOT_FILES if meaning is SNAPSHOT else PLAIN_FILES
        self.released = RELEASED if meaning is SNAPSHOT else ()

    async def tell(self) -> None:
        for number, (order, rows) in enumerate(self.files):
            await self.dataset.drop(content(rows), f"file {number}_{order}.csv")
        for arrival in self.released:
            await self.dataset.release(arrival)
        await self.dataset.settle()

    async def check(self) -> None:
        await self.dataset.check()


def declare(installation: Installation, meaning: Meaning, count: int, word: str) -> list[Told]:
    """So many datasets of one meaning, each in an organisation of its own."""
    names = [f"{word}{number}/orders" for number in range(count)]
    for name in names:
        installation.declare(name, meaning.key, declared_columns(meaning), **fields(meaning))
    return [Told(installation, name, meaning) for name in names]


async def die_everywhere(environment: dict[str, str], folder: Path, name: str) -> tuple[int, list[Point]]:
    """Kill this service before every write that plain files do not make; how many, and those that it survived."""
    async with Installation(environment, folder / name, SETTINGS) as installation:
        plain = declare(installation, PLAIN, 1, "p")
        told = declare(installation, SNAPSHOT, MOST, "s")
        knife = Knife(installation, name)
        knife.start()
        await installation.start(*[other for other in SERVICES if other != name])
        known = {label for label, _ in await knife.count(plain[0])}
        stories = iter(told)
        points = [point for point in await common_points(knife.count, stories) if point[0] not in known]
        survived = points
        for _ in range(1 + RETRIES):
            survived = [point for point in survived if not await knife.die_at(point, next(stories))]
        assert knife.victim
        knife.victim.stop()
        return len(points), survived


@pytest.mark.timeout(900)
async def test_killed_before_each_write_of_deletes_holds_and_decisions_each_service_ends_the_same(
    stack: Reachable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as claims:
        mine = {name: claims.enter_context(claimed(stack)) for name in SERVICES}
        work = [die_everywhere(namespace.environment, tmp_path, name) for name, namespace in mine.items()]
        results = dict(zip(mine, await asyncio.gather(*work), strict=True))
    with capsys.disabled():
        for name, (gaps, survived) in results.items():
            print(f"\n{name}: further crash points {gaps - len(survived)} of {gaps}", end="")
    uncovered = {name: survived for name, (_, survived) in results.items() if survived}
    assert not uncovered, f"no gap covers {uncovered}"
