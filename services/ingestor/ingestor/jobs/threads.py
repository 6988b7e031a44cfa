"""Work beside the event loop."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")

Start = Callable[[Coroutine[Any, Any, None]], Coroutine[Any, Any, None]]


async def beside(is_small: bool, work: Callable[..., Item], *arguments: Any) -> Item:
    """What the work gives: done in a thread, or at once where it is less than the way to a thread and back."""
    return work(*arguments) if is_small else await asyncio.to_thread(work, *arguments)


async def each_beside(is_small: bool, items: Iterator[Item]) -> AsyncIterator[Item]:
    """The items, each made in a thread while the loop serves others, or at once where they are small."""
    end = object()
    while (item := await beside(is_small, next, items, end)) is not end:
        yield item


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, the next one being made in a thread of its own while the last one is worked on."""
    end = object()
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = maker.submit(next, items, end)
            yield item  # type: ignore[misc]


@asynccontextmanager
async def at_most(limit: int) -> AsyncIterator[Start]:
    """Start work, waiting for the oldest where so many are under way; all is done at the end, or all is ended."""
    under_way: deque[asyncio.Task[None]] = deque()

    async def start(work: Coroutine[Any, Any, None]) -> None:
        under_way.append(asyncio.create_task(work))
        if len(under_way) >= limit:
            await under_way.popleft()

    try:
        yield start
        while under_way:
            await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
