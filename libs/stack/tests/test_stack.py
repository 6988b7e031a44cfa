"""The stack of real servers: side by side, taken away and brought back, and gone without a trace."""

import http.client
import ipaddress
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from pymongo import MongoClient
from stack import background
from stack.environment import read_environment
from stack.errors import ServerDied, StackError
from stack.namespaces import Namespace, claimed, s3_client
from stack.servers import Stack, erase, holder, status

STOP_SECONDS = 10


@pytest.fixture(scope="module")
def second_stack(own_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("second")) as second:
        yield second


def _tree(stack: Stack) -> list[psutil.Process]:
    tops = [psutil.Process(server.pid) for server in stack.servers.values() if server.is_running]
    return [*tops, *(child for top in tops for child in top.children(recursive=True))]


def _mongo(stack: Stack) -> MongoClient[dict[str, Any]]:
    return MongoClient(stack.environment()["WAYBILL_MONGO__URI"])


async def _postgres(stack: Stack) -> asyncpg.Connection:
    return await asyncpg.connect(stack.environment()["WAYBILL_POSTGRES__DSN"])


async def test_two_stacks_run_side_by_side_and_know_nothing_of_each_other(
    own_stack: Stack, second_stack: Stack
) -> None:
    first, second = await _postgres(own_stack), await _postgres(second_stack)
    await first.execute("CREATE TABLE only_here ()")
    assert await second.fetchval("SELECT to_regclass('only_here')") is None
    await first.execute("DROP TABLE only_here")
    await first.close()
    await second.close()
    assert len(set(vars(own_stack.ports).values()) | set(vars(second_stack.ports).values())) == 10


def test_every_listener_is_on_the_loopback_address_only(own_stack: Stack) -> None:
    listening = [c for process in _tree(own_stack) for c in process.net_connections() if c.status == "LISTEN"]
    ports = {c.laddr.port for c in listening}
    assert ports >= set(vars(own_stack.ports).values())
    assert all(ipaddress.ip_address(c.laddr.ip.removeprefix("::ffff:")).is_loopback for c in listening)


def test_a_folder_in_use_is_refused_with_the_process_that_holds_it(own_stack: Stack) -> None:
    with pytest.raises(StackError, match=f"in use by another stack \\(process {os.getpid()}\\)"):
        Stack(own_stack.folder).start()
    assert status(own_stack.folder)["ready"]


async def test_servers_taken_away_come_back_on_the_same_port_with_the_same_data(own_stack: Stack) -> None:
    with _mongo(own_stack) as mongo:
        mongo.t01.kept.with_options(write_concern=mongo.write_concern).insert_one({"_id": 1})
    s3_client(own_stack.environment()).create_bucket(Bucket="kept")
    before = await _postgres(own_stack)
    await before.execute("CREATE TABLE kept ()")
    own_stack.server("mongodb").kill()
    own_stack.server("postgresql").kill()
    own_stack.server("minio").stop()
    own_stack.check()  # asked for, so no fault

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda name: own_stack.server(name).start(), ("mongodb", "postgresql", "minio")))

    with _mongo(own_stack) as mongo:
        assert mongo.t01.kept.count_documents({}) == 1
    after = await _postgres(own_stack)
    assert await after.fetchval("SELECT to_regclass('kept')") == "kept"
    await after.close()
    assert [bucket["Name"] for bucket in s3_client(own_stack.environment()).list_buckets()["Buckets"]] == ["kept"]


def test_a_paused_server_does_not_answer_until_it_is_resumed(own_stack: Stack) -> None:
    own_stack.server("minio").pause()
    connection = http.client.HTTPConnection("127.0.0.1", own_stack.ports.minio, timeout=0.3)
    with pytest.raises(TimeoutError):
        _get_health(connection)
    own_stack.server("minio").resume()
    own_stack.server("minio").wait_until_ready(5)


def _get_health(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/minio/health/live")
    connection.getresponse()


async def test_a_claimed_namespace_is_its_own_and_empty_again_afterwards(own_stack: Stack) -> None:
    with claimed(own_stack) as first, claimed(own_stack) as second:
        assert first.name != second.name
        await _use(own_stack, first)
    with _mongo(own_stack) as mongo:
        assert first.name not in mongo.list_database_names()
    database = await _postgres(own_stack)
    assert await database.fetchval("SELECT count(*) FROM pg_namespace WHERE starts_with(nspname, $1)", first.name) == 0
    await database.close()
    buckets = s3_client(own_stack.environment()).list_buckets()["Buckets"]
    assert first.bucket not in [bucket["Name"] for bucket in buckets]


async def _use(stack: Stack, namespace: Namespace) -> None:
    with _mongo(stack) as mongo:
        mongo[namespace.name].raw_acme_orders.insert_one({})
    database = await _postgres(stack)
    await database.execute(f'CREATE SCHEMA "{namespace.name}_orgdata_acme"')
    await database.close()
    client = s3_client(namespace.environment)
    client.create_bucket(Bucket=namespace.bucket)
    client.put_bucket_versioning(Bucket=namespace.bucket, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        client.put_object(Bucket=namespace.bucket, Key="acme/orders/a.csv", Body=b"x")


def test_a_server_that_dies_is_named_with_the_end_of_its_log(second_stack: Stack) -> None:
    psutil.Process(second_stack.server("mongodb").pid).kill()
    with pytest.raises(ServerDied) as told:
        second_stack.watch()
    assert "mongodb was killed by signal 9" in str(told.value)
    assert str(second_stack.folder / "logs/mongodb.log") in str(told.value)
    assert '"ctx":' in str(told.value)


def test_stop_is_quick_and_leaves_no_process_and_no_lock(second_stack: Stack) -> None:
    tree = _tree(second_stack)
    began = time.monotonic()
    second_stack.stop()
    assert time.monotonic() - began < STOP_SECONDS
    assert tree
    assert not any(process.is_running() for process in tree)
    assert holder(second_stack.folder) is None


def test_a_detached_stack_dies_with_its_supervisor_and_finds_its_data_again_on_other_ports(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    up = [*background.supervisor_command(folder, "--free-ports", "--detach")]
    subprocess.run(up, check=True, timeout=120, capture_output=True)
    now = status(folder)
    servers = [psutil.Process(server["pid"]) for server in now["servers"].values()]
    assert len(servers) == 4
    with MongoClient[dict[str, Any]](read_environment(folder / "stack.env")["WAYBILL_MONGO__URI"]) as mongo:
        mongo.t01.kept.insert_one({})

    os.kill(now["pid"], signal.SIGKILL)
    _gone, alive = psutil.wait_procs(servers, timeout=5)
    assert not alive

    subprocess.run(up, check=True, timeout=120, capture_output=True)
    assert status(folder)["servers"]["mongodb"]["port"] != now["servers"]["mongodb"]["port"]
    with MongoClient[dict[str, Any]](read_environment(folder / "stack.env")["WAYBILL_MONGO__URI"]) as mongo:
        assert mongo.t01.kept.count_documents({}) == 1
    with pytest.raises(StackError, match="stop it first"):
        erase(folder)

    assert background.stop(folder)
    assert not background.stop(folder)
    erase(folder)
    assert {path.name for path in folder.iterdir()} == {"stack.lock", "stack.env"}


def test_status_of_a_folder_without_a_stack_says_so(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-m", "stack", "status", "--folder", str(tmp_path)], check=False).returncode
