"""How an attempt ends: each ending is one transaction that holds the job."""

from collections.abc import AsyncIterator, Iterator
from functools import partial
from itertools import chain

import polars as pl
from chassis import Job, Tx, emit
from chassis.telemetry import FILES, ROWS
from records.errors import FileFault
from records.row_hash import RULE_VERSION
from waybill_contracts import (
    Batch,
    ColumnType,
    FileFailed,
    FileHeld,
    FileRefused,
    FileRegistered,
    FileSkipped,
    Hold,
    RecordsIngested,
    RepairCount,
    RowCounts,
    RuleCount,
    Source,
)

from ingestor.domain.attempts import rejects_key, repairs_key
from ingestor.domain.holds import Held, Refused
from ingestor.domain.records import RecordIds
from ingestor.domain.registration import Position
from ingestor.domain.statement import Statement
from ingestor.files.parts import count_parts
from ingestor.files.spool import read_notes
from ingestor.jobs.attempt import Attempt, Stores
from ingestor.jobs.comparing import Changes
from ingestor.jobs.threads import beside, each_beside
from ingestor.store import advancing
from ingestor.store.advancing import NewHeads
from ingestor.store.heads import PROBED_ROWS
from ingestor.store.holds import insert_holds, insert_warnings
from ingestor.store.parts import insert_parts
from ingestor.store.positions import Said, take_position
from ingestor.store.rejects import close_rejects, insert_rejects, open_rejects


async def finish(attempt: Attempt, stores: Stores, changes: Changes, batches: tuple[Batch, ...], sha256: str) -> None:
    """The file takes effect: heads advance, the position is taken and announced, all at once."""
    await _keep_rejects(attempt, stores)
    await _keep_repairs(attempt, stores)
    event = _records_ingested(attempt, changes.rows, batches, sha256)
    async with attempt.job.step(stores.db) as tx:
        await _advance_heads(tx, attempt, changes, batches)
        event = event.model_copy(update={"closed_rejects": await _settle_rejects(tx, attempt, changes)})
        await take_position(tx, attempt.dataset, event, _said(attempt))
        await _keep_first_rejects(tx, attempt)
        await insert_warnings(tx, attempt.dataset.id, attempt.number, attempt.warnings.counts, attempt.warnings.lines)
        await emit(tx, event)
        await attempt.job.end(tx, "DONE")
    _count(attempt.file, "INGESTED", changes.rows)


async def _advance_heads(tx: Tx, attempt: Attempt, changes: Changes, batches: tuple[Batch, ...]) -> None:
    """The versions are the heads, and what else the file states is remembered."""
    statement, dataset_id = attempt.statement, attempt.dataset.id
    is_small = attempt.is_small and changes.count <= PROBED_ROWS
    advance = advancing.advance_few if is_small else advancing.advance
    later = changes.count - changes.first_versions
    versions = partial(_new_heads, changes, attempt, batches)
    await advance(tx, dataset_id, NewHeads(versions, changes.first_versions, later, not statement.is_plain))
    if changes.restated.height:
        await advancing.restate(tx, dataset_id, each_beside(attempt.is_small, _restated(changes, statement)))
    if statement.order is not None and changes.scopes:
        await advancing.raise_floors(tx, dataset_id, dict.fromkeys(changes.scopes, statement.order))


async def _settle_rejects(tx: Tx, attempt: Attempt, changes: Changes) -> int:
    """The file's rejects are open, or a correction's rows close those of its file; how many they closed."""
    corrected = attempt.subject.position
    if attempt.file.corrects and corrected:
        noted = read_notes(attempt.notes)
        taken = (frame.join(noted, on="_line", how="left").rename({"_key": "key"}) for frame in changes.taken.frames())
        found = each_beside(attempt.is_small, taken)
        return await close_rejects(tx, attempt.dataset.id, corrected.said_in, attempt.number, found)
    if attempt.rejects.count:
        lines = each_beside(attempt.is_small, attempt.rejects.lines.frames())
        await open_rejects(tx, attempt.dataset.id, attempt.number, lines)
    return 0


def _said(attempt: Attempt) -> Said:
    corrected = attempt.subject.position if attempt.file.corrects else None
    scope = corrected.scope if corrected else attempt.file.partition
    return Said(attempt.declaration_json, scope, attempt.file.removes, corrected.said_in if corrected else None)


async def hold(attempt: Attempt, stores: Stores, held: Held) -> None:
    """The file waits for a decision; its rejects and the facts are kept."""
    await _keep_rejects(attempt, stores)
    file = attempt.file
    event = FileHeld(
        organisation=file.organisation,
        table=file.table,
        file_id=file.file_id,
        attempt=attempt.number,
        registration=file.registration,
        holds=tuple(Hold(code=reason.code, reason=reason.text) for reason in held.reasons),
        blocks=held.blocks,
        rows=held.rows,
        proposal=held.proposal,
        decided_by=held.decided_by,
    )
    async with attempt.job.step(stores.db) as tx:
        await insert_holds(tx, attempt.dataset.id, attempt.number, held.reasons)
        await _keep_first_rejects(tx, attempt)
        await emit(tx, event)
        await attempt.job.end(tx, "HELD" if held.blocks else "LATE", str(held))
    _count(file, "HELD")


async def refuse(attempt: Attempt, stores: Stores, refused: Refused) -> None:
    """The declaration says that such a file is not taken; nothing was written."""
    file = attempt.file
    event = FileRefused(
        organisation=file.organisation,
        table=file.table,
        file_id=file.file_id,
        attempt=attempt.number,
        code=refused.code,
        reason=refused.text,
        rows=refused.rows,
    )
    async with attempt.job.step(stores.db) as tx:
        await emit(tx, event)
        await attempt.job.end(tx, "REFUSED", f"{event.code}: {event.reason}")
    _count(file, "REFUSED")


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
        await _keep_first_rejects(tx, attempt)
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
        await stores.bucket.put_rows(attempt.file.bucket, key, attempt.rejects.path)


async def _keep_repairs(attempt: Attempt, stores: Stores) -> None:
    """The rows that were taken mended, as they came."""
    await beside(attempt.is_small, attempt.repairs.settle, attempt.rejects.lines)
    if attempt.repairs.counts:
        key = repairs_key(attempt.file, attempt.number)
        await stores.bucket.put_rows(attempt.file.bucket, key, attempt.repairs.path)


async def _keep_first_rejects(tx: Tx, attempt: Attempt) -> None:
    """The first of them at hand, and in a delivery what turns their lines into files and lines."""
    await insert_rejects(tx, attempt.dataset.id, attempt.number, attempt.rejects.first)
    await insert_parts(tx, attempt.dataset.id, attempt.number, count_parts(attempt.parts))


async def _new_heads(changes: Changes, attempt: Attempt, batches: tuple[Batch, ...]) -> AsyncIterator[pl.DataFrame]:
    """The versions as heads, each pointing to its document; in datasets that say it with order and scope."""
    records = RecordIds(attempt.number, [(batch.number, batch.version_count) for batch in batches])
    first = 0
    frames = chain(changes.versions.frames(), changes.deletes.frames())
    async for versions in each_beside(attempt.is_small, frames):
        mine = records.piece(first, versions.height)
        hashes = pl.col("_hash") if "_hash" in versions.columns else pl.lit(None, pl.Binary)
        stated = {} if attempt.statement.is_plain else _stated(versions, attempt.statement)
        yield versions.select(key="_key", version="_version", hash=hashes, record=mine, **stated)
        first += versions.height


def _restated(changes: Changes, statement: Statement) -> Iterator[pl.DataFrame]:
    for frame in changes.restated.frames():
        yield frame.select(key="_key", **_stated(frame, statement))


def _stated(frame: pl.DataFrame, statement: Statement) -> dict[str, pl.Expr]:
    """Order and scope of each row: its own, else the file's."""
    whole = {"order_value": ("_order", statement.order), "scope": ("_scope", statement.scope)}
    return {
        name: pl.col(own) if own in frame.columns else pl.lit(value, pl.String) for name, (own, value) in whole.items()
    }


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
        identity=attempt.declaration.identity,
        order=attempt.statement.order,
        order_column=attempt.statement.order_column,
        corrects=file.corrects,
        format=None if file.removes else attempt.parts[0].format,
        warnings=tuple(RuleCount(rule=rule, rows=count) for rule, count in attempt.warnings.counts.items()),
        repairs=tuple(
            RepairCount.model_validate({"repair": name, "rows": count})
            for name, count in sorted(attempt.repairs.counts.items())
        ),
        parts=count_parts(attempt.parts),
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
    )


def _count(file: FileRegistered, status: str, rows: RowCounts | None = None) -> None:
    FILES.labels(file.found_by, status).inc()
    for outcome, count in rows.model_dump(exclude={"read"}).items() if rows else ():
        if count:
            ROWS.labels(file.organisation, file.table, outcome).inc(count)
