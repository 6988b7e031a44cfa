"""Messages in: one subscriber a topic, each message done, put aside, or read again later."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from chassis.cluster import Cluster
from chassis.intake import Intake
from chassis.settings import Kafka
from chassis.telemetry import LAG, LAST_POLL, log

TICK_SECONDS = 2.0
SILENT_SECONDS = 30.0
STOP_SECONDS = 3.5
MAX_BATCH_RECORDS = 500

SUBSCRIBER_SETTINGS: dict[str, Any] = {
    "ack_policy": AckPolicy.NACK_ON_ERROR,
    "auto_offset_reset": "earliest",
    "no_reply": True,
    "session_timeout_ms": 30_000,
    "heartbeat_interval_ms": 3_000,
    "rebalance_timeout_ms": 60_000,
    "max_poll_interval_ms": 300_000,
}


class Consumers:
    """All subscribers of one service in one process."""

    def __init__(self, kafka: Kafka, cluster: Cluster, intakes: Iterable[Intake], instance: str | None) -> None:
        self._kafka = kafka
        self._cluster = cluster
        self._intakes = tuple(intakes)
        self._instance = instance
        self._broker: KafkaBroker | None = None
        self._subscribers: list[tuple[Intake, Any]] = []
        self._started = time.time()
        self._measured: set[tuple[str, str, str]] = set()

    async def start(self) -> None:
        """Join the groups; where that fails nothing is left behind."""
        for intake in self._intakes:
            await intake.hold.load()
        self._broker = broker = build_broker(self._kafka, self._intakes, self._instance)
        self._subscribers = list(zip(self._intakes, broker.subscribers, strict=True))
        try:
            await broker.start()
        except BaseException:
            self._broker = None
            await broker.stop()
            raise
        self._started = time.time()

    async def stop(self) -> None:
        """Let each message at hand end, commit, and leave."""
        for intake in self._intakes:
            intake.stopping.set()
        if self._broker:
            await self._broker.stop()

    async def watch(self) -> None:
        """Release holds whose dead letters were dealt with, and keep the figures, until cancelled."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for intake in self._intakes:
                if intake.hold.is_held:
                    await self._try_release(intake)
            await self._measure()

    def reasons(self) -> dict[str, str]:
        """Topic -> why its messages do not flow."""
        reasons = {intake.noun: reason for intake in self._intakes if (reason := intake.reason)}
        for intake, consumer in self._consumers():
            polled = self._last_poll(consumer)
            if intake.noun not in reasons and polled is not None and time.time() - polled > SILENT_SECONDS:
                reasons[intake.noun] = f"no answer from the broker for {time.time() - polled:.0f} s"
        return {f"consumer of {noun}": reason for noun, reason in reasons.items()}

    async def _try_release(self, intake: Intake) -> None:
        try:
            committed = await self._cluster.committed(intake.dead_topic, intake.dead_topic)
            if await intake.hold.release_if_passed(committed):
                log.info("consumer goes on", topic=intake.topic)
        except Exception as error:  # noqa: BLE001 - it is tried again at the next tick, and the hold is visible
            log.warning("hold cannot be checked", topic=intake.topic, error=type(error).__name__)

    async def _measure(self) -> None:
        measured = set()
        for intake, consumer in self._consumers():
            if polled := self._last_poll(consumer):
                LAST_POLL.labels(intake.topic, intake.group).set(polled)
            for place in consumer.assignment():
                # A partition may be taken away meanwhile, or its position be unknown while Kafka is away.
                with contextlib.suppress(KafkaError, TimeoutError):
                    labels = (intake.topic, str(place.partition), intake.group)
                    position = await asyncio.wait_for(consumer.position(place), 1)
                    LAG.labels(*labels).set(max(0, (consumer.highwater(place) or 0) - position))
                    measured.add(labels)
        for labels in self._measured - measured:
            LAG.remove(*labels)
        self._measured = measured

    def _last_poll(self, consumer: Any) -> float | None:
        """When the broker last answered; None where no partition is ours."""
        places = consumer.assignment()
        if not places:
            return None
        polls = [consumer.last_poll_timestamp(place) or 0 for place in places]
        return max(max(polls) / 1000, self._started)

    def _consumers(self) -> list[tuple[Intake, Any]]:
        return [(intake, subscriber.consumer) for intake, subscriber in self._subscribers if subscriber.consumer]


def build_broker(kafka: Kafka, intakes: Iterable[Intake], instance: str | None) -> KafkaBroker:
    """A broker whose every subscriber acknowledges only what has ended, and makes no topics."""
    broker = KafkaBroker(
        kafka.bootstrap_servers.split(","),
        client_id=kafka.client_id or "waybill",
        security=_security(kafka),
        ack_policy=AckPolicy.NACK_ON_ERROR,
        allow_auto_create_topics=False,
        consumer_only=True,
        apply_types=False,
        graceful_timeout=STOP_SECONDS,
        logger=_quiet_logger(),
        parser=parse_any,
        decoder=keep_message,
    )
    for intake in intakes:
        subscriber = broker.subscriber(
            intake.topic,
            group_id=intake.group,
            # Distinct for each subscriber; a restart takes its partitions back at once.
            group_instance_id=f"{instance}.{intake.noun}" if instance else None,
            **SUBSCRIBER_SETTINGS,
        )
        subscriber(_taker(intake))
    return broker


def _taker(intake: Intake) -> Callable[[KafkaMessage], Awaitable[None]]:
    async def take(message: KafkaMessage) -> None:
        first = message.raw_message
        assert not isinstance(first, tuple)
        if not intake.takes_batches:
            return await intake.take([first])
        # FastStream's batches poll all the time; this takes along what has already been fetched.
        fetched = await message.consumer.getmany(timeout_ms=0, max_records=MAX_BATCH_RECORDS - 1)  # type: ignore[attr-defined]
        records = [first, *(record for found in fetched.values() for record in found)]
        # A nack goes back to the first of them.
        message.raw_message = tuple(records)
        return await intake.take(records)

    return take


async def parse_any(record: ConsumerRecord, parse: Callable[[Any], Awaitable[KafkaMessage]]) -> KafkaMessage:
    """FastStream's message of any record: headers that are no text would make it pass over the record in silence."""
    message = await parse(_Readable(record))
    message.raw_message = record
    return message


async def keep_message(message: KafkaMessage) -> KafkaMessage:
    """The message itself: decoding is the contracts' business."""
    return message


class _Readable:
    """The record as FastStream's parser can read it."""

    def __init__(self, record: ConsumerRecord) -> None:
        self.value, self.topic = record.value, record.topic
        self.offset, self.timestamp = record.offset, record.timestamp
        self.headers: list[tuple[str, bytes]] = []


def _quiet_logger() -> logging.Logger:
    # FastStream's own logger has a format of its own and warns that topics are not made.
    logger = logging.getLogger("chassis.faststream")
    logger.setLevel(logging.ERROR)
    return logger


def _security(kafka: Kafka) -> BaseSecurity | None:
    if kafka.security_protocol == "PLAINTEXT":
        return None
    if not kafka.security_protocol.startswith("SASL"):
        return BaseSecurity(ssl_context=kafka.ssl_context)
    mechanisms = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    return mechanisms[kafka.sasl_mechanism](
        username=kafka.sasl_username or "", password=kafka.sasl_password or "", ssl_context=kafka.ssl_context
    )
