"""The three outcomes of a message (design.md 4): done; never, so it is put aside; not now, so it is read again."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from aiokafka import ConsumerRecord
from faststream.exceptions import NackMessage
from opentelemetry.trace import SpanKind
from waybill_contracts import Event
from waybill_contracts.codec import Decoded, Tombstone, UnknownType, UnknownVersion, Unreadable, decode

from chassis import semconv, tracing
from chassis.dead_letters import Death, put_aside
from chassis.errors import AlreadyHandled, Unprocessable, is_away
from chassis.hold import Hold
from chassis.messaging import Context, current
from chassis.producer import Producer
from chassis.telemetry import CONSUMED, DEAD_LETTERS, PROCESS_SECONDS, log

TRIES = 3
RETRY_SECONDS = 0.2
MIN_WAIT_SECONDS = 0.2
MAX_WAIT_SECONDS = 5.0
HELD_WAIT_SECONDS = 2.0
BUSY_SECONDS = 60.0
# A record that waits is tried every few seconds; one that is not has gone to another consumer.
FORGOTTEN_SECONDS = 15.0

NEVER = (Unprocessable, UnknownVersion, Unreadable)

Handler = Callable[[Any], Awaitable[None]]


@dataclass(frozen=True)
class RawMessage:
    """A message that is no event of ours, as it came."""

    value: bytes | None
    key: bytes | None
    headers: Sequence[tuple[str, bytes]]
    partition: int
    offset: int


BatchHandler = Callable[[list[RawMessage]], Awaitable[None]]


class _GivenUp(Exception):
    """The work can never succeed; carries why, and how often it was tried."""

    def __init__(self, error: Exception, attempts: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.attempts = attempts


@dataclass
class Intake:
    """One topic of one service. Raises NackMessage for 'not now', after a wait that is short enough for the group."""

    service: str
    noun: str
    topic: str
    group: str
    dead_topic: str
    hold: Hold
    producer: Producer
    handles: Mapping[type[Event], Handler] = field(default_factory=dict)
    batch: BatchHandler | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _wait: float = 0.0
    _waiting: tuple[float, str] | None = None
    _single: int = 0
    _busy_since: float | None = None
    _put_aside: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)

    @property
    def takes_batches(self) -> bool:
        """Whether the next records may come together; after a batch that went wrong its records come one by one."""
        return self.batch is not None and not self._single

    @property
    def reason(self) -> str | None:
        """Why messages do not flow; None where they do."""
        if self.hold.is_held:
            return self.hold.text
        if self._waiting and time.monotonic() - self._waiting[0] < FORGOTTEN_SECONDS:
            return f"waits: {self._waiting[1]}"
        if self._busy_since and time.monotonic() - self._busy_since > BUSY_SECONDS:
            return f"at one message for {time.monotonic() - self._busy_since:.0f} s"
        return None

    async def take(self, records: Sequence[ConsumerRecord]) -> None:
        """See each record to its end; returning means that all may be acknowledged."""
        if self.hold.is_held:
            await self._pause(HELD_WAIT_SECONDS)
            raise NackMessage
        self._busy_since = time.monotonic()
        try:
            await self._take(records)
        except NackMessage:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the records must be neither lost nor spun on
            await self._wait_for(error)
        finally:
            self._busy_since = None
        self._wait, self._waiting = 0.0, None

    async def _take(self, records: Sequence[ConsumerRecord]) -> None:
        if len(records) == 1:
            await self._settle(records[0])
            self._single = max(0, self._single - 1)
            return
        try:
            await self._tried(partial(self._handle_batch, records))
        except _GivenUp as given_up:
            log.warning("batch goes one by one", topic=self.topic, count=len(records), exc_info=given_up.error)
            self._single = len(records)
            raise NackMessage from given_up
        await self.hold.note_success()
        self._count("done", len(records))

    async def _settle(self, record: ConsumerRecord) -> None:
        first_tried = datetime.now(UTC)
        try:
            with PROCESS_SECONDS.labels(self.topic, self.group).time():
                outcome = await self._tried(partial(self._handle, record))
        except _GivenUp as given_up:
            death = Death(self.service, self.group, given_up.error, given_up.attempts, first_tried)
            await self._bury(record, death)
            outcome = "dead"
        if outcome == "done":
            await self.hold.note_success()
        self._count(outcome, 1)

    async def _tried(self, work: Callable[[], Awaitable[str]]) -> str:
        """The work's outcome; bugs get a few tries, what is away is not tried here at all."""
        for attempt in range(1, TRIES + 1):
            try:
                return await work()
            except AlreadyHandled:
                return "repeat"
            except NEVER as error:
                raise _GivenUp(error, attempt) from error
            except Exception as error:
                if is_away(error):
                    raise
                if attempt == TRIES:
                    raise _GivenUp(error, attempt) from error
                log.warning("handler went wrong", topic=self.topic, attempt=attempt, exc_info=error)
                await self._pause(RETRY_SECONDS * 2**attempt)
        raise AssertionError("unreachable")

    async def _handle(self, record: ConsumerRecord) -> str:
        if self.batch:
            return await self._handle_batch([record])
        try:
            decoded = decode(record.value, record.headers)
        except Tombstone:
            return "skipped"
        except UnknownType:
            return "unknown"
        handler = self.handles.get(type(decoded.event))
        if handler is None:
            return "skipped"
        await self._run(handler, decoded, record)
        return "done"

    async def _handle_batch(self, records: Sequence[ConsumerRecord]) -> str:
        assert self.batch
        await self.batch(
            [RawMessage(each.value, each.key, each.headers, each.partition, each.offset) for each in records]
        )
        return "done"

    async def _run(self, handler: Handler, decoded: Decoded, record: ConsumerRecord) -> None:
        event = decoded.event
        attributes: dict[str, str | int] = {
            semconv.SYSTEM: "kafka",
            semconv.OPERATION_NAME: "process",
            semconv.OPERATION_TYPE: "process",
            semconv.DESTINATION: record.topic,
            semconv.PARTITION: str(record.partition),
            semconv.OFFSET: record.offset,
            semconv.GROUP: self.group,
            semconv.MESSAGE_ID: str(decoded.id),
            semconv.CONVERSATION_ID: decoded.correlation_id,
            semconv.BODY_SIZE: len(record.value),
            semconv.EVENT_TYPE: event.type,
            semconv.EVENT_SOURCE: decoded.source,
            semconv.EVENT_SUBJECT: event.subject,
        }
        with (
            tracing.span(f"process {record.topic}", decoded.trace_headers, attributes, SpanKind.CONSUMER),
            structlog.contextvars.bound_contextvars(
                correlation_id=decoded.correlation_id, dataset=event.subject, type=event.type, id=str(decoded.id)
            ),
        ):
            token = current.set(
                Context(
                    causation_id=str(decoded.id),
                    correlation_id=decoded.correlation_id,
                    replay_id=decoded.replay_id,
                    trace=tracing.headers() or decoded.trace_headers,
                )
            )
            try:
                await handler(event)
            finally:
                current.reset(token)

    async def _bury(self, record: ConsumerRecord, death: Death) -> None:
        place = (record.partition, record.offset)
        # Remembered until it is recorded: a second copy would be one dead letter too many.
        if place not in self._put_aside:
            self._put_aside[place] = await put_aside(self.producer, self.dead_topic, record, death)
            DEAD_LETTERS.labels(self.topic, type(death.error).__name__).inc()
            log.error("message put aside", topic=self.topic, partition=place[0], offset=place[1], exc_info=death.error)
        await self.hold.note_dead(*self._put_aside[place], f"{type(death.error).__name__}: {death.error}"[:500])
        del self._put_aside[place]
        if self.hold.is_held:
            log.error("consumer is held", topic=self.topic, reason=self.hold.text)

    async def _wait_for(self, error: Exception) -> None:
        """Not now: wait a little longer each time, then have the record read again."""
        self._wait = min(MAX_WAIT_SECONDS, max(MIN_WAIT_SECONDS, 2 * self._wait))
        reason = f"{type(error).__name__}: {error}"[:300]
        if self._waiting is None:
            log.warning("consumer waits", topic=self.topic, reason=reason, exc_info=None if is_away(error) else error)
        self._waiting = time.monotonic(), reason
        self._count("again", 1)
        await self._pause(self._wait)
        raise NackMessage

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    def _count(self, outcome: str, count: int) -> None:
        CONSUMED.labels(self.topic, self.group, outcome).inc(count)
