"""Who may open a connection: the chassis, and the rooms that are named after what they touch."""

import ast
from collections.abc import Iterator
from pathlib import Path

import house
import pytest

CLIENTS = {
    "asyncpg": {"connect", "create_pool"},
    "pymongo": {"MongoClient", "AsyncMongoClient"},
    "aiobotocore": {"get_session", "AioSession"},
    "botocore": {"get_session", "Session"},
    "aiokafka": {"AIOKafkaProducer", "AIOKafkaConsumer", "AIOKafkaAdminClient"},
    "faststream": {"KafkaBroker", "FastStream"},
}
ROOMS = {"files", "documents"}
# The command line reads stores, sends requests and puts files; it makes its clients in these files only.
COMMAND_LINE = {Path("cli/waybill/stores.py"), Path("cli/waybill/requests.py")}


def clients(module: ast.Module) -> Iterator[str]:
    """Every mention of a library's client, by import or by attribute."""
    for node in ast.walk(module):
        match node:
            case ast.ImportFrom(module=str() as source, names=names):
                makers = makers_of(source)
                found = [alias.name for alias in names if alias.name in makers or (makers and alias.name == "*")]
            case ast.Attribute(attr=name, value=value):
                source = ast.unparse(value)
                found = [name] if name in makers_of(source) else []
            case _:
                continue
        yield from (f"line {node.lineno}: {source}.{name}" for name in found)


def makers_of(source: str) -> set[str]:
    """Names of clients in a library's module."""
    return CLIENTS.get(source.split(".")[0], set())


def may_connect(path: Path) -> bool:
    """Whether the file is one of the places where clients are made."""
    if path.parts[:2] in {("libs", "chassis"), ("libs", "stack")} or path in COMMAND_LINE:
        return True
    return path.parts[0] == "services" and bool(ROOMS & {path.stem, path.parent.name})


def test_clients_are_made_by_the_chassis_and_the_rooms_of_bucket_and_documents_only() -> None:
    found = [
        f"{path}: {what}" for path in house.product() if not may_connect(path) for what in clients(house.tree(path))
    ]
    assert found == []


def test_the_rule_sees_the_clients_that_there_are() -> None:
    seen = {path for path in house.product() if list(clients(house.tree(path)))}
    assert Path("libs/chassis/chassis/database.py") in seen
    assert Path("services/loader/loader/documents.py") in seen


@pytest.mark.parametrize(
    "snippet",
    [
        "import asyncpg\nasyncpg.connect(dsn)",
        "import asyncpg\npool = asyncpg.create_pool(dsn)",
        "from asyncpg import connect",
        "from pymongo import AsyncMongoClient as Client",
        "import pymongo\nclient = pymongo.AsyncMongoClient()",
        "from pymongo.asynchronous.mongo_client import AsyncMongoClient",
        "from aiobotocore.session import get_session",
        "import botocore.session\nbotocore.session.Session()",
        "from aiokafka import AIOKafkaProducer",
        "from aiokafka.admin import AIOKafkaAdminClient",
        "from faststream.kafka import KafkaBroker",
        "from aiokafka import *",
    ],
)
def test_a_client_elsewhere_is_caught(snippet: str) -> None:
    assert list(clients(house.parsed(snippet))) != []


@pytest.mark.parametrize(
    "path",
    ["services/loader/loader/jobs.py", "services/registry/registry/store/datasets.py", "cli/waybill/status.py"],
)
def test_other_rooms_may_not_connect(path: str) -> None:
    assert not may_connect(Path(path))


def test_errors_and_types_of_the_libraries_may_be_used_anywhere() -> None:
    snippet = "import asyncpg\nfrom pymongo.errors import PyMongoError\ntry: pass\nexcept asyncpg.PostgresError: pass"
    assert list(clients(house.parsed(snippet))) == []
