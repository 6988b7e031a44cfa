"""One connection that asks Kafka whether it is there, what exists and what is committed."""

import asyncio
from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, TopicAlreadyExistsError, for_code

from chassis.settings import Kafka

TIMEOUT_SECONDS = 5.0


class Cluster:
    """Connects at first use, and again after a failure."""

    def __init__(self, kafka: Kafka, client_id: str) -> None:
        self._arguments = kafka.client(client_id)
        self._client: AIOKafkaAdminClient | None = None
        self._connecting = asyncio.Lock()

    async def ping(self) -> None:
        """Raises where no broker answers."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await (await self._connected()).describe_topics([])

    async def topics(self) -> set[str]:
        """Names of all topics."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return set(await (await self._connected()).list_topics())

    async def partitions(self, topic: str) -> list[int]:
        """The topic's partitions; none where it does not exist."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            described = await (await self._connected()).describe_topics([topic])
        return sorted(partition["partition"] for found in described for partition in found["partitions"])

    async def create(self, topics: Iterable[NewTopic]) -> None:
        """Make the topics; one that exists is left as it is."""
        async with asyncio.timeout(2 * TIMEOUT_SECONDS):
            response = await (await self._connected()).create_topics(list(topics))
        for _, code, *_ in response.topic_errors:
            if code not in (0, TopicAlreadyExistsError.errno):
                raise for_code(code)

    async def broker_count(self) -> int:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return len((await (await self._connected()).describe_cluster())["brokers"])

    async def committed(self, group: str, topic: str) -> dict[int, int]:
        """Partition -> offset that the group would read next."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            offsets = await (await self._connected()).list_consumer_group_offsets(group)
        return {place.partition: found.offset for place, found in offsets.items() if place.topic == topic}

    async def close(self) -> None:
        if self._client:
            client, self._client = self._client, None
            await client.close()

    async def _connected(self) -> AIOKafkaAdminClient:
        async with self._connecting:
            if self._client is None:
                client = AIOKafkaAdminClient(**self._arguments, request_timeout_ms=int(TIMEOUT_SECONDS * 1000))
                try:
                    await client.start()
                except BaseException as error:
                    await client.close()
                    if isinstance(error, asyncio.CancelledError):
                        raise
                    raise KafkaConnectionError("no broker answers") from error
                self._client = client
            return self._client
