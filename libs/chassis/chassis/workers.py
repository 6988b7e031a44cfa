"""Runs a service's jobs: claims, keeps the lease, and settles how each attempt ends."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable

import structlog

from chassis import claim
from chassis.database import CONNECTION_ERRORS, Pool, connect
from chassis.errors import Fenced, is_away
from chassis.heartbeat import Heartbeat
from chassis.jobs import Job, JobKind
from chassis.messaging import Context, current

POLL_SECONDS = 2.0
RETRY_SECONDS = 1.0
MAX_WAIT_SECONDS = 10.0

log = structlog.get_logger()


class Workers:
    """All job kinds of one service in one process."""

    def __init__(self, db: Pool, dsn: str, schema: str, kinds: Iterable[JobKind], lease_seconds: float) -> None:
        self._db = db
        self._dsn = dsn
        self._schema = schema
        self._kinds = tuple(kinds)
        self._lease_seconds = lease_seconds
        self._heartbeat = Heartbeat(dsn, schema, lease_seconds)
        self._wakes = {kind.name: asyncio.Event() for kind in self._kinds}
        self._running: set[asyncio.Task[None]] = set()
        self._waits: dict[tuple[str, str, int], float] = {}

    async def run(self) -> None:
        """Serve until cancelled; call `stop` afterwards."""
        if not self._kinds:
            return
        for kind in self._kinds:
            if kind.every is not None:
                await claim.ensure_timer(self._db, kind)
        self._heartbeat.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            for kind in self._kinds:
                tasks.create_task(self._serve(kind))

    async def stop(self, timeout_seconds: float) -> None:
        """Let running jobs end; those that do not in time give lease and try back."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_seconds)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._heartbeat.stop()

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(*CONNECTION_ERRORS):
                connection = await connect(self._dsn, self._schema)
                lost = asyncio.Event()
                connection.add_termination_listener(lambda _, lost=lost: lost.set())
                try:
                    await connection.add_listener(f"{self._schema}_jobs", self._wake)
                    for wake in self._wakes.values():
                        wake.set()
                    await lost.wait()
                finally:
                    connection.terminate()
            await asyncio.sleep(RETRY_SECONDS)

    def _wake(self, _connection: object, _process: int, _channel: str, kind: object) -> None:
        if wake := self._wakes.get(str(kind)):
            wake.set()

    async def _serve(self, kind: JobKind) -> None:
        free = asyncio.Semaphore(kind.workers)
        while True:
            await free.acquire()
            job = await self._next_job(kind)
            task = asyncio.create_task(self._run_job(kind, job))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            task.add_done_callback(lambda _: free.release())

    async def _next_job(self, kind: JobKind) -> Job:
        wake = self._wakes[kind.name]
        while True:
            wake.clear()
            try:
                job = await claim.claim(self._db, kind, self._lease_seconds)
            except Exception as error:
                if not is_away(error):
                    raise
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if job:
                return job
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), POLL_SECONDS)

    async def _run_job(self, kind: JobKind, job: Job) -> None:
        current.set(Context.from_json(job.cause))
        structlog.contextvars.bind_contextvars(
            job=kind.name, lane=job.lane, seq=job.seq, attempt=job.attempt, correlation_id=current.get().correlation_id
        )
        self._heartbeat.add(job)
        try:
            await self._try_job(kind, job)
        finally:
            self._heartbeat.remove(job)

    async def _try_job(self, kind: JobKind, job: Job) -> None:
        key = (job.kind, job.lane, job.seq)
        try:
            await kind.run(job)
        except asyncio.CancelledError:
            await asyncio.shield(self._settle(lambda: claim.release(self._db, job, 0, "the service was stopped")))
            raise
        except Fenced as fenced:
            log.warning("attempt was fenced", job_attempt=str(fenced))
        except Exception as error:  # noqa: BLE001 - the job loop is where attempts end, whatever ended them
            await self._settle_error(kind, job, error)
        else:
            self._waits.pop(key, None)
            await self._settle(lambda: claim.complete(self._db, kind, job))

    async def _settle_error(self, kind: JobKind, job: Job, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        key = (job.kind, job.lane, job.seq)
        if is_away(error):
            wait = self._waits[key] = min(MAX_WAIT_SECONDS, 2 * self._waits.get(key, RETRY_SECONDS / 2))
            log.warning("job waits", wait_seconds=wait, reason=reason)
            await self._settle(lambda: claim.release(self._db, job, wait, reason))
        else:
            log.error("attempt went wrong", tries=job.tries, exc_info=error)
            await self._settle(lambda: claim.fail_or_retry(self._db, kind, job, 2.0**job.tries, reason))

    async def _settle(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write the end of an attempt, waiting out a store that is away; Fenced says that it is written already."""
        give_up = asyncio.get_running_loop().time() + 3 * self._lease_seconds
        while asyncio.get_running_loop().time() < give_up:
            try:
                return await write()
            except Fenced:
                return None
            except Exception as error:
                if not is_away(error):
                    raise
                await asyncio.sleep(RETRY_SECONDS)
        # The lease has run out; the next claim takes the job up.
        return None
