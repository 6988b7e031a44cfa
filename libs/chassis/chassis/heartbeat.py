"""Keeps the leases of this process's jobs, from a thread and a connection of its own: a busy event loop still beats."""

import asyncio
import contextlib
import threading

import asyncpg
import structlog

from chassis.database import CONNECTION_ERRORS, connect
from chassis.jobs import Job

log = structlog.get_logger()


class Heartbeat:
    """Renews the leases of the jobs it is told of; a job past its deadline is left to expire by the claim."""

    def __init__(self, dsn: str, schema: str, lease_seconds: float) -> None:
        self._dsn = dsn
        self._schema = schema
        self._lease_seconds = lease_seconds
        self._jobs: dict[tuple[str, str, int], int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def add(self, job: Job) -> None:
        self._jobs = {**self._jobs, (job.kind, job.lane, job.seq): job.attempt}

    def remove(self, job: Job) -> None:
        self._jobs = {key: attempt for key, attempt in self._jobs.items() if key != (job.kind, job.lane, job.seq)}

    def _run(self) -> None:
        while not self._stopping.wait(self._lease_seconds / 3):
            if self._jobs:
                asyncio.run(self._beat_while_busy())

    async def _beat_while_busy(self) -> None:
        try:
            connection = await connect(self._dsn, self._schema)
        except CONNECTION_ERRORS as error:
            log.warning("heartbeat cannot reach PostgreSQL", error=type(error).__name__)
            return
        try:
            while self._jobs and not self._stopping.is_set():
                await beat(connection, self._jobs, self._lease_seconds)
                await asyncio.sleep(self._lease_seconds / 3)
        except CONNECTION_ERRORS as error:
            log.warning("heartbeat lost its connection", error=type(error).__name__)
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(connection.close(), 2)


async def beat(
    connection: "asyncpg.Connection[asyncpg.Record]", jobs: dict[tuple[str, str, int], int], lease_seconds: float
) -> None:
    """Renew the leases of these attempts; a row that is locked is in its own step, so alive, and passed over."""
    await connection.execute(
        """
        WITH mine AS (
            SELECT j.kind, j.lane, j.seq
            FROM jobs j JOIN unnest($1::text[], $2::text[], $3::bigint[], $4::int[]) AS m (kind, lane, seq, attempt)
              ON j.kind = m.kind AND j.lane = m.lane AND j.seq = m.seq AND j.attempt = m.attempt
            WHERE j.state = 'RUNNING' FOR UPDATE OF j SKIP LOCKED
        )
        UPDATE jobs SET lease = now() + make_interval(secs => $5)
        FROM mine WHERE jobs.kind = mine.kind AND jobs.lane = mine.lane AND jobs.seq = mine.seq
        """,
        [kind for kind, _, _ in jobs],
        [lane for _, lane, _ in jobs],
        [seq for _, _, seq in jobs],
        list(jobs.values()),
        lease_seconds,
    )
