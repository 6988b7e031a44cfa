"""What the ingestor does with messages."""

from chassis import JobRow, Pool, Tx, emit, end_waiting, find_job, lock_lane, once, put_job
from chassis.telemetry import FILES
from waybill_contracts import DecisionRequested, FileRefused, FileRegistered

from ingestor.domain.registration import is_queued
from ingestor.store.datasets import open_dataset
from ingestor.store.waiting import find_arrival

REFUSED = "refused"


async def note_registered_file(event: FileRegistered, *, db: Pool) -> None:
    """Queue the file, or queue it again as it is registered now; what is done stays done."""
    async with once(db, event) as tx:
        await lock_lane(tx, "ingest", event.dataset, owner=event.organisation)
        await open_dataset(tx, event.dataset)
        job = await find_job(tx, "ingest", event.dataset, event.arrival)
        state, known = (job.state, job.payload["registration"]) if job else (None, 0)
        if is_queued(state, known, event.registration, event.cause):
            await put_job(tx, "ingest", event.dataset, event.arrival, event.model_dump(mode="json"))


async def refuse_held_file(event: DecisionRequested, *, db: Pool) -> None:
    """End the attempt that waits for this decision; a release is the registry's to answer."""
    async with once(db, event) as tx:
        if event.decision != "refuse":
            return
        await lock_lane(tx, "ingest", event.dataset, owner=event.organisation)
        job = await _find_held(tx, event)
        if job is None:
            return
        reason = event.reason or f"refused by {event.user}"
        await emit(
            tx,
            FileRefused(
                organisation=event.organisation,
                table=event.table,
                file_id=event.file_id,
                attempt=event.attempt,
                code=REFUSED,
                reason=reason,
                user=event.user,
            ),
        )
        await end_waiting(tx, job, "REFUSED", reason)
    FILES.labels(job.payload["found_by"], "REFUSED").inc()


async def _find_held(tx: Tx, event: DecisionRequested) -> JobRow | None:
    """The job that waits at the attempt which the request answers; a later attempt waits for a decision of its own."""
    arrival = await find_arrival(tx, event.dataset, event.file_id)
    job = None if arrival is None else await find_job(tx, "ingest", event.dataset, arrival)
    return job if job and job.attempt == event.attempt else None
