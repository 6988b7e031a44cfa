"""What the loader does when a message arrives: remember, and wake the job."""

from chassis import Pool, Unprocessable, find_job, lock_lane, once, put_job
from waybill_contracts import RecordsIngested, RetryRequested

from loader.domain.facts import find_faults
from loader.domain.faults import position_name
from loader.store.facts import find_position, read_fact, store_fact

LOAD = "load"


async def note_ingested_file(event: RecordsIngested, *, warehouse: Pool) -> None:
    """Remember that this position can be loaded, and wake the loader."""
    if faults := find_faults(event):
        raise Unprocessable(f"{position_name(event)}: {'; '.join(faults)}")
    async with once(warehouse, event) as tx:
        await lock_lane(tx, LOAD, event.dataset, owner=event.organisation)
        if await store_fact(tx, event):
            await put_job(tx, LOAD, event.dataset, event.position, {})
            return
        known = await read_fact(tx, event.dataset, event.position)
        if (known.file_id, known.attempt) != (event.file_id, event.attempt):
            raise Unprocessable(f"{position_name(event)} is known as attempt {known.attempt} of {known.file_id}")


async def retry_load(event: RetryRequested, *, warehouse: Pool) -> None:
    """Queue the file's load job again if it has failed; a request about anything else is not the loader's."""
    async with once(warehouse, event) as tx:
        await lock_lane(tx, LOAD, event.dataset, owner=event.organisation)
        position = await find_position(tx, event.dataset, event.file_id, event.attempt)
        if position is None:
            return
        job = await find_job(tx, LOAD, event.dataset, position)
        if job is not None and job.state == "FAILED":
            await put_job(tx, LOAD, event.dataset, position, {})
