"""Loading a file: its batches are appended to the log, then applied to the current table, all at once."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from itertools import islice

from chassis import Job, Names, Pool, Tx, emit
from chassis.telemetry import LOAD_SECONDS, stage
from records.bson.decode import DecodeFault, decode_batch
from waybill_contracts import Batch, FileLoaded, RecordsIngested
from waybill_contracts.loads import LoadCounts

from loader.documents import Documents
from loader.domain.facts import stated_changes, types_of
from loader.domain.faults import LogDiffers, Mismatch, named
from loader.domain.loading import Load, Tally, check_appended, check_counts, check_sums
from loader.domain.tables import Place, fit_tables
from loader.domain.versions import check_batch, orders
from loader.store import current, ledger, log, tables

SERVICE = "loader"
BATCHES_AHEAD = 2
SMALL_BYTES = 1 << 18
"""So few are checked in less time than the event loop may be kept, and than the way to a thread and back is worth."""


async def load_next_file(job: Job, *, warehouse: Pool, documents: Documents, names: Names) -> None:
    """Load the position that follows the applied one; what can never be right fails at once, with the reason."""
    try:
        with LOAD_SECONDS.time():
            load = await prepare(job, warehouse=warehouse, names=names)
            if load is not None:
                await load_file(job, load, warehouse=warehouse, documents=documents)
    except Mismatch as mismatch:
        async with job.step(warehouse) as tx:
            await job.end(tx, "FAILED", str(mismatch))


async def prepare(job: Job, *, warehouse: Pool, names: Names) -> Load | None:
    """Tables that can hold the file; None where its position is applied already."""
    # No lock is needed for this look: only the attempt that runs writes what is seen here, and one that
    # does not run any more is refused by its next step.
    fact, dataset, appended = await ledger.read_position(warehouse, job.lane, job.seq)
    place = place_of(fact, names)
    with named(fact):
        if dataset.applied == fact.position - 1 and fit_tables(dataset.tables, fact) == dataset.tables:
            return Load(fact, place, dataset.tables, appended)
        return await open_load(job, fact, place, warehouse=warehouse)


async def open_load(job: Job, fact: RecordsIngested, place: Place, *, warehouse: Pool) -> Load | None:
    """The load as far as it is, on tables that can hold it."""
    async with job.step(warehouse) as tx:
        dataset = await ledger.open_dataset(tx, fact.dataset)
        if dataset.applied >= fact.position:
            return None
        if dataset.applied != fact.position - 1:
            raise Mismatch(f"position {dataset.applied} is the applied one, so this is not the next")
        fitting = fit_tables(dataset.tables, fact)
        if fitting != dataset.tables:
            await tables.change_tables(tx, place, dataset.tables, fitting, fact)
            await ledger.set_tables(tx, fact.dataset, fitting)
        return Load(fact, place, fitting, await ledger.read_appended(tx, fact))


def place_of(fact: RecordsIngested, names: Names) -> Place:
    """Where this installation keeps the dataset."""
    return Place(
        names.current_schema(fact.organisation),
        names.log_schema(fact.organisation),
        names.reader_role(fact.organisation),
        fact.table,
    )


async def load_file(job: Job, load: Load, *, warehouse: Pool, documents: Documents) -> None:
    """Append what is not in the log, then apply; a file of one batch in one transaction."""
    only = None
    if load.only_batch:
        only = load.only_batch, await read_batch(load, load.only_batch, documents)
    else:
        await append_batches(job, load, warehouse=warehouse, documents=documents)
    try:
        await apply_file(job, load, only, warehouse=warehouse)
    except LogDiffers:
        await forget_file(job, load, warehouse=warehouse)
        raise


async def append_batches(job: Job, load: Load, *, warehouse: Pool, documents: Documents) -> None:
    """Append the batches that are not in the log, each in a transaction of its own."""
    async with aclosing(read_ahead(load, documents)) as payloads:
        async for batch, payload in payloads:
            with stage(SERVICE, "append"):
                async with job.step(warehouse) as tx:
                    await append_batch(tx, load, batch, payload)


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
        if len(raw) <= SMALL_BYTES:
            return proven_payload(raw, batch, fact)
        return await asyncio.to_thread(proven_payload, raw, batch, fact)


def proven_payload(raw: bytes, batch: Batch, fact: RecordsIngested) -> log.Payload:
    """Decode and check."""
    with named(fact, batch):
        try:
            versions = decode_batch(raw, types_of(fact))
        except DecodeFault as fault:
            raise Mismatch(str(fault)) from fault
        check_batch(versions, batch, fact)
    return log.encode(versions, types_of(fact), fact.attempt, orders(versions, fact))


async def append_batch(tx: Tx, load: Load, batch: Batch, payload: log.Payload) -> bool:
    """Append one batch to the dataset's log, whole or not at all; whether the current table has its key."""
    with named(load.fact, batch):
        has_key = await tables.check_columns(tx, load.place, load.tables)
        if await ledger.claim_batch(tx, load.fact, batch):
            await log.append(tx, load.place, payload)
        return has_key


async def apply_file(job: Job, load: Load, only: tuple[Batch, log.Payload] | None, *, warehouse: Pool) -> None:
    """Make the file the current state, all at once; its only batch is appended with it."""
    with stage(SERVICE, "apply"):
        async with job.step(warehouse) as tx:
            has_key = await (append_batch(tx, load, *only) if only else check_log(tx, load))
            with named(load.fact):
                await apply_log(tx, load, has_key=has_key, warehouse=warehouse)
            await job.end(tx, "DONE")


async def check_log(tx: Tx, load: Load) -> bool:
    """Every batch was appended, to tables that are as they were made; whether the current one has its key."""
    with named(load.fact):
        check_appended(load.fact, await ledger.read_appended(tx, load.fact))
        return await tables.check_columns(tx, load.place, load.tables)


async def forget_file(job: Job, load: Load, *, warehouse: Pool) -> None:
    """Take a log that is not what the fact says back, to be appended again."""
    async with job.step(warehouse) as tx:
        await ledger.forget_batches(tx, load.fact)
        await log.forget(tx, load.place, load.fact.position)


async def apply_log(tx: Tx, load: Load, *, has_key: bool, warehouse: Pool) -> None:
    """Write the current rows and announce the file; whatever is not what the fact says rolls all back."""
    fact = load.fact
    tally, done = await tally_and_apply(tx, load, has_key=has_key, warehouse=warehouse)
    check_counts(fact, "the log holds", tally.counts)
    check_counts(fact, "the current table took", done)
    if not await ledger.set_applied(tx, fact):
        raise Mismatch("the position before it is not the applied one")
    await emit(tx, loaded(fact, tally))


async def tally_and_apply(tx: Tx, load: Load, *, has_key: bool, warehouse: Pool) -> tuple[Tally, dict[str, int]]:
    """What the log holds, proven to be what the fact says, and how many rows each change has changed."""
    fact = load.fact
    apply = partial(current.apply_position, tx, load, stated_changes(fact), has_key=has_key)
    if len(fact.batches) <= 1:
        tally = await log.tally(tx, load.place, fact.position)
        check_sums(fact, tally)
        return tally, await apply()
    # Large sums are worked out beside the apply, on a connection of their own; both must agree before the commit.
    sums, done = await asyncio.gather(log.tally(warehouse, load.place, fact.position), apply(), return_exceptions=True)
    if isinstance(sums, BaseException):
        raise sums
    check_sums(fact, sums)
    if isinstance(done, BaseException):
        raise done
    return sums, done


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
