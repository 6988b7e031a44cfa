"""MongoDB as a replica set of one, which transactions and majority writes need."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stack.ports import Ports
from stack.server import Server

if TYPE_CHECKING:
    from pymongo import MongoClient

    from stack.fetch import Programs

CACHE_GIGABYTES = 1
NOT_YET_INITIATED, NOT_A_MEMBER = 94, 93


def server(programs: "Programs", folder: Path, ports: Ports) -> Server:
    """MongoDB with its data in `folder`/mongodb."""
    data = folder / "mongodb"
    command = [str(programs.mongod), "--dbpath", str(data), "--bind_ip", "127.0.0.1", "--port", str(ports.mongodb)]
    command += ["--replSet", "rs0", "--wiredTigerCacheSizeGB", str(CACHE_GIGABYTES), "--nounixsocket", "--quiet"]
    # A primary otherwise waits 15 s for a successor that cannot come.
    command += ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"]
    command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
    return Server(
        "mongodb",
        command,
        folder / "logs/mongodb.log",
        folder=folder,
        prepare=lambda: data.mkdir(parents=True, exist_ok=True),
        answers=lambda: _is_primary(ports.mongodb),
    )


def uri(port: int) -> str:
    """How clients reach it."""
    return f"mongodb://127.0.0.1:{port}/?directConnection=true"


def _is_primary(port: int) -> bool:
    # Slow to import, and not needed by those who only ask for the address.
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    client: MongoClient[dict[str, Any]] = MongoClient(
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=1_000
    )
    try:
        _make_member(client, f"127.0.0.1:{port}")
        return bool(client.admin.command("hello")["isWritablePrimary"])
    except PyMongoError:
        return False
    finally:
        client.close()


def _make_member(client: "MongoClient[dict[str, Any]]", address: str) -> None:
    from pymongo.errors import OperationFailure

    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code == NOT_YET_INITIATED:
            members = [{"_id": 0, "host": address}]
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        elif error.code == NOT_A_MEMBER:  # the data was last served on another port
            config = client.local["system.replset"].find_one({}) or {}
            config["members"][0]["host"] = address
            config["version"] += 1
            client.admin.command("replSetReconfig", config, force=True)
