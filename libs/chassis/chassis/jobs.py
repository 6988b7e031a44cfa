"""Long work: rows that are claimed, leased, fenced and, in the end, visible (design.md 4, 15)."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from chassis.database import Pool, Tx
from chassis.errors import Fenced
from chassis.messaging import current

TIMER_LANE = "-"

RunJob = Callable[["Job"], Awaitable[None]]
Exhausted = Callable[[Tx, "Job", str], Awaitable[None]]

WAITING = ("HELD", "LATE")
"""States of a job that waits for a decision."""


@dataclass(frozen=True)
class JobKind:
    """How the jobs of one kind are walked, tried and run.

    dense: seq 1, 2, 3…, and a missing one stops the walk. passing: states, besides DONE, SKIPPED and REFUSED, that
    later jobs of the lane walk past. every: seconds after which a timer job (one lane, one seq) is queued again.

    A job that is HELD or LATE has not come to an end: it waits for a decision, to be put again or ended
    (`end_waiting`). HELD holds up the later jobs of its lane, LATE does not.
    """

    name: str
    run: RunJob
    exhausted: Exhausted | None = None
    dense: bool = True
    passing: frozenset[str] = frozenset({"FAILED", "LATE"})
    max_tries: int = 5
    deadline_seconds: float = 3600.0
    workers: int = 1
    every: float | None = None


@dataclass(frozen=True)
class JobRow:
    """A job as it stands in the table."""

    kind: str
    lane: str
    seq: int
    state: str
    attempt: int
    tries: int
    payload: dict[str, Any]
    reason: str | None


@dataclass
class Job:
    """One claimed attempt at a job; `step` is its only door to a transaction."""

    kind: str
    lane: str
    seq: int
    attempt: int
    tries: int
    payload: dict[str, Any]
    cause: dict[str, Any] = field(default_factory=dict)
    lease_seconds: float = 30.0
    has_ended: bool = field(default=False, init=False)
    """A step of this attempt gave the job its last state, and was committed."""
    _ends: bool = field(default=False, init=False)
    _renewed_at: float = field(default_factory=time.monotonic, init=False)

    @asynccontextmanager
    async def step(self, db: Pool) -> AsyncIterator[Tx]:
        """A transaction that holds lane and job; raises Fenced where the attempt is not mine any more."""
        self._ends = False
        async with db.acquire() as tx, tx.transaction():
            await self.hold(tx)
            yield tx
            if not self._ends and time.monotonic() - self._renewed_at > self.lease_seconds / 3:
                await self._renew(tx)
        self.has_ended = self._ends

    async def hold(self, tx: Tx) -> None:
        """Lock lane, then job, and check that this attempt still runs."""
        # The rows are locked in this order, and a row that changed meanwhile is looked at again as it is then.
        attempt = await tx.fetchval(
            """
            SELECT j.attempt FROM lanes l JOIN jobs j ON j.kind = l.kind AND j.lane = l.lane
            WHERE l.kind = $1 AND l.lane = $2 AND j.seq = $3 AND j.state = 'RUNNING' FOR UPDATE OF l, j
            """,
            self.kind,
            self.lane,
            self.seq,
        )
        if attempt != self.attempt:
            raise Fenced(f"{self.kind} {self.lane}#{self.seq} attempt {self.attempt}")

    async def _renew(self, tx: Tx) -> None:
        """A heartbeat passes over a job that is in a step: one that goes from step to step would lose its lease."""
        await tx.execute(
            """
            UPDATE jobs SET lease = clock_timestamp() + make_interval(secs => $4)
            WHERE kind = $1 AND lane = $2 AND seq = $3 AND state = 'RUNNING'
            """,
            self.kind,
            self.lane,
            self.seq,
            self.lease_seconds,
        )
        self._renewed_at = time.monotonic()

    async def end(self, tx: Tx, state: str, reason: str | None = None) -> None:
        """The state this job ends in, within a step; wakes the workers where the lane has more for them."""
        await _end(tx, self, state, reason)
        self._ends = True

    async def note(self, tx: Tx, reason: str) -> None:
        """Why the job is not done yet, for whoever looks at it meanwhile."""
        await tx.execute(
            "UPDATE jobs SET reason = $4 WHERE kind = $1 AND lane = $2 AND seq = $3",
            self.kind,
            self.lane,
            self.seq,
            reason,
        )


async def _end(tx: Tx, job: "Job | JobRow", state: str, reason: str | None) -> None:
    await tx.execute(
        """
        UPDATE jobs SET state = $4, reason = $5, ended_at = now(), lease = NULL
        WHERE kind = $1 AND lane = $2 AND seq = $3
        RETURNING CASE WHEN EXISTS (
            SELECT FROM jobs waiting WHERE waiting.kind = $1 AND waiting.lane = $2 AND waiting.state = 'QUEUED'
        ) THEN pg_notify(current_schema() || '_jobs', $1::text) END
        """,
        job.kind,
        job.lane,
        job.seq,
        state,
        reason,
    )


async def end_waiting(tx: Tx, job: JobRow, state: str, reason: str) -> None:
    """The state in which a decision ends a job that is HELD or LATE; its lane is locked and it was found since."""
    if job.state not in WAITING:
        raise ValueError(f"{job.kind} {job.lane}#{job.seq} is {job.state}; no decision is waited for")
    await _end(tx, job, state, reason)


async def wake(tx: Tx, kind: str) -> None:
    """Tell every worker of this kind of job, at commit, that one may be waiting."""
    await tx.execute("SELECT pg_notify(current_schema() || '_jobs', $1::text)", kind)


async def lock_lane(tx: Tx, kind: str, lane: str, *, owner: str) -> None:
    """Make the lane if it is new, and lock it; before any of its jobs is touched."""
    while not await tx.fetchval("SELECT true FROM lanes WHERE kind = $1 AND lane = $2 FOR UPDATE", kind, lane):
        await tx.execute(
            "INSERT INTO lanes (kind, lane, owner) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", kind, lane, owner
        )


async def find_job(tx: Tx, kind: str, lane: str, seq: int) -> JobRow | None:
    """The job as it stands, locked; None where it was never put."""
    row = await tx.fetchrow(
        "SELECT kind, lane, seq, state, attempt, tries, payload, reason FROM jobs"
        " WHERE kind = $1 AND lane = $2 AND seq = $3 FOR UPDATE",
        kind,
        lane,
        seq,
    )
    return JobRow(**row) if row else None


async def put_job(tx: Tx, kind: str, lane: str, seq: int, payload: dict[str, Any]) -> None:
    """Queue the job, new or again: tries start anew, a runner of it is fenced, and the workers are woken."""
    await tx.execute(
        """
        INSERT INTO jobs (kind, lane, seq, state, payload, cause) VALUES ($1, $2, $3, 'QUEUED', $4, $5)
        ON CONFLICT (kind, lane, seq) DO UPDATE
        SET state = 'QUEUED', payload = excluded.payload, cause = excluded.cause, tries = 0,
            due = now(), lease = NULL, deadline = NULL, reason = NULL, queued_at = now(), ended_at = NULL
        """,
        kind,
        lane,
        seq,
        payload,
        current.get().as_json(),
    )
    await _extend_contiguous(tx, kind, lane)


async def _extend_contiguous(tx: Tx, kind: str, lane: str) -> None:
    await tx.execute(
        """
        WITH RECURSIVE run(seq) AS (
            SELECT contiguous FROM lanes WHERE kind = $1 AND lane = $2
            UNION ALL
            SELECT jobs.seq FROM run JOIN jobs ON jobs.kind = $1 AND jobs.lane = $2 AND jobs.seq = run.seq + 1
        )
        UPDATE lanes SET contiguous = (SELECT max(seq) FROM run) WHERE kind = $1 AND lane = $2
        RETURNING pg_notify(current_schema() || '_jobs', $1::text)
        """,
        kind,
        lane,
    )
