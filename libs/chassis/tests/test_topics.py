"""Topics are made as agreed where they are ours to make, and named otherwise."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from chassis.cluster import Cluster
from chassis.errors import NotNow
from chassis.settings import Kafka
from chassis.topics import ensure_topics
from stack.namespaces import Namespace


@pytest.fixture
async def kafka(namespace: Namespace) -> Kafka:
    return Kafka(bootstrap_servers=namespace.environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"])


@pytest.fixture
async def cluster(kafka: Kafka) -> AsyncIterator[Cluster]:
    cluster = Cluster(kafka, "test")
    yield cluster
    await cluster.close()


async def test_topics_that_are_missing_are_named(cluster: Cluster, namespace: Namespace) -> None:
    wanted = [f"{namespace.name}.files", f"{namespace.name}.loads"]
    with pytest.raises(NotNow, match=f"missing: {wanted[0]}, {wanted[1]}"):
        await ensure_topics(cluster, wanted, manage=False)
    await ensure_topics(cluster, wanted[:1], manage=True)
    with pytest.raises(NotNow, match=f"missing: {wanted[1]}$"):
        await ensure_topics(cluster, wanted, manage=False)


async def test_services_that_start_at_once_make_the_same_topics(
    cluster: Cluster, kafka: Kafka, namespace: Namespace
) -> None:
    nouns = ("bucket-notifications", "files", "loader.dead-letters")
    wanted = [f"{namespace.name}.{noun}" for noun in nouns]
    other = Cluster(kafka, "other")
    try:
        await asyncio.gather(*(ensure_topics(each, wanted, manage=True) for each in (cluster, other)))
    finally:
        await other.close()
    # Drops keep their order over all keys; everything else is spread.
    assert [len(await cluster.partitions(topic)) for topic in wanted] == [1, 6, 6]
    configs = await described(kafka, wanted)
    assert [configs[topic]["retention.ms"] for topic in wanted] == ["604800000", "2592000000", "2592000000"]
    # What is put aside is the message and some headers more.
    assert int(configs[wanted[2]]["max.message.bytes"]) > int(configs[wanted[1]]["max.message.bytes"]) == 1_048_576


async def test_a_topic_that_does_not_exist_has_no_partitions(cluster: Cluster, namespace: Namespace) -> None:
    assert await cluster.partitions(f"{namespace.name}.nowhere") == []


async def described(kafka: Kafka, topics: list[str]) -> dict[str, dict[str, str]]:
    admin = AIOKafkaAdminClient(**kafka.client("test"))
    await admin.start()
    try:
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics])
    finally:
        await admin.close()
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for answer in answers
        for _, _, _, name, entries in answer.resources
    }
