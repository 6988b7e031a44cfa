"""How clients find the stack: the environment variables every service understands."""

import os
from collections.abc import Mapping
from pathlib import Path

from stack import minio, mongo, postgres
from stack.ports import Ports


def environment(ports: Ports, namespace: str = minio.DEFAULT_NAMESPACE, bucket: str | None = None) -> dict[str, str]:
    """What a service of this namespace needs to use the servers on these ports."""
    return {
        "WAYBILL_NAMESPACE": namespace,
        "WAYBILL_MANAGE": "true",
        "WAYBILL_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{ports.kafka}",
        "WAYBILL_POSTGRES__DSN": postgres.dsn(ports.postgresql),
        "WAYBILL_MONGO__URI": mongo.uri(ports.mongodb),
        "WAYBILL_S3__ENDPOINT_URL": f"http://127.0.0.1:{ports.minio}",
        "WAYBILL_S3__BUCKET": bucket or default_bucket(namespace),
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{ports.minio}",
        "AWS_ACCESS_KEY_ID": minio.USER,
        "AWS_SECRET_ACCESS_KEY": minio.PASSWORD,
        "AWS_REGION": minio.REGION,
        "AWS_DEFAULT_REGION": minio.REGION,
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }


def default_bucket(namespace: str) -> str:
    """The bucket of a namespace that names none."""
    return "landing" if namespace == minio.DEFAULT_NAMESPACE else f"{namespace}-landing"


def write_environment(path: Path, variables: Mapping[str, str]) -> None:
    """A file of NAME=value lines that shells, dotenv readers and `read_environment` understand; ours alone to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.aside")
    aside.touch(mode=0o600)
    aside.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    os.replace(aside, path)


def read_environment(path: Path) -> dict[str, str]:
    """The variables of such a file."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
