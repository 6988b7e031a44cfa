"""Which job is next: the lane whose turn it is, then its first open job; and how unfinished attempts end."""

from chassis.database import Pool, Tx
from chassis.jobs import TIMER_LANE, Job, JobKind, wake
from chassis.sql import fragment, sql

MAX_REASON = 2000

# Fair between owners, then between their lanes: the one served longest ago.
_CANDIDATE = fragment(
    """
    SELECT l.lane FROM lanes l
    CROSS JOIN LATERAL (
        SELECT j.state, j.due, j.lease, j.deadline FROM jobs j
        WHERE j.kind = l.kind AND j.lane = l.lane AND j.state NOT IN ('DONE', 'SKIPPED', 'REFUSED')
          AND j.state <> ALL ($2::text[]) AND (NOT $3 OR j.seq <= l.contiguous)
        ORDER BY j.state <> 'RUNNING', j.seq LIMIT 1
    ) j
    WHERE l.kind = $1
      AND (j.state = 'QUEUED' AND j.due <= now() OR j.state = 'RUNNING' AND least(j.lease, j.deadline) < now())
    ORDER BY (SELECT max(o.turn) FROM lanes o WHERE o.kind = l.kind AND o.owner = l.owner), l.turn, l.lane
    LIMIT 1
    """
)
_NEXT_LANE = sql("{candidate}", candidate=_CANDIDATE)
_LOCK_NEXT_LANE = sql("{candidate} FOR UPDATE OF l SKIP LOCKED", candidate=_CANDIDATE)


async def claim(db: Pool, kind: JobKind, lease_seconds: float) -> Job | None:
    """The next job of this kind as a new attempt; None when all are busy, waiting or done.

    Tries used up make the job FAILED here, by the clock, with what `exhausted` announces.
    """
    # Most looks find nothing, and then no transaction is worth its round trips.
    if await db.fetchval(_NEXT_LANE, kind.name, list(kind.passing), kind.dense) is None:
        return None
    async with db.acquire() as tx, tx.transaction():
        lane = await tx.fetchval(_LOCK_NEXT_LANE, kind.name, list(kind.passing), kind.dense)
        if lane is None:
            return None
        # The lane is locked; only now is its state read, by a statement of its own.
        job = await _first_open_job(tx, kind, lane)
        if job is None:
            return None
        if job.tries >= kind.max_tries:
            await fail(tx, kind, job, "the attempt did not end before its lease; tries are used up")
            return None
        return await _take(tx, kind, job, lease_seconds)


async def _first_open_job(tx: Tx, kind: JobKind, lane: str) -> Job | None:
    row = await tx.fetchrow(
        """
        SELECT j.kind, j.lane, j.seq, j.attempt, j.tries, j.payload, j.cause,
               j.state = 'QUEUED' AND j.due <= now()
               OR j.state = 'RUNNING' AND least(j.lease, j.deadline) < now() AS is_free
        FROM jobs j JOIN lanes l USING (kind, lane)
        WHERE j.kind = $1 AND j.lane = $2 AND j.state NOT IN ('DONE', 'SKIPPED', 'REFUSED')
          AND j.state <> ALL ($3::text[]) AND (NOT $4 OR j.seq <= l.contiguous)
        ORDER BY j.state <> 'RUNNING', j.seq LIMIT 1
        """,
        kind.name,
        lane,
        list(kind.passing),
        kind.dense,
    )
    if row is None or not row["is_free"]:
        return None
    return Job(**{name: value for name, value in row.items() if name != "is_free"})


async def _take(tx: Tx, kind: JobKind, job: Job, lease_seconds: float) -> Job:
    attempt = await tx.fetchval(
        """
        WITH lane AS (
            UPDATE lanes SET last_attempt = last_attempt + 1, turn = nextval('turns') WHERE kind = $1 AND lane = $2
            RETURNING last_attempt
        )
        UPDATE jobs SET state = 'RUNNING', attempt = lane.last_attempt, tries = tries + 1,
            started_at = now(), ended_at = NULL,
            lease = now() + make_interval(secs => $4), deadline = now() + make_interval(secs => $5)
        FROM lane WHERE jobs.kind = $1 AND jobs.lane = $2 AND jobs.seq = $3 RETURNING attempt
        """,
        job.kind,
        job.lane,
        job.seq,
        lease_seconds,
        kind.deadline_seconds,
    )
    return Job(job.kind, job.lane, job.seq, attempt, job.tries + 1, job.payload, job.cause, lease_seconds)


async def complete(db: Pool, kind: JobKind, job: Job) -> None:
    """The run returned: DONE unless it ended its job itself; a timer job is queued for its next time."""
    if job.has_ended:
        return
    async with job.step(db) as tx:
        if kind.every is None:
            await job.end(tx, "DONE")
        else:
            await requeue(tx, job, kind.every, None, gives_try_back=True)


async def release(db: Pool, job: Job, wait_seconds: float, reason: str | None) -> None:
    """Give lease and try back: the job is queued again and this attempt is over."""
    async with job.step(db) as tx:
        await requeue(tx, job, wait_seconds, reason, gives_try_back=True)
        await wake(tx, job.kind)


async def fail_or_retry(db: Pool, kind: JobKind, job: Job, wait_seconds: float, reason: str) -> None:
    """The run went wrong: queued again after a wait, or FAILED when its tries are used up."""
    async with job.step(db) as tx:
        if kind.every is None and job.tries >= kind.max_tries:
            await fail(tx, kind, job, reason)
        else:
            await requeue(tx, job, wait_seconds, reason, gives_try_back=kind.every is not None)


async def fail(tx: Tx, kind: JobKind, job: Job, reason: str) -> None:
    """FAILED, and announced by the service in the same transaction."""
    reason = reason[:MAX_REASON]
    if kind.exhausted:
        await kind.exhausted(tx, job, reason)
    await job.end(tx, "FAILED", reason)


async def requeue(tx: Tx, job: Job, wait_seconds: float, reason: str | None, *, gives_try_back: bool) -> None:
    """QUEUED again, due after the wait."""
    await tx.execute(
        """
        UPDATE jobs SET state = 'QUEUED', lease = NULL, deadline = NULL, reason = $5,
            due = now() + make_interval(secs => $4), tries = tries - CASE WHEN $6 THEN 1 ELSE 0 END
        WHERE kind = $1 AND lane = $2 AND seq = $3
        """,
        job.kind,
        job.lane,
        job.seq,
        wait_seconds,
        reason and reason[:MAX_REASON],
        gives_try_back,
    )


async def ensure_timer(db: Pool, kind: JobKind) -> None:
    """The one job of a timer kind exists."""
    async with db.acquire() as tx, tx.transaction():
        await tx.execute(
            "INSERT INTO lanes (kind, lane, owner, contiguous) VALUES ($1, $2, '-', 1) ON CONFLICT DO NOTHING",
            kind.name,
            TIMER_LANE,
        )
        await tx.execute(
            "INSERT INTO jobs (kind, lane, seq, state, payload, cause) VALUES ($1, $2, 1, 'QUEUED', '{}', '{}')"
            " ON CONFLICT DO NOTHING",
            kind.name,
            TIMER_LANE,
        )
