"""The Kafka producer of a service: connects at first use, and is made anew where idempotence got stuck."""

import asyncio
import contextlib
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, OutOfOrderSequenceNumber, ProducerFenced

from chassis.settings import Kafka
from chassis.topics import MAX_DEAD_LETTER_BYTES

# After these a producer fails for ever (aio-libs/aiokafka#1017).
_STUCK = (OutOfOrderSequenceNumber, InvalidProducerEpoch, ProducerFenced)
CLOSE_SECONDS = 1.0


class Producer:
    """Sends bytes as they are; every send is acknowledged by all in-sync replicas."""

    def __init__(self, kafka: Kafka, client_id: str) -> None:
        self._arguments = kafka.producer(client_id) | {"max_request_size": MAX_DEAD_LETTER_BYTES}
        self._producer: AIOKafkaProducer | None = None
        self._connecting = asyncio.Lock()

    async def send(
        self, topic: str, value: bytes | None, *, key: bytes | None, headers: list[tuple[str, bytes]]
    ) -> "asyncio.Future[Any]":
        """A future of the record's metadata."""
        producer = await self._connected()
        future: asyncio.Future[Any] = await producer.send(topic, value, key=key, headers=headers)
        future.add_done_callback(lambda sent: self._check(producer, sent))
        return future

    async def close(self) -> None:
        """Flush for a moment, then disconnect."""
        producer, self._producer = self._producer, None
        if producer:
            await _stop(producer)

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                producer = AIOKafkaProducer(**self._arguments)
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    def _check(self, producer: AIOKafkaProducer, sent: "asyncio.Future[Any]") -> None:
        error = None if sent.cancelled() else sent.exception()
        if isinstance(error, _STUCK) and self._producer is producer:
            self._producer = None
            self._closing = asyncio.ensure_future(_stop(producer))


async def _stop(producer: AIOKafkaProducer) -> None:
    # While Kafka is away a flush would wait for it; what was not sent is still in the outbox.
    with contextlib.suppress(Exception):
        await asyncio.wait_for(producer.stop(), CLOSE_SECONDS)
