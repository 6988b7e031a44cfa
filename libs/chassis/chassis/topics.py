"""The topics a service needs: made where the installation manages them, otherwise checked and named."""

from collections.abc import Iterable

from aiokafka.admin import NewTopic

from chassis.cluster import Cluster
from chassis.errors import NotNow

DAY_MS = 86_400_000
MAX_MESSAGE_BYTES = 1_048_576
# A dead letter is the message and some headers more.
MAX_DEAD_LETTER_BYTES = MAX_MESSAGE_BYTES + 65_536

NOTIFICATIONS = "bucket-notifications"


async def ensure_topics(cluster: Cluster, wanted: Iterable[str], *, manage: bool) -> None:
    """All wanted topics exist, or NotNow names those that are missing."""
    missing = sorted(set(wanted) - await cluster.topics())
    if missing and not manage:
        raise NotNow(f"topics are missing: {', '.join(missing)}")
    if missing:
        brokers = await cluster.broker_count()
        await cluster.create([_new_topic(name, brokers) for name in missing])


def _new_topic(name: str, brokers: int) -> NewTopic:
    replicas = min(3, brokers)
    return NewTopic(
        name=name,
        # Drops keep their order over all keys, so their topic has one partition.
        num_partitions=1 if name.endswith(f".{NOTIFICATIONS}") else 6,
        replication_factor=replicas,
        topic_configs=_configs(name) | {"min.insync.replicas": str(max(1, replicas - 1))},
    )


def _configs(name: str) -> dict[str, str]:
    days = 7 if name.endswith(f".{NOTIFICATIONS}") else 30
    is_dead_letters = name.endswith(".dead-letters")
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(days * DAY_MS),
        "max.message.bytes": str(MAX_DEAD_LETTER_BYTES if is_dead_letters else MAX_MESSAGE_BYTES),
        "unclean.leader.election.enable": "false",
        "compression.type": "producer",
        "message.timestamp.type": "CreateTime",
    }
