"""The whole product on real servers, driven from outside: objects in, stores out; nothing here imports a service."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.error import HTTPError
from urllib.request import urlopen
from uuid import uuid4

import asyncpg
from aiobotocore.session import get_session
from aiokafka import AIOKafkaProducer
from stack.ports import free_ports
from stack.processes import Process, service, stop_all
from typer.testing import CliRunner
from waybill.main import app as waybill
from waybill_contracts import DeclarationRequested, Event
from waybill_contracts.codec import encode
from waybill_contracts.declaration_yaml import parse_declaration

SERVICES = ("registry", "ingestor", "loader")
FINAL = ("LOADED", "SKIPPED", "FAILED", "REFUSED", "IGNORED")
FAST_TIMERS = {"WAYBILL_JOBS__LEASE_SECONDS": "3", "WAYBILL_SWEEP_SECONDS": "2", "WAYBILL_LOG__FORMAT": "json"}


class Installation:
    """One namespace: its services as processes, its bucket, its databases."""

    def __init__(self, environment: Mapping[str, str], folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.environment = {**environment, **FAST_TIMERS, **(settings or {})}
        self.namespace = environment["WAYBILL_NAMESPACE"]
        self.bucket = environment["WAYBILL_S3__BUCKET"]
        self.logs = folder / "logs"
        self.datasets = folder / "datasets"
        self.datasets.mkdir(parents=True, exist_ok=True)
        self.environment["WAYBILL_DATASETS"] = str(self.datasets)
        self.processes: dict[str, Process] = {}
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "Installation":
        self.db = await self._open.enter_async_context(
            asyncpg.create_pool(
                self.environment["WAYBILL_POSTGRES__DSN"], min_size=0, max_size=4, statement_cache_size=0
            )
        )
        client = get_session().create_client(
            "s3",
            endpoint_url=self.environment["WAYBILL_S3__ENDPOINT_URL"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environment["AWS_REGION"],
        )
        self.s3 = await self._open.enter_async_context(client)
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.to_thread(stop_all, list(self.processes.values()))
        await self._open.aclose()

    # --- processes

    def make(self, name: str, instance: str = "", **settings: str) -> Process:
        """A service process, not started; more of one kind differ by instance."""
        port = free_ports().kafka
        process = service(name, {**self.environment, "WAYBILL_HTTP__PORT": str(port), **settings}, self.logs, instance)
        process.port = port  # type: ignore[attr-defined]
        self.processes[process.name] = process
        return process

    async def start(self, *names: str) -> None:
        """Start services, all by default, and wait until they say that they are ready."""
        for name in names or SERVICES:
            process = self.processes.get(name) or self.make(name)
            process.start()
        await asyncio.gather(*[self.until_ready(name) for name in names or SERVICES])

    @asynccontextmanager
    async def instead(self, name: str, **settings: str) -> AsyncIterator[Process]:
        """For the block a service with other settings in the place of the one that runs."""
        await asyncio.to_thread(self.processes[name].stop)
        # The same member of its consumer groups, so that nobody waits for the one that is gone.
        other = self.make(name, "instead", WAYBILL_INSTANCE=name, **settings)
        try:
            await self.start(other.name)
            yield other
        finally:
            await asyncio.to_thread(other.stop)
            await self.start(name)

    async def until_ready(self, name: str, seconds: float = 60) -> None:
        await until(lambda: self.is_ready(name), seconds, f"{name} is not ready\n{self.processes[name].log_end(15)}")

    async def is_ready(self, name: str) -> bool:
        status, _ = await asyncio.to_thread(http, self.processes[name].port, "/health/ready")  # type: ignore[attr-defined]
        return status == 200

    async def metrics(self, name: str) -> str:
        _, body = await asyncio.to_thread(http, self.processes[name].port, "/metrics")  # type: ignore[attr-defined]
        return body

    # --- what a user does

    def declare(self, dataset: str, key: Iterable[str], columns: Mapping[str, str], **more: object) -> None:
        """A declaration file in the folder that the registry reads when it starts; columns as {name: YAML mapping}."""
        path = self.datasets / f"{dataset.replace('/', '-')}.yaml"
        path.write_text(declaration_yaml(dataset, key, columns, **more))

    async def apply(self, declaration: str) -> None:
        """Have a declaration (YAML) accepted by the registry that runs."""
        declared = parse_declaration(declaration, "test")
        request = DeclarationRequested(
            organisation=declared.organisation, table=declared.table, declaration=declared, user="test"
        )
        query = "SELECT body FROM declarations WHERE dataset = $1 ORDER BY version DESC LIMIT 1"
        await self.publish(request)

        async def is_declared() -> bool:
            rows = await self.rows("registry", query, declared.dataset)
            return bool(rows) and json.loads(rows[0]["body"]) == declared.model_dump(mode="json")

        await until(is_declared, 30, f"{declared.dataset} is not declared")

    async def waybill(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """The command line, in this process (a new one takes a second or more): exit code, stdout, stderr."""
        with patch.dict(os.environ, {**self.environment, **environment}):
            result = await asyncio.to_thread(CliRunner().invoke, waybill, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    async def put(self, key: str, content: bytes, **metadata: str) -> str:
        """Drop an object; its version id."""
        reply = await self.s3.put_object(Bucket=self.bucket, Key=key, Body=content, Metadata=metadata)
        return str(reply["VersionId"])

    async def publish(self, event: Event, replay_id: str | None = None) -> None:
        """An event as its service would send it; with a replay id, as a replay would."""
        message = encode(event, source="/test", time=datetime.now(UTC), namespace=self.namespace, replay_id=replay_id)
        await self.send(message.topic.partition(".")[2], message.value, message.key, message.headers)

    async def send(self, topic: str, value: bytes, key: bytes = b"", headers: Iterable[tuple[str, bytes]] = ()) -> None:
        """A message straight onto a topic of this namespace."""
        producer = AIOKafkaProducer(bootstrap_servers=self.environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"])
        await producer.start()
        try:
            await producer.send_and_wait(f"{self.namespace}.{topic}", value, key=key, headers=list(headers))
        finally:
            await producer.stop()

    # --- what a user sees

    async def rows(self, schema: str, query: str, *arguments: object) -> list[asyncpg.Record]:
        """A query in one service's schema."""
        async with self.db.acquire() as connection, connection.transaction():
            await connection.execute(f'SET LOCAL search_path = "{self.namespace}_{schema}"')
            return await connection.fetch(query, *arguments)

    async def files(self, dataset: str) -> list[asyncpg.Record]:
        """The registry's files of a dataset in the order of arrival."""
        return await self.rows("registry", "SELECT * FROM files WHERE dataset = $1 ORDER BY arrival", dataset)

    async def settled(self, dataset: str, count: int, seconds: float = 60) -> list[asyncpg.Record]:
        """The dataset's files once there are `count`, and each has come to an end or waits for a decision."""
        last: list[asyncpg.Record] = []

        async def done() -> bool:
            nonlocal last
            last = await self.files(dataset)
            return len(last) == count and are_quiet(last)

        # Many are waited for at once, by one process.
        standing = lambda: f"{dataset}: {[(f['arrival'], f['state'], f['reason']) for f in last]}"  # noqa: E731
        await until(done, seconds, standing, pause=0.2)
        return last


def are_quiet(files: Iterable[asyncpg.Record]) -> bool:
    """Whether nothing more happens to a dataset's files until somebody decides or drops something."""
    is_blocked = False
    for file in files:
        waits = file["state"] == "HELD" or (is_blocked and file["state"] == "REGISTERED")
        if file["state"] not in FINAL and not waits:
            return False
        is_blocked |= file["state"] == "HELD" and file["code"] != "late"
    return True


def declaration_yaml(dataset: str, key: Iterable[str], columns: Mapping[str, str], **more: object) -> str:
    """A declaration as people write it; columns as {name: YAML mapping}."""
    organisation, table = dataset.split("/")
    lines = [f'organisation: "{organisation}"', f'table: "{table}"', f"key: [{', '.join(key)}]", "columns:"]
    lines += [f"  {name}: {body}" for name, body in columns.items()]
    lines += [f"{name}: {json.dumps(value)}" for name, value in more.items()]
    return "\n".join(lines) + "\n"


def http(port: int, path: str) -> tuple[int, str]:
    """Status and body of a GET on loopback; 0 when nobody answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            return reply.status, reply.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


async def until(condition: Any, seconds: float, message: Any = "", pause: float = 0.05) -> None:
    """Wait until the asynchronous condition holds; fails with the message when it does not in time."""
    end = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {message() if callable(message) else message}")
        await asyncio.sleep(pause)


def new_dataset(organisation: str = "acme") -> str:
    """A dataset nobody else uses."""
    return f"{organisation}/t{uuid4().hex[:10]}"
