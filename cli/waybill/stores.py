"""Read-only views of an installation's stores; the command changes nothing here."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import orjson
from chassis.settings import Settings

from waybill.environment import how_to_start
from waybill.output import Refusal, Unreachable

CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Stores:
    """Connections to the services' schemas; `warehouse` differs from `db` where the loader has its own server."""

    settings: Settings
    db: "asyncpg.Connection[asyncpg.Record]"
    warehouse: "asyncpg.Connection[asyncpg.Record]"

    async def registry(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of a query in the registry's schema."""
        return await self._in_schema(self.db, "registry", query, arguments)

    async def ingestor(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of a query in the ingestor's schema."""
        return await self._in_schema(self.db, "ingestor", query, arguments)

    async def loader(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of a query in the loader's schema."""
        return await self._in_schema(self.warehouse, "loader", query, arguments)

    async def records(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of a query for business values in the warehouse; nested ones come as the texts they are."""
        await _decode_json(self.warehouse, "json", str)
        try:
            return await self.warehouse.fetch(query, *arguments)
        finally:
            await _decode_json(self.warehouse, "json", orjson.loads)

    async def _in_schema(
        self, connection: "asyncpg.Connection[asyncpg.Record]", service: str, query: str, arguments: tuple[Any, ...]
    ) -> list[asyncpg.Record]:
        schema = self.settings.names.schema(service)
        try:
            async with connection.transaction(readonly=True):
                await connection.execute("SELECT set_config('search_path', $1, true)", schema)
                return await connection.fetch(query, *arguments)
        except asyncpg.UndefinedTableError:
            raise Unreachable(
                f"the {service} has never run here (schema {schema} is empty); start it: waybill up"
            ) from None
        except (asyncpg.DataError, UnicodeEncodeError) as error:
            raise Refusal(f"PostgreSQL knows no such text or number: {error}") from None


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """The PostgreSQL side of the installation."""
    db = await _connect(settings.postgres.dsn, "PostgreSQL")
    warehouse = db if settings.warehouse is None else await _connect(settings.warehouse.dsn, "the warehouse")
    try:
        yield Stores(settings, db, warehouse)
    finally:
        await db.close()
        if warehouse is not db:
            await warehouse.close()


async def _connect(dsn: str, what: str) -> "asyncpg.Connection[asyncpg.Record]":
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise Unreachable(
            f"{what} at {address(dsn)} cannot be reached ({type(error).__name__}); {how_to_start()}"
        ) from None
    for kind in ("json", "jsonb"):
        await _decode_json(connection, kind, orjson.loads)
    return connection


async def _decode_json(
    connection: "asyncpg.Connection[asyncpg.Record]", kind: str, decoder: Callable[[str], Any]
) -> None:
    await connection.set_type_codec(kind, schema="pg_catalog", encoder=str, decoder=decoder, format="text")


def address(url: str) -> str:
    """Host and port of a URL, without the name and password it may hold."""
    return urlsplit(url).netloc.rpartition("@")[2]


@asynccontextmanager
async def open_bucket(settings: Settings) -> AsyncIterator[Any]:
    """A client of the object store."""
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session
    from botocore.exceptions import BotoCoreError, ClientError

    assert settings.s3
    where = f"bucket {settings.s3.bucket} at {address(settings.s3.endpoint_url or '//the default endpoint')}"
    patience = AioConfig(connect_timeout=CONNECT_SECONDS, retries={"total_max_attempts": 2})
    with _named(where, BotoCoreError, ClientError):
        async with get_session().create_client("s3", endpoint_url=settings.s3.endpoint_url, config=patience) as client:
            yield client


@asynccontextmanager
async def open_documents(settings: Settings) -> AsyncIterator[Any]:
    """The MongoDB database of the installation."""
    from pymongo import AsyncMongoClient
    from pymongo.errors import PyMongoError

    assert settings.mongo
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        settings.mongo.uri, serverSelectionTimeoutMS=int(CONNECT_SECONDS * 1000), tz_aware=True
    )
    with _named(f"MongoDB at {address(settings.mongo.uri)}", PyMongoError):
        async with client:
            yield client[settings.names.mongo_database]


@contextmanager
def _named(where: str, *errors: type[Exception]) -> Iterator[None]:
    try:
        yield
    except errors as error:
        reason = str(error).partition(",")[0]
        raise Unreachable(f"{where} cannot be used ({type(error).__name__}: {reason}); {how_to_start()}") from None
