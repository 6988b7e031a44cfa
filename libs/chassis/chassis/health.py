"""Whether the service lives and can work, and if not, why: asked of every dependency every few seconds."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from chassis.telemetry import log

PROBE_SECONDS = 3.0
PROBE_TIMEOUT_SECONDS = 2.0
MAX_REASON_LENGTH = 300

Probe = Callable[[], Awaitable[None]]
Reasons = Callable[[], dict[str, str]]


class Health:
    """Reasons for not being ready, by the name of what is wrong; ready is having none."""

    def __init__(self, probes: Mapping[str, Probe]) -> None:
        self._probes = dict(probes)
        self._failures: dict[str, str] = {}
        self._sources: list[Reasons] = []
        self._asked: dict[str, asyncio.Task[None]] = {}
        self._stage: str | None = "starting"

    def reasons(self) -> dict[str, str]:
        """What is wrong now; empty means ready."""
        stage = {"service": self._stage} if self._stage else {}
        found = stage | self._failures
        for source in self._sources:
            found |= source()
        return found

    def at(self, stage: str | None) -> None:
        """The stage of starting or stopping that the service is in; None while it works."""
        self._stage = stage

    def add_source(self, source: Reasons) -> None:
        """Ask this one too."""
        self._sources.append(source)

    async def watch(self) -> None:
        """Probe until cancelled."""
        try:
            while True:
                await asyncio.gather(*(self._probe(name) for name in self._probes))
                await asyncio.sleep(PROBE_SECONDS)
        finally:
            for asked in self._asked.values():
                asked.cancel()

    async def _probe(self, name: str) -> None:
        # A probe without an answer goes on: to end it, some clients ask the very server that does not answer.
        asked = self._asked[name] = self._asked.get(name) or asyncio.create_task(self._ask(name))
        await asyncio.wait({asked}, timeout=PROBE_TIMEOUT_SECONDS)
        if asked.done():
            del self._asked[name]
        else:
            self._note(name, "no answer")

    async def _ask(self, name: str) -> None:
        try:
            await self._probes[name]()
        except Exception as error:  # noqa: BLE001 - a probe that fails is what this is for
            self._note(name, describe(error))
        else:
            if self._failures.pop(name, None):
                log.info("dependency is back", dependency=name)

    def _note(self, name: str, reason: str) -> None:
        if name not in self._failures:
            log.warning("dependency is away", dependency=name, reason=reason)
        self._failures[name] = reason


def describe(error: BaseException) -> str:
    """The error in a line."""
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer"
    return f"{type(error).__name__}: {error}"[:MAX_REASON_LENGTH]
