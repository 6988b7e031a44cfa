"""An installation as its users reach it: the bucket, the requests topic, and read-only looks at the stores."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from chassis.settings import load
from pymongo import AsyncMongoClient
from waybill.environment import CliSettings
from waybill.requests import publish
from waybill_contracts import Declaration, DeclarationRequested

COLUMNS = {
    "order_id": {"type": "integer", "required": True},
    "customer": {"type": "text", "max_length": 80},
    "email": {"type": "text"},
    "product": {"type": "text"},
    "quantity": {"type": "integer", "minimum": 0},
    "amount": {"type": "decimal(12,2)", "minimum": 0},
    "currency": {"type": "text", "one_of": ["EUR", "USD", "GBP", "CHF"]},
    "status": {"type": "text", "one_of": ["new", "paid", "shipped", "returned"]},
    "order_date": {"type": "date"},
    "updated_at": {"type": "timestamp"},
}
FINAL = ("LOADED", "SKIPPED", "FAILED", "REFUSED")
AT_ONCE = 16
POLL_SECONDS = 0.005
PART_BYTES = 64 << 20


class Target:
    """Puts files and waits for their waybills."""

    def __init__(
        self,
        environment: Mapping[str, str],
        s3: Any,
        db: "asyncpg.Connection[asyncpg.Record]",
        check: Callable[[], None],
    ) -> None:
        self._environment, self._s3, self._db, self._check = environment, s3, db, check
        os.environ.update(environment)
        self._settings = load(CliSettings)
        self._bucket = environment["WAYBILL_S3__BUCKET"]

    @classmethod
    @asynccontextmanager
    async def open(cls, environment: Mapping[str, str], check: Callable[[], None]) -> AsyncIterator["Target"]:
        """Connected to the installation of this environment; `check` raises where a part of it has ended."""
        db = await asyncpg.connect(environment["WAYBILL_POSTGRES__DSN"])
        await db.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=orjson.loads)
        client = get_session().create_client(
            "s3",
            endpoint_url=environment["WAYBILL_S3__ENDPOINT_URL"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_REGION"],
            config=AioConfig(request_checksum_calculation="when_required", max_pool_connections=AT_ONCE),
        )
        async with client as s3:
            yield cls(environment, s3, db, check)
        await db.close()

    async def declare(self, dataset: str, columns: Mapping[str, Any], key: Sequence[str] = ("order_id",)) -> None:
        """Ask for the declaration, and wait until it stands."""
        organisation, table = dataset.split("/")
        declaration = Declaration.model_validate(
            {"organisation": organisation, "table": table, "key": list(key), "columns": columns}
        )
        request = DeclarationRequested(organisation=organisation, table=table, declaration=declaration, user="bench")
        await publish(self._settings, request)
        query = "SELECT declaration_version FROM waybill_registry.datasets WHERE dataset = $1"
        while not await self._db.fetchval(query, dataset):
            await self._pause(0.02)

    async def put(self, dataset: str, name: str, content: bytes) -> str:
        """The version id of the new object."""
        reply = await self._s3.put_object(Bucket=self._bucket, Key=f"{dataset}/{name}", Body=content)
        return str(reply["VersionId"])

    async def put_and_wait(self, dataset: str, name: str, content: bytes) -> asyncpg.Record:
        """Put one file and wait for the end of it; must be LOADED."""
        return await self._wait(f"{dataset}/{name}", await self.put(dataset, name, content))

    async def put_file_and_wait(self, dataset: str, path: Path) -> asyncpg.Record:
        """Put a file of any size, in parts; it must be LOADED in the end."""
        where = {"Bucket": self._bucket, "Key": f"{dataset}/{path.name}"}
        upload = (await self._s3.create_multipart_upload(**where))["UploadId"]
        parts = []
        with path.open("rb") as source:
            while content := source.read(PART_BYTES):
                number = len(parts) + 1
                reply = await self._s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=content)
                parts.append({"PartNumber": number, "ETag": reply["ETag"]})
        reply = await self._s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
        return await self._wait(f"{dataset}/{path.name}", str(reply["VersionId"]))

    async def _wait(self, name: str, version: str) -> asyncpg.Record:
        query = "SELECT state, rows, reason FROM waybill_registry.files WHERE version_id = $1"
        while True:
            file = await self._db.fetchrow(query, version)
            if file and file["state"] in FINAL:
                if file["state"] != "LOADED":
                    raise RuntimeError(f"{name} is {file['state']}: {file['reason']}")
                return file
            await self._pause(POLL_SECONDS)

    async def put_many(self, datasets: Sequence[str], contents: Sequence[bytes]) -> None:
        """Put all, spread over the datasets, and wait until every one is LOADED."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(number: int, content: bytes) -> str:
            async with slots:
                return await self.put(datasets[number % len(datasets)], f"{number:05}.csv", content)

        versions = await asyncio.gather(*[one(number, content) for number, content in enumerate(contents)])
        query = "SELECT count(*) FROM waybill_registry.files WHERE version_id = ANY ($1) AND state = 'LOADED'"
        while await self._db.fetchval(query, versions) < len(versions):
            await self._pause(0.25)

    async def _pause(self, seconds: float) -> None:
        self._check()
        await asyncio.sleep(seconds)

    async def bytes_per_version(self, organisation: str, table: str) -> dict[str, float]:
        """Bytes of each store, indexes included, over the number of versions."""
        versions = await self._db.fetchval(f"SELECT count(*) FROM orglog_{organisation}.{table}")  # noqa: S608
        sizes = {
            "postgresql log": await self._size(f"orglog_{organisation}.{table}"),
            "postgresql current": await self._size(f"orgdata_{organisation}.{table}"),
            "postgresql heads": await self._size("waybill_ingestor.heads"),
        }
        async with AsyncMongoClient(self._environment["WAYBILL_MONGO__URI"]) as client:
            stats = await client["waybill"].command("collStats", f"raw_{organisation}_{table}")
            sizes["mongodb"] = stats["storageSize"] + stats["totalIndexSize"]
        return {name: round(size / versions, 1) for name, size in sizes.items()} | {"versions": versions}

    async def _size(self, relation: str) -> int:
        return int(await self._db.fetchval("SELECT pg_total_relation_size($1::regclass)", relation))
