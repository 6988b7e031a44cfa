"""Leases on a real PostgreSQL: a job that works is nobody else's."""

from chassis import claim
from chassis.database import Pool
from chassis.jobs import Job, JobKind, lock_lane, put_job


async def _no_run(job: Job) -> None:
    raise AssertionError("not run in this test")


LONG = JobKind("long", run=_no_run)


async def test_a_job_that_goes_from_step_to_step_keeps_its_lease_without_a_heartbeat(db: Pool) -> None:
    async with db.acquire() as tx, tx.transaction():
        await lock_lane(tx, "long", "acme/a", owner="acme")
        await put_job(tx, "long", "acme/a", 1, {})
    job = await claim.claim(db, LONG, lease_seconds=0.6)
    assert job
    for _ in range(5):
        async with job.step(db) as tx:
            await tx.execute("SELECT pg_sleep(0.4)")
        assert await claim.claim(db, LONG, lease_seconds=0.6) is None
    async with job.step(db) as tx:
        await job.end(tx, "DONE")
    assert job.has_ended
