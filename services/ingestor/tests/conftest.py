"""The ingestor on real servers, in a namespace of its own."""

import contextlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chassis import Names, open_pool
from chassis.database import migrate
from chassis.sql import sql
from ingestor.documents import Documents
from ingestor.files.bucket import Bucket
from ingestor.files.workspace import Workspaces
from ingestor.jobs.attempt import SMALL_BYTES
from pymongo import AsyncMongoClient
from stack.namespaces import Namespace, s3_client

sys.path.insert(0, str(Path(__file__).parent))

from driven_ingestor import Ingestor


@dataclass(frozen=True)
class Clients:
    """What the tests of a module reach their servers by."""

    namespace: Namespace
    s3: Any
    bucket: Bucket
    documents: Documents
    mongo: AsyncMongoClient[dict[str, Any]]


@pytest.fixture(scope="module")
async def clients(module_namespace: Namespace) -> AsyncIterator[Clients]:
    """Clients of the module's namespace, which has its two buckets."""
    names, env = Names(module_namespace.name), module_namespace.environment
    s3 = s3_client(env)
    for name in (module_namespace.bucket, f"{module_namespace.bucket}-out"):
        with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=module_namespace.bucket, VersioningConfiguration={"Status": "Enabled"})
    mongo: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(env["WAYBILL_MONGO__URI"])
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            patch.setenv(name, env[name])
        async with (
            mongo,
            Bucket.open(env["WAYBILL_S3__ENDPOINT_URL"], module_namespace.bucket) as bucket,
            Documents.open(env["WAYBILL_MONGO__URI"], names) as documents,
        ):
            yield Clients(module_namespace, s3, bucket, documents, mongo)


@pytest.fixture(params=[SMALL_BYTES, -1], ids=["as a small file", "as a large file"])
def small_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file goes both ways: at once and in arrays, or in threads and by COPY."""
    monkeypatch.setattr("ingestor.jobs.attempt.SMALL_BYTES", request.param)
    if request.param < 0:  # so large that not even what is known of every row is held in memory
        monkeypatch.setattr("ingestor.store.heads.RANGE_ROWS", 2)
        monkeypatch.setattr("ingestor.files.fingerprints.MOST_ROWS", 2)
        monkeypatch.setattr("ingestor.files.ranged.RANGE", 2)
        monkeypatch.setattr("ingestor.jobs.judging.MOST_ROWS", 2)


@pytest.fixture
async def ingestor(clients: Clients, small_bytes: None, tmp_path: Path) -> AsyncIterator[Ingestor]:
    """A migrated ingestor whose databases are empty."""
    names, dsn = Names(clients.namespace.name), clients.namespace.environment["WAYBILL_POSTGRES__DSN"]
    await migrate(dsn, names.schema("ingestor"), "chassis.migrations", "ingestor.migrations")
    async with open_pool(dsn, names.schema("ingestor")) as db:
        with Workspaces.on(tmp_path / "spool") as workspaces:
            yield Ingestor(
                clients.namespace, names, db, clients.s3, clients.bucket, clients.documents, workspaces, clients.mongo
            )
        await db.execute(sql("DROP SCHEMA {schema} CASCADE", schema=names.schema("ingestor")))
        await clients.mongo.drop_database(names.mongo_database)
