"""Jobs on a real PostgreSQL: the protocol rules 3, 4 and 7, and how attempts end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext, suppress

import asyncpg
import pytest
from chassis import claim
from chassis.database import Pool
from chassis.errors import Fenced, NotNow
from chassis.jobs import WAITING, Job, JobKind, end_waiting, find_job, lock_lane, put_job
from chassis.workers import Workers

LEASE_SECONDS = 30.0


async def _no_run(job: Job) -> None:
    raise AssertionError("not run in this test")


INGEST = JobKind("ingest", run=_no_run)
LOAD = JobKind("load", run=_no_run, passing=frozenset())


async def put(db: Pool, kind: JobKind, lane: str, seq: int, owner: str = "acme") -> None:
    async with db.acquire() as tx, tx.transaction():
        await lock_lane(tx, kind.name, lane, owner=owner)
        await put_job(tx, kind.name, lane, seq, {"seq": seq})


async def take(db: Pool, kind: JobKind = INGEST) -> Job:
    job = await claim.claim(db, kind, LEASE_SECONDS)
    assert job, "a job should be free"
    return job


async def end(db: Pool, job: Job, state: str) -> None:
    async with job.step(db) as tx:
        await job.end(tx, state)


async def expire(db: Pool) -> None:
    await db.execute("UPDATE jobs SET lease = now() - interval '1 second' WHERE state = 'RUNNING'")


async def state(db: Pool, kind: str, lane: str, seq: int) -> str:
    return str(await db.fetchval("SELECT state FROM jobs WHERE kind = $1 AND lane = $2 AND seq = $3", kind, lane, seq))


async def test_jobs_of_a_lane_run_one_at_a_time_in_the_order_of_seq(db: Pool) -> None:
    for seq in (2, 1):
        await put(db, INGEST, "acme/a", seq)
    first = await take(db)
    assert first.seq == 1
    assert await claim.claim(db, INGEST, LEASE_SECONDS) is None
    await end(db, first, "DONE")
    assert (await take(db)).seq == 2


async def test_a_missing_seq_stops_the_walk_until_it_comes(db: Pool) -> None:
    await put(db, INGEST, "acme/a", 3)
    await put(db, INGEST, "acme/a", 1)
    await end(db, await take(db), "DONE")
    assert await claim.claim(db, INGEST, LEASE_SECONDS) is None
    await put(db, INGEST, "acme/a", 2)
    assert (await take(db)).seq == 2


@pytest.mark.parametrize(("kind", "next_seq"), [(INGEST, 2), (LOAD, None)])
async def test_a_failed_job_blocks_its_lane_only_where_the_kind_says_so(
    db: Pool, kind: JobKind, next_seq: int | None
) -> None:
    await put(db, kind, "acme/a", 1)
    await put(db, kind, "acme/a", 2)
    await put(db, kind, "acme/b", 1)
    await end(db, await take(db, kind), "FAILED")
    other = await take(db, kind)
    assert other.lane == "acme/b"
    then = await claim.claim(db, kind, LEASE_SECONDS)
    assert (then and then.seq) == next_seq


async def test_a_held_job_blocks_its_lane(db: Pool) -> None:
    await put(db, INGEST, "acme/a", 1)
    await put(db, INGEST, "acme/a", 2)
    await end(db, await take(db), "HELD")
    assert await claim.claim(db, INGEST, LEASE_SECONDS) is None


async def test_a_late_job_is_walked_past_but_has_not_ended(db: Pool) -> None:
    for seq in (1, 2):
        await put(db, INGEST, "acme/a", seq)
    late = await take(db)
    await end(db, late, "LATE")
    await claim.complete(db, INGEST, late)
    assert await state(db, "ingest", "acme/a", 1) == "LATE"
    await end(db, await take(db), "DONE")
    assert await claim.claim(db, INGEST, LEASE_SECONDS) is None
    await put(db, INGEST, "acme/a", 1)
    assert (await take(db)).seq == 1


@pytest.mark.parametrize("waiting", WAITING)
async def test_a_decision_ends_a_job_that_waits_for_one_and_the_lane_goes_on(db: Pool, waiting: str) -> None:
    for seq in (1, 2):
        await put(db, INGEST, "acme/a", seq)
    await end(db, await take(db), waiting)
    async with db.acquire() as tx, tx.transaction():
        await lock_lane(tx, "ingest", "acme/a", owner="acme")
        for seq, is_waiting in ((1, True), (2, False)):
            job = await find_job(tx, "ingest", "acme/a", seq)
            assert job
            with nullcontext() if is_waiting else pytest.raises(ValueError, match="no decision is waited for"):
                await end_waiting(tx, job, "REFUSED", "refused by zoe")
    assert await state(db, "ingest", "acme/a", 1) == "REFUSED"
    assert (await take(db)).seq == 2


async def test_a_retried_low_seq_waits_for_the_running_job_and_comes_next(db: Pool) -> None:
    for seq in (1, 2, 3):
        await put(db, INGEST, "acme/a", seq)
    await end(db, await take(db), "FAILED")
    running = await take(db)
    await put(db, INGEST, "acme/a", 1)
    assert await claim.claim(db, INGEST, LEASE_SECONDS) is None
    await end(db, running, "DONE")
    assert (await take(db)).seq == 1


async def test_only_a_claim_fences_and_attempts_only_grow(db: Pool) -> None:
    await put(db, INGEST, "acme/a", 1)
    slow = await take(db)
    await expire(db)
    async with slow.step(db):
        pass
    fast = await take(db)
    assert fast.attempt == slow.attempt + 1
    with pytest.raises(Fenced):
        await end(db, slow, "DONE")
    await end(db, fast, "DONE")
    assert await state(db, "ingest", "acme/a", 1) == "DONE"


async def test_putting_a_running_job_again_fences_its_runner(db: Pool) -> None:
    await put(db, INGEST, "acme/a", 1)
    old = await take(db)
    await put(db, INGEST, "acme/a", 1)
    with pytest.raises(Fenced):
        await end(db, old, "DONE")
    assert (await take(db)).attempt == old.attempt + 1


async def test_two_claims_at_once_never_get_the_same_lane(db: Pool) -> None:
    for lane in range(5):
        for seq in (1, 2):
            await put(db, INGEST, f"acme/t{lane}", seq)
    claimed = await asyncio.gather(*[claim.claim(db, INGEST, LEASE_SECONDS) for _ in range(20)])
    lanes = [job.lane for job in claimed if job]
    assert len(lanes) == len(set(lanes))


async def test_organisations_take_turns_however_many_datasets_one_has(db: Pool) -> None:
    for lane in range(6):
        await put(db, INGEST, f"big/t{lane}", 1, owner="big")
    await end(db, await take(db), "DONE")
    await put(db, INGEST, "small/t", 1, owner="small")
    assert (await take(db)).lane == "small/t"


async def test_tries_used_up_make_the_job_failed_by_the_clock_and_are_announced_once(db: Pool) -> None:
    announced: list[int] = []

    async def announce(tx: asyncpg.Connection, job: Job, reason: str) -> None:
        announced.append(job.attempt)

    kind = JobKind("ingest", run=_no_run, exhausted=announce, max_tries=2)
    await put(db, kind, "acme/a", 1)
    for _ in range(2):
        await take(db, kind)
        await expire(db)
    assert await claim.claim(db, kind, LEASE_SECONDS) is None
    assert await claim.claim(db, kind, LEASE_SECONDS) is None
    assert await state(db, "ingest", "acme/a", 1) == "FAILED"
    assert announced == [2]


@asynccontextmanager
async def working(db: Pool, dsn: str, schema: str, kind: JobKind) -> AsyncIterator[Workers]:
    workers = Workers(db, dsn, schema, [kind], lease_seconds=1.5)
    task = asyncio.create_task(workers.run())
    yield workers
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await workers.stop(1)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - polls a table
            await asyncio.sleep(0.05)


async def test_a_job_whose_store_is_away_waits_without_using_up_tries(db: Pool, dsn: str, schema: str) -> None:
    runs: list[int] = []

    async def run(job: Job) -> None:
        runs.append(job.tries)
        if len(runs) < 3:
            raise NotNow("the store is away")

    await put(db, INGEST, "acme/a", 1)
    async with working(db, dsn, schema, JobKind("ingest", run=run, max_tries=1)):

        async def done() -> bool:
            return await state(db, "ingest", "acme/a", 1) == "DONE"

        await until(done)
    assert runs == [1, 1, 1]


async def test_a_job_that_goes_wrong_is_failed_with_its_reason(db: Pool, dsn: str, schema: str) -> None:
    async def run(job: Job) -> None:
        raise ValueError("seven is not a colour")

    await put(db, INGEST, "acme/a", 1)
    async with working(db, dsn, schema, JobKind("ingest", run=run, max_tries=1)):

        async def failed() -> bool:
            return await state(db, "ingest", "acme/a", 1) == "FAILED"

        await until(failed)
    assert "seven is not a colour" in await db.fetchval("SELECT reason FROM jobs")


async def test_a_long_job_keeps_its_lease_while_the_event_loop_is_blocked(db: Pool, dsn: str, schema: str) -> None:
    import time

    fenced: list[Fenced] = []

    async def run(job: Job) -> None:
        time.sleep(4)  # noqa: ASYNC251 - the event loop is blocked on purpose
        try:
            async with job.step(db) as tx:
                await job.end(tx, "DONE")
        except Fenced as error:
            fenced.append(error)

    await put(db, INGEST, "acme/a", 1)
    async with working(db, dsn, schema, JobKind("ingest", run=run)):
        await asyncio.sleep(0.2)

        async def done() -> bool:
            return await state(db, "ingest", "acme/a", 1) == "DONE"

        await until(done)
    assert fenced == []
    assert await db.fetchval("SELECT last_attempt FROM lanes") == 1


async def test_a_stop_gives_lease_and_try_back(db: Pool, dsn: str, schema: str) -> None:
    async def run(job: Job) -> None:
        await asyncio.sleep(60)

    await put(db, INGEST, "acme/a", 1)
    async with working(db, dsn, schema, JobKind("ingest", run=run)):

        async def running() -> bool:
            return await state(db, "ingest", "acme/a", 1) == "RUNNING"

        await until(running)
    async with db.acquire() as tx, tx.transaction():
        job = await find_job(tx, "ingest", "acme/a", 1)
    assert job
    assert (job.state, job.tries) == ("QUEUED", 0)


async def test_a_timer_job_runs_again_and_again(db: Pool, dsn: str, schema: str) -> None:
    runs: list[int] = []

    async def run(job: Job) -> None:
        runs.append(job.seq)
        if len(runs) == 1:
            raise ValueError("a timer outlives its errors")

    async with working(db, dsn, schema, JobKind("sweep", run=run, every=0.1)):

        async def thrice() -> bool:
            return len(runs) >= 3

        await until(thrice, 15)


async def test_a_payload_keeps_the_order_of_its_fields(db: Pool) -> None:
    """The columns of a declaration are shown and loaded in the order in which they were declared."""
    async with db.acquire() as tx, tx.transaction():
        await lock_lane(tx, "ingest", "acme/a", owner="acme")
        await put_job(tx, "ingest", "acme/a", 1, {"price": 1, "id": 2, "article": 3})
    assert list((await take(db)).payload) == ["price", "id", "article"]
