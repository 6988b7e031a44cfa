"""A schema and a versioned bucket of its own per test, on the servers of the local stack."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from chassis.database import Pool
from chassis.testing import fresh_schema
from registry.files import Files
from stack.namespaces import Namespace


@pytest.fixture
async def db(module_namespace: Namespace) -> AsyncIterator[Pool]:
    async with fresh_schema(module_namespace.environment["WAYBILL_POSTGRES__DSN"], "registry.migrations") as pool:
        yield pool


@pytest.fixture(scope="module")
async def client(module_namespace: Namespace) -> AsyncIterator[Any]:
    environment = module_namespace.environment
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            patch.setenv(name, environment[name])
        async with Files.open(environment["WAYBILL_S3__ENDPOINT_URL"], "landing") as files:
            yield files.client


@pytest.fixture
def target(module_namespace: Namespace) -> str:
    """The object store's name for the notifications of this namespace."""
    return f"arn:minio:sqs::{module_namespace.name.upper()}:kafka"


@pytest.fixture
async def files(module_namespace: Namespace, client: Any, target: str) -> Files:
    files = Files(client, f"{module_namespace.name}-{uuid4().hex[:8]}")
    await files.make_buckets(target)
    return files
