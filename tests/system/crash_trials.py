"""One service under the knife, the others alive: its writes are counted, and it is killed before each of them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from crashing import Point, Victim
from installation import Installation, http, until
from stack.ports import free_ports

HEARTBEAT, RENEWAL = "sql WITH mine AS (", "sql UPDATE jobs SET lease = clock_timestamp()"
PRUNING = ("sql DELETE FROM outbox", "sql DELETE FROM inbox")
BY_CLOCK = (HEARTBEAT, RENEWAL, *PRUNING)
"""Leases are renewed in a job that takes longer than a third of one, and what is old is pruned every few seconds."""
COUNTS, MOST_COUNTS = 3, 5


class Story(Protocol):
    """What happens to a dataset, from its first file to its end."""

    async def tell(self) -> None:
        """Drop, wait and decide, while somebody may die."""

    async def check(self) -> None:
        """The end is the right one."""


class Knife:
    """One service that can be told where to die."""

    def __init__(self, installation: Installation, name: str) -> None:
        self.name = name
        self.logs: Path = installation.logs
        self.port = free_ports().kafka
        settings = {"WAYBILL_HTTP__PORT": str(self.port), "WAYBILL_INSTANCE": f"{name}-victim"}
        self.environment = {**installation.environment, **settings}
        self.victim: Victim | None = None

    def start(self, target: Point | None = None) -> None:
        self.victim = Victim(self.name, self.environment, self.logs / f"{self.name}-victim.log", target)

    async def ready(self) -> None:
        async def is_ready() -> bool:
            return (await asyncio.to_thread(http, self.port, "/health/ready"))[0] == 200

        await until(is_ready, 30, f"{self.name} is not ready; see {self.logs}")

    async def count(self, story: Story) -> list[Point]:
        """The writes of one story, start and stop of the service apart."""
        assert self.victim
        await self.ready()
        self.victim.arm(None)
        await story.tell()
        await story.check()
        await asyncio.sleep(1.0)  # the last offsets, marks and waybill files are written after the state is final
        return self.victim.seen()

    async def die_at(self, point: Point, story: Story) -> bool:
        """Tell the story, die before the point, start again, go on; whether it died at all."""
        assert self.victim
        self.victim.arm(point)
        telling = asyncio.create_task(story.tell())
        dying = asyncio.create_task(self._start_again())
        await telling
        await asyncio.wait([dying], timeout=2)
        died = dying.done()
        dying.cancel()
        await story.check()
        await self.ready()
        return died

    async def _start_again(self) -> None:
        assert self.victim
        while not await self.victim.death(1):
            pass
        self.start()


async def common_points(count: Callable[[Any], Awaitable[list[Point]]], subjects: Iterator[Any]) -> list[Point]:
    """The points that three countings have; how often two workers look for the same job is a matter of luck.

    The kinds of writes must not be: but where a lease ran out on a slow machine, there is one more counting, or two.
    """
    counts: list[list[Point]] = []
    while len(counts) < MOST_COUNTS:
        counts.append(await count(next(subjects)))
        alike = [each for each in counts if _kinds(each) == _kinds(counts[-1])]
        if len(alike) == COUNTS:
            points = [point for point in alike[0] if all(point in other for other in alike[1:])]
            return [point for point in dict.fromkeys(points) if not point[0].startswith(BY_CLOCK)]
    everywhere = set.intersection(*map(_kinds, counts))
    at_times = {kind: number for number, each in enumerate(counts) for kind in _kinds(each) - everywhere}
    raise AssertionError(f"writes that come only at times, and in which counting: {at_times}")


def _kinds(points: list[Point]) -> set[str]:
    return {label for label, _ in points if not label.startswith(BY_CLOCK)}
