"""What the ingestor does with messages."""

from chassis import Pool, find_job, lock_lane, once, put_job
from waybill_contracts import FileRegistered

from ingestor.domain.registration import is_queued
from ingestor.store.datasets import open_dataset


async def note_registered_file(event: FileRegistered, *, db: Pool) -> None:
    """Queue the file, or queue it again as it is registered now; what is done stays done."""
    async with once(db, event) as tx:
        await lock_lane(tx, "ingest", event.dataset, owner=event.organisation)
        await open_dataset(tx, event.dataset)
        job = await find_job(tx, "ingest", event.dataset, event.arrival)
        state, known = (job.state, job.payload["registration"]) if job else (None, 0)
        if is_queued(state, known, event.registration, event.cause):
            await put_job(tx, "ingest", event.dataset, event.arrival, event.model_dump(mode="json"))
