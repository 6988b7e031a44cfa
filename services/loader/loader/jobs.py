"""Loading a file: its batches are appended to the log, then applied to the current table, all at once."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from itertools import islice

from chassis import Job, Names, Pool, Tx, emit
from chassis.telemetry import LOAD_SECONDS, stage
from records.bson_decode import DecodeFault, decode_batch
from waybill_contracts import Batch, FileLoaded, RecordsIngested
from waybill_contracts.loads import LoadCounts

from loader import domain
from loader.documents import Documents
from loader.domain import Load, LogDiffers, Mismatch, Place, Tally
from loader.store import current, facts, ledger, log, tables

SERVICE = "loader"
BATCHES_AHEAD = 2


async def load_next_file(job: Job, *, warehouse: Pool, documents: Documents, names: Names) -> None:
    """Load the position that follows the applied one; what can never be right fails at once, with the reason."""
    try:
        with LOAD_SECONDS.time():
            load = await prepare(job, warehouse=warehouse, names=names)
            if load is not None:
                await append_batches(job, load, warehouse=warehouse, documents=documents)
                await apply_file(job, load, warehouse=warehouse)
    except Mismatch as mismatch:
        async with job.step(warehouse) as tx:
            await job.end(tx, "FAILED", str(mismatch))


async def prepare(job: Job, *, warehouse: Pool, names: Names) -> Load | None:
    """Tables that can hold the file; None where its position is applied already."""
    fact = await facts.read_fact(warehouse, job.lane, job.seq)
    with domain.named(fact):
        return await open_load(job, fact, place_of(fact, names), warehouse=warehouse)


async def open_load(job: Job, fact: RecordsIngested, place: Place, *, warehouse: Pool) -> Load | None:
    """The load as far as it is, on tables that can hold it."""
    async with job.step(warehouse) as tx:
        dataset = await ledger.open_dataset(tx, fact.dataset)
        if dataset.applied >= fact.position:
            return None
        if dataset.applied != fact.position - 1:
            raise Mismatch(f"position {dataset.applied} is the applied one, so this is not the next")
        columns = domain.merge_columns(dataset.columns, fact)
        if columns != dataset.columns:
            await tables.change_tables(tx, place, dataset.columns, columns, fact)
            await ledger.set_columns(tx, fact.dataset, columns)
        return Load(fact, place, columns, await ledger.read_appended(tx, fact))


def place_of(fact: RecordsIngested, names: Names) -> Place:
    """Where this installation keeps the dataset."""
    return Place(
        names.current_schema(fact.organisation),
        names.log_schema(fact.organisation),
        names.reader_role(fact.organisation),
        fact.table,
    )


async def append_batches(job: Job, load: Load, *, warehouse: Pool, documents: Documents) -> None:
    """Append the batches that are not in the log, each in a transaction of its own."""
    async with aclosing(read_ahead(load, documents)) as payloads:
        async for batch, payload in payloads:
            with stage(SERVICE, "append"):
                await append_batch(job, load, batch, payload, warehouse=warehouse)


async def read_ahead(load: Load, documents: Documents) -> AsyncGenerator[tuple[Batch, log.Payload], None]:
    """Each open batch, checked; while the caller writes one, the next is checked and the one after it read."""
    # Lazy: a batch starts to be read when it is taken.
    batches = ((batch, asyncio.create_task(read_batch(load, batch, documents))) for batch in load.open_batches)
    coming = deque(islice(batches, BATCHES_AHEAD))
    try:
        while coming:
            batch, reading = coming.popleft()
            payload = await reading
            coming.extend(islice(batches, 1))
            yield batch, payload
    finally:
        for _, reading in coming:
            reading.cancel()


async def read_batch(load: Load, batch: Batch, documents: Documents) -> log.Payload:
    """The batch's versions, proven to be what the fact says, ready to be written."""
    fact = load.fact
    with stage(SERVICE, "read"):
        raw = await documents.read_batch(fact.organisation, fact.table, fact.attempt, batch.number)
    with stage(SERVICE, "check"):
        return await asyncio.to_thread(proven_payload, raw, batch, fact)


def proven_payload(raw: bytes, batch: Batch, fact: RecordsIngested) -> log.Payload:
    """Decode and check; runs in a thread, so that the event loop stays free."""
    with domain.named(fact, batch):
        try:
            versions = decode_batch(raw, domain.types_of(fact))
        except DecodeFault as fault:
            raise Mismatch(str(fault)) from fault
        domain.check_batch(versions, batch, fact)
    return log.encode(versions, domain.types_of(fact), fact.attempt)


async def append_batch(job: Job, load: Load, batch: Batch, payload: log.Payload, *, warehouse: Pool) -> None:
    """Append one batch to the dataset's log, whole or not at all."""
    with domain.named(load.fact, batch):
        async with job.step(warehouse) as tx:
            if await ledger.claim_batch(tx, load.fact, batch):
                await tables.check_columns(tx, load.place, load.columns)
                await log.append(tx, load.place, payload)


async def apply_file(job: Job, load: Load, *, warehouse: Pool) -> None:
    """Make the file the current state, all at once; a log that is not what the fact says is forgotten instead."""
    with stage(SERVICE, "apply"), domain.named(load.fact):
        try:
            async with job.step(warehouse) as tx:
                await apply_log(tx, load, warehouse=warehouse)
                await job.end(tx, "DONE")
        except LogDiffers:
            async with job.step(warehouse) as tx:
                await ledger.forget_batches(tx, load.fact)
                await log.forget(tx, load.place, load.fact.position)
            raise


async def apply_log(tx: Tx, load: Load, *, warehouse: Pool) -> None:
    """Write the current rows and announce the file; whatever is not what the fact says rolls all back."""
    fact = load.fact
    await tables.check_columns(tx, load.place, load.columns)
    domain.check_appended(fact, await ledger.read_appended(tx, fact))
    # The sums are worked out beside the apply, on a connection of their own; both must agree before the commit.
    tally, done = await asyncio.gather(
        log.tally(warehouse, load.place, fact.position),
        current.apply_position(tx, load.place, fact.position, load.columns, domain.stated_changes(fact)),
        return_exceptions=True,
    )
    if isinstance(tally, BaseException):
        raise tally
    domain.check_sums(fact, tally)
    if isinstance(done, BaseException):
        raise done
    domain.check_counts(fact, "the log holds", tally.counts)
    domain.check_counts(fact, "the current table took", done)
    if not await ledger.set_applied(tx, fact):
        raise Mismatch("the position before it is not the applied one")
    await emit(tx, loaded(fact, tally))


def loaded(fact: RecordsIngested, tally: Tally) -> FileLoaded:
    """What was found in the warehouse, for the other half of the waybill."""
    return FileLoaded(
        organisation=fact.organisation,
        table=fact.table,
        file_id=fact.file_id,
        attempt=fact.attempt,
        position=fact.position,
        rows=LoadCounts(
            inserted=tally.counts.get("insert", 0),
            updated=tally.counts.get("update", 0),
            deleted=tally.counts.get("delete", 0),
        ),
        checksum=tally.checksum,
    )
