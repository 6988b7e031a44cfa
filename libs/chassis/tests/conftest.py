"""A schema of its own per test, on the PostgreSQL of the local stack."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
from chassis.database import Pool, migrate, open_pool
from stack.namespaces import Reachable


@pytest.fixture(scope="session")
def dsn(stack: Reachable) -> str:
    return stack.environment()["WAYBILL_POSTGRES__DSN"]


@pytest.fixture
def schema() -> str:
    return f"test_{uuid4().hex[:12]}"


@pytest.fixture
async def db(dsn: str, schema: str) -> AsyncIterator[Pool]:
    await migrate(dsn, schema, "chassis.migrations")
    async with open_pool(dsn, schema) as pool:
        yield pool
    connection = await asyncpg.connect(dsn)
    await connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
    await connection.close()
