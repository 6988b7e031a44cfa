"""Versions to MongoDB, batch by batch, two on their way at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain

import polars as pl
from records.bson.encode import BatchPlace, encode_batch
from records.columns import dtype
from waybill_contracts import Batch

from ingestor.domain.attempts import batch_size
from ingestor.jobs.attempt import Attempt, Stores
from ingestor.jobs.comparing import Changes
from ingestor.jobs.predecessors import Predecessors
from ingestor.jobs.threads import at_most, beside, each_beside

INSERTS_AT_ONCE = 2
BATCH_BYTES = 32 << 20
"""A batch of wide rows is cut before it holds more."""


async def write(changes: Changes, attempt: Attempt, stores: Stores) -> tuple[Batch, ...]:
    """Every version as a document under (attempt, batch, number); nobody reads them before the finish."""
    batches: list[Batch] = []
    predecessors = Predecessors(attempt, stores)
    at = datetime.now(UTC)
    async with at_most(INSERTS_AT_ONCE) as start:
        async for frame in each_beside(attempt.is_small, cut(changes, attempt.types)):
            place = BatchPlace(attempt.number, len(batches) + 1, attempt.position, at)
            versions = await predecessors.add_changed(frame)
            encoded = await beside(attempt.is_small, encode_batch, versions, attempt.types, place)
            await start(stores.documents.insert_batch(attempt.dataset.name, encoded))
            batches.append(Batch(number=place.batch, version_count=encoded.count, checksum=encoded.checksum))
    return tuple(batches)


def cut(changes: Changes, types: dict[str, str]) -> Iterator[pl.DataFrame]:
    """The versions with their values, in batches of one size, or smaller ones where rows are wide."""
    most, waiting = batch_size(changes.count), pl.DataFrame()
    for part in chain(_with_values(changes), _without_values(changes, types)):
        waiting = pl.concat([waiting, part], how="diagonal") if waiting.height else part
        while count := _full(waiting, most):
            yield waiting.head(count)
            waiting = waiting.slice(count)
    if waiting.height:
        yield waiting


def _with_values(changes: Changes) -> Iterator[pl.DataFrame]:
    for values, versions in zip(changes.values.frames(), changes.versions.frames(), strict=True):
        yield pl.concat([values[versions["_place"]], versions], how="horizontal")


def _without_values(changes: Changes, types: dict[str, str]) -> Iterator[pl.DataFrame]:
    """Deletes: of the record there is nothing more to say than that it ended."""
    nothing = pl.DataFrame(
        schema={name: dtype(kind) for name, kind in types.items()} | {"_line": pl.Int64, "_hash": pl.Binary}
    )
    for deletes in changes.deletes.frames():
        yield pl.concat([nothing, deletes], how="diagonal")


def _full(waiting: pl.DataFrame, most: int) -> int:
    """Versions of the next batch; 0 while there are not enough."""
    size = waiting.estimated_size()
    if size > BATCH_BYTES:
        return min(most, max(1, int(waiting.height * BATCH_BYTES / size)))
    return most if waiting.height >= most else 0
