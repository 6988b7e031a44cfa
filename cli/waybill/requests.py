"""The command's only way to change anything: requests, published like any event."""

import getpass
from datetime import UTC, datetime

from chassis.settings import Settings
from waybill_contracts import Request
from waybill_contracts.codec import encode

from waybill.environment import how_to_start
from waybill.output import Unreachable


def current_user() -> str:
    """Who asks, for the audit trail."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


async def publish(settings: Settings, request: Request) -> None:
    """Send the request; returns once Kafka has it."""
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    producer = AIOKafkaProducer(**settings.kafka.producer("waybill.cli"))
    message = encode(request, source=f"/{settings.namespace}/cli", time=datetime.now(UTC), namespace=settings.namespace)
    try:
        await producer.start()
        await producer.send_and_wait(message.topic, message.value, key=message.key, headers=message.headers)
    except (KafkaError, OSError) as error:
        raise no_kafka(settings, error) from None
    finally:
        await producer.stop()


def no_kafka(settings: Settings, error: Exception) -> Unreachable:
    """The sentence for a Kafka that does not answer."""
    servers = settings.kafka.bootstrap_servers
    return Unreachable(f"Kafka at {servers} cannot be reached ({type(error).__name__}); {how_to_start()}")
