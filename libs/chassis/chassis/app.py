"""Runs a service: health first, then what it waits for, then its work; and the way back in at most 10 seconds."""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import uvloop

from chassis.cluster import Cluster
from chassis.consumer import Consumers
from chassis.database import Pool, migrate
from chassis.endpoints import serve
from chassis.errors import is_away
from chassis.health import Health, describe
from chassis.hold import Hold
from chassis.intake import Intake
from chassis.producer import Producer
from chassis.relay import Relay
from chassis.service import Service
from chassis.settings import Settings
from chassis.telemetry import log, set_up
from chassis.topics import ensure_topics
from chassis.workers import Workers

MIN_WAIT_SECONDS = 0.2
MAX_WAIT_SECONDS = 3.0
JOBS_STOP_SECONDS = 3.5
EXIT_SECONDS = 9.0
GARBAGE_OBJECTS = 20_000

__all__ = ["Service", "run", "start"]


def start(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a service's main to its end, on an event loop that takes a sixth less CPU than asyncio's own."""
    # What was imported stays, so it need not be looked through for garbage again and again.
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)
    uvloop.run(main())


async def run(service: Service, settings: Settings, db: Pool) -> None:
    """Serve until SIGTERM or SIGINT; returns when everything is stopped, raises what no waiting can mend."""
    set_up(service.name, settings.log)
    stopping = _stop_on_signal()
    app = App(service, settings, db)
    async with serve(settings.http, app.health):
        work = asyncio.create_task(app.run())
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                log.error("service failed", exc_info=work.exception())
            app.health.at("stopping")
            await app.stop()
        finally:
            await _cancel(work, stop)
    if not work.cancelled() and (error := work.exception()):
        raise error
    log.info("service stopped")


def _stop_on_signal() -> asyncio.Event:
    stopping = asyncio.Event()

    def stop() -> None:
        log.info("service stops")
        stopping.set()
        # A thread in the middle of a long computation would keep the interpreter; everything is safe to kill.
        watchdog = threading.Timer(EXIT_SECONDS, os._exit, [0])
        watchdog.daemon = True
        watchdog.start()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return stopping


class App:
    """The parts of one running service."""

    def __init__(self, service: Service, settings: Settings, db: Pool) -> None:
        self._service = service
        self._settings = settings
        self._db = db
        self._names = settings.names
        self._schema = self._names.schema(service.name)
        client = f"{self._names.group(service.name)}-{settings.instance or os.getpid()}"
        self._cluster = Cluster(settings.kafka, client)
        self._producer = Producer(settings.kafka, client)
        self._consumers = Consumers(settings.kafka, self._cluster, self._intakes(), settings.instance)
        self._relay = Relay(settings.dsn, service.name, self._names, self._producer)
        self._workers = Workers(db, settings.dsn, self._schema, service.jobs, settings.jobs.lease_seconds)
        self.started = asyncio.Event()
        self._working: list[asyncio.Task[None]] = []
        self._relaying: asyncio.Task[None] | None = None
        self.health = Health({"postgresql": self._ping, "kafka": self._cluster.ping, **service.probes})
        self.health.add_source(self._consumers.reasons)

    async def run(self) -> None:
        """Start what is to run, each step when what it needs is there; ends only by an error."""
        self._working.append(asyncio.create_task(self.health.watch()))
        await self._prepare()
        self._relaying = asyncio.create_task(self._relay.run())
        self._working += [asyncio.create_task(self._workers.run()), asyncio.create_task(self._consumers.watch())]
        await self._patiently("joining the consumer groups", self._consumers.start)
        self.health.at(None)
        self.started.set()
        log.info("service started")
        await asyncio.gather(self._relaying, *self._working)
        # Only the workers may end, where a service has no jobs.
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Messages and jobs first, so that what they emit can still leave."""
        for task in self._working:
            task.cancel()
        await asyncio.gather(self._consumers.stop(), self._workers.stop(JOBS_STOP_SECONDS), return_exceptions=True)
        if self._relaying:
            await _cancel(self._relaying)
        await asyncio.gather(self._producer.close(), self._cluster.close(), return_exceptions=True)

    async def _prepare(self) -> None:
        service, settings = self._service, self._settings

        async def migrations() -> None:
            await migrate(settings.dsn, self._schema, "chassis.migrations", service.migrations)

        async def topics() -> None:
            await ensure_topics(self._cluster, service.topics(self._names), manage=settings.manage)

        await self._patiently("migrating the database", migrations)
        await self._patiently("checking the topics", topics)
        for number, step in enumerate(service.start, 1):
            await self._patiently(f"start step {number} of {len(service.start)}", step)

    async def _patiently(self, stage: str, step: Callable[[], Awaitable[None]]) -> None:
        """Do the step, waiting for what is away; not ready meanwhile, with the reason."""
        self.health.at(stage)
        wait = MIN_WAIT_SECONDS
        while True:
            try:
                return await step()
            except Exception as error:
                if not is_away(error):
                    raise
                self.health.at(f"{stage}: {describe(error)}")
                log.warning("service waits", stage=stage, reason=describe(error))
                await asyncio.sleep(wait)
                wait = min(MAX_WAIT_SECONDS, 2 * wait)

    async def _ping(self) -> None:
        await self._db.fetchval("SELECT 1")

    def _intakes(self) -> list[Intake]:
        service, names = self._service, self._names
        return [
            Intake(
                service=service.name,
                noun=noun,
                topic=names.topic(noun),
                group=service.group(names, noun),
                dead_topic=names.dead_letters(service.name),
                hold=Hold(self._db, names.topic(noun), service.group(names, noun)),
                producer=self._producer,
                handles={event: handler for event, handler in service.handles.items() if event.topic == noun},
                batch=service.batches.get(noun),
            )
            for noun in service.handled_topics
        ]


async def _cancel(*tasks: "asyncio.Task[object]") -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError, Exception):
            await task
