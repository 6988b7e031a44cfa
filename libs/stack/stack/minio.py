"""MinIO on one folder, with a notification target for every namespace that shares the stack."""

import http.client
from pathlib import Path
from typing import TYPE_CHECKING

from stack.ports import Ports
from stack.server import Server

if TYPE_CHECKING:
    from stack.fetch import Programs

USER, PASSWORD, REGION = "waybill", "waybill-local", "us-east-1"
# A target has a fixed topic and targets are fixed when the server starts: one for each test namespace, and the default.
NAMESPACES = tuple(f"t{number:02}" for number in range(1, 33))
DEFAULT_NAMESPACE = "waybill"


def server(programs: "Programs", folder: Path, ports: Ports, queue_notifications: bool = False) -> Server:
    """MinIO with its data in `folder`/minio; queued notifications survive Kafka's absence but come seconds later."""
    data = folder / "minio"
    address = f"127.0.0.1:{ports.minio}"
    environment = {
        "MINIO_ROOT_USER": USER,
        "MINIO_ROOT_PASSWORD": PASSWORD,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        "MINIO_PROMETHEUS_AUTH_TYPE": "public",
        "MINIO_API_REQUESTS_MAX": "1000",
    }
    for namespace in (*NAMESPACES, DEFAULT_NAMESPACE):
        environment |= _target(namespace, ports.kafka, folder / "minio-queue" if queue_notifications else None)
    return Server(
        "minio",
        [str(programs.minio), "server", "--quiet", "--address", address, str(data)],
        folder / "logs/minio.log",
        environment,
        folder=folder,
        prepare=lambda: data.mkdir(parents=True, exist_ok=True),
        answers=lambda: _answers(ports.minio),
    )


def _target(namespace: str, kafka_port: int, queue: Path | None) -> dict[str, str]:
    name = namespace.upper()
    target = {
        f"MINIO_NOTIFY_KAFKA_ENABLE_{name}": "on",
        f"MINIO_NOTIFY_KAFKA_BROKERS_{name}": f"127.0.0.1:{kafka_port}",
        f"MINIO_NOTIFY_KAFKA_TOPIC_{name}": f"{namespace}.bucket-notifications",
    }
    return target | ({f"MINIO_NOTIFY_KAFKA_QUEUE_DIR_{name}": str(queue / namespace)} if queue else {})


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/minio/health/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except http.client.HTTPException:
        return False
    finally:
        connection.close()
