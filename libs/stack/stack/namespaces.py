"""Namespaces for tests: claimed one at a time, also between processes, and left as empty as they were found."""

import asyncio
import fcntl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import asyncpg
import botocore.session
from aiokafka.admin import AIOKafkaAdminClient
from botocore.config import Config
from pymongo import MongoClient

from stack.environment import read_environment
from stack.errors import StackError
from stack.minio import NAMESPACES


class Reachable(Protocol):
    """A stack that answers, whoever runs it."""

    folder: Path

    def environment(self, namespace: str = "waybill", bucket: str | None = None) -> dict[str, str]:
        """What a service of this namespace needs in its environment."""


class RunningStack:
    """A stack that another process runs, known by its environment file."""

    def __init__(self, environment_file: Path) -> None:
        self.folder = environment_file.absolute().parent
        self._known = read_environment(environment_file)

    def environment(self, namespace: str = "waybill", bucket: str | None = None) -> dict[str, str]:
        """What a service of this namespace needs in its environment."""
        own = {"WAYBILL_NAMESPACE": namespace, "WAYBILL_S3__BUCKET": bucket or f"{namespace}-landing"}
        return {**self._known, **own}


@dataclass(frozen=True)
class Namespace:
    """A part of the stack that belongs to one test: own topics, groups, schemas, Mongo database and buckets."""

    name: str
    bucket: str
    environment: dict[str, str]


@contextmanager
def claimed(stack: Reachable) -> Iterator[Namespace]:
    """A namespace nobody else uses meanwhile; emptied at the end."""
    name, mark = _claim(stack.folder / "namespaces")
    with mark:
        mine = Namespace(name, f"{name}-landing", stack.environment(name))
        if mark.read():  # its last user was killed before it could tidy up
            clean(mine)
        _write(mark, "in use")
        yield mine
        clean(mine)
        _write(mark, "")


def clean(namespace: Namespace) -> None:
    """Removes all that carries the namespace's name from the four servers."""
    parts: tuple[Callable[[str, dict[str, str]], None], ...] = (
        _clean_kafka,
        _clean_minio,
        _clean_mongo,
        _clean_postgres,
    )
    with ThreadPoolExecutor(len(parts)) as pool:
        for part in [pool.submit(part, namespace.name, namespace.environment) for part in parts]:
            part.result()


def _claim(folder: Path) -> tuple[str, IO[str]]:
    folder.mkdir(parents=True, exist_ok=True)
    # The one longest out of use: what a server remembers of it for a while (group members) is forgotten by then.
    for name in sorted(NAMESPACES, key=lambda name: _last_use(folder / name)):
        mark = (folder / name).open("a+")
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            mark.close()
            continue
        mark.seek(0)
        return name, mark
    raise StackError(f"all {len(NAMESPACES)} namespaces are in use")


def _last_use(mark: Path) -> float:
    return mark.stat().st_mtime if mark.exists() else 0.0


def _write(mark: IO[str], state: str) -> None:
    mark.truncate(0)
    mark.write(state)
    mark.flush()


def _clean_kafka(namespace: str, environment: dict[str, str]) -> None:
    asyncio.run(_delete_topics(f"{namespace}.", environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"]))


async def _delete_topics(prefix: str, bootstrap_servers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        mine = [topic for topic in await admin.list_topics() if topic.startswith(prefix)]
        if mine:
            await admin.delete_topics(mine)
    finally:
        await admin.close()


def _clean_minio(namespace: str, environment: dict[str, str]) -> None:
    client = s3_client(environment)
    # MinIO's own way to delete a bucket with all versions of all objects in one call.
    client.meta.events.register("before-call.s3.DeleteBucket", _force)
    for bucket in client.list_buckets()["Buckets"]:
        if bucket["Name"].startswith(f"{namespace}-"):
            client.delete_bucket(Bucket=bucket["Name"])
    client.close()


def _force(params: dict[str, Any], **_: object) -> None:
    params["headers"]["x-minio-force-delete"] = "true"


def s3_client(environment: dict[str, str]) -> Any:
    """A plain blocking S3 client on this environment's object store."""
    return botocore.session.get_session().create_client(
        "s3",
        endpoint_url=environment["WAYBILL_S3__ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _clean_mongo(namespace: str, environment: dict[str, str]) -> None:
    with MongoClient[dict[str, Any]](environment["WAYBILL_MONGO__URI"]) as client:
        client.drop_database(namespace)


def _clean_postgres(namespace: str, environment: dict[str, str]) -> None:
    asyncio.run(_drop_schemas(f"{namespace}_", environment["WAYBILL_POSTGRES__DSN"]))


async def _drop_schemas(prefix: str, dsn: str) -> None:
    database = await asyncpg.connect(dsn, server_settings={"lock_timeout": "10s"})
    try:
        # The server quotes the names and returns whole statements, so none is put together here.
        for statement in await database.fetch(DROP_STATEMENTS, prefix):
            await database.execute(statement[0])
    finally:
        await database.close()


DROP_STATEMENTS = """
    SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace WHERE starts_with(nspname, $1)
    UNION ALL
    SELECT format('DROP OWNED BY %I; DROP ROLE %I', rolname, rolname) FROM pg_roles WHERE starts_with(rolname, $1)
"""
