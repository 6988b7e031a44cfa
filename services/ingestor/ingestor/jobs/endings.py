"""How an attempt ends: each ending is one transaction that holds the job."""

from collections.abc import AsyncIterator
from functools import partial

import polars as pl
from chassis import Job, Tx, emit
from chassis.telemetry import FILES, ROWS
from records.errors import FileFault
from records.row_hash import RULE_VERSION
from waybill_contracts import (
    Batch,
    ColumnType,
    FileFailed,
    FileRegistered,
    FileSkipped,
    RecordsIngested,
    RowCounts,
    Source,
)

from ingestor.domain.attempts import rejects_key
from ingestor.domain.guard import GuardFault
from ingestor.domain.records import record_ids
from ingestor.domain.registration import Position
from ingestor.jobs.attempt import Attempt, Stores
from ingestor.jobs.comparing import Changes
from ingestor.jobs.threads import each_beside
from ingestor.store import heads
from ingestor.store.positions import take_position
from ingestor.store.rejects import insert_rejects


async def finish(attempt: Attempt, stores: Stores, changes: Changes, batches: tuple[Batch, ...], sha256: str) -> None:
    """The file takes effect: heads advance, the position is taken and announced, all at once."""
    await _keep_rejects(attempt, stores)
    event = _records_ingested(attempt, changes.rows, batches, sha256)
    advance = heads.advance_few if attempt.is_small else heads.advance
    async with attempt.job.step(stores.db) as tx:
        await advance(
            tx,
            attempt.dataset.id,
            partial(_new_heads, changes, attempt, batches),
            first=changes.first_versions,
            later=sum(batch.version_count for batch in batches) - changes.first_versions,
        )
        await take_position(tx, attempt.dataset, event, attempt.declaration_json)
        await insert_rejects(tx, attempt.dataset.id, attempt.number, attempt.rejects.first)
        await emit(tx, event)
        await attempt.job.end(tx, "DONE")
    _count(attempt.file, "INGESTED", changes.rows)


async def skip(attempt: Attempt, stores: Stores, twin: Position) -> None:
    """The newest position holds these bytes already: nothing is read."""
    file = attempt.file
    event = FileSkipped(
        organisation=file.organisation,
        table=file.table,
        file_id=file.file_id,
        attempt=attempt.number,
        twin_file_id=twin.file_id,
    )
    async with attempt.job.step(stores.db) as tx:
        await emit(tx, event)
        await attempt.job.end(tx, "SKIPPED", f"same bytes as {twin.file_id}")
    _count(file, "SKIPPED")


async def fail(attempt: Attempt, stores: Stores, fault: FileFault) -> None:
    """The file does not take effect; its rejects are kept."""
    await _keep_rejects(attempt, stores)
    event = _file_failed(attempt.file, attempt.number, fault)
    async with attempt.job.step(stores.db) as tx:
        await insert_rejects(tx, attempt.dataset.id, attempt.number, attempt.rejects.first)
        await emit(tx, event)
        await attempt.job.end(tx, "FAILED", f"{event.code}: {event.reason}")
    _count(attempt.file, "FAILED")


async def announce_exhausted(tx: Tx, job: Job, reason: str) -> None:
    """The tries are used up: the file is FAILED for everybody."""
    file = FileRegistered.model_validate(job.payload)
    await emit(tx, _file_failed(file, job.attempt, FileFault("tries_exhausted", reason)))
    _count(file, "FAILED")


async def _keep_rejects(attempt: Attempt, stores: Stores) -> None:
    if attempt.rejects.count:
        key = rejects_key(attempt.file, attempt.number)
        await stores.bucket.put_rejects(attempt.file.bucket, key, attempt.rejects.path)


async def _new_heads(changes: Changes, attempt: Attempt, batches: tuple[Batch, ...]) -> AsyncIterator[pl.DataFrame]:
    """The versions as heads, each pointing to its document."""
    records = record_ids(attempt.number, [(batch.number, batch.version_count) for batch in batches])
    first = 0
    async for versions in each_beside(attempt.is_small, changes.versions.frames()):
        mine = records[first : first + versions.height]
        yield versions.select(key="_key", version="_version", hash="_hash", record=mine)
        first += versions.height


def _records_ingested(attempt: Attempt, rows: RowCounts, batches: tuple[Batch, ...], sha256: str) -> RecordsIngested:
    file = attempt.file
    return RecordsIngested(
        organisation=file.organisation,
        table=file.table,
        file_id=file.file_id,
        arrival=file.arrival,
        registration=file.registration,
        attempt=attempt.number,
        position=attempt.position,
        sha256=sha256,
        columns=tuple(ColumnType(name=name, type=kind) for name, kind in attempt.types.items()),
        key=attempt.declaration.key,
        rule_version=RULE_VERSION,
        batches=batches,
        rows=rows,
        source=_source(file),
    )


def _source(file: FileRegistered) -> Source:
    return Source(
        bucket=file.bucket,
        object_key=file.object_key,
        version_id=file.version_id,
        size=file.size,
        user=file.user,
        reason=file.reason,
        registered_at=file.last_modified,
    )


def _file_failed(file: FileRegistered, attempt: int, fault: FileFault) -> FileFailed:
    return FileFailed(
        organisation=file.organisation,
        table=file.table,
        file_id=file.file_id,
        attempt=attempt,
        code=fault.code,
        reason=fault.message,
        rows=fault.rows if isinstance(fault, GuardFault) else None,
    )


def _count(file: FileRegistered, status: str, rows: RowCounts | None = None) -> None:
    FILES.labels(file.found_by, status).inc()
    for outcome, count in rows.model_dump(exclude={"read"}).items() if rows else ():
        if count:
            ROWS.labels(file.organisation, file.table, outcome).inc(count)
