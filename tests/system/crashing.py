"""Services that die in a chosen gap between two of their writes. The product knows nothing of it.

Every store write, commit and send goes through one of six calls of the client libraries; they are wrapped here, counted
by what they do (a label), and the process kills itself right before the write it was told.
"""

import asyncio
import importlib
import multiprocessing
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from chassis.app import start

FORK_SERVER = multiprocessing.get_context("forkserver")
FORK_SERVER.set_forkserver_preload(["registry.main", "ingestor.main", "loader.main", "aiobotocore.session"])
SQL_WRITE = re.compile(
    r"\b(INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|TRUNCATE|COPY|GRANT|REVOKE|COMMIT|COMMENT)\b|pg_notify", re.I
)
SQL_LOCKS = re.compile(r"\bFOR (NO KEY )?(UPDATE|SHARE)\b", re.I)
MONGO_WRITES = {"insert", "update", "delete", "create", "createIndexes", "findAndModify", "drop"}
NAMES = re.compile(r'"?\b(t\d\d|waybill)?_?(orgdata|orglog)_\w+"?\."?\w+"?|"[^"]*"|\d+')

Point = tuple[str, int]


@dataclass
class Tripwire:
    """Counts writes by label; kills the process before the one it is armed for."""

    pipe: Connection
    target: Point | None = None

    def __post_init__(self) -> None:
        self.seen: list[Point] = []
        self.counts: Counter[str] = Counter()
        self.lock = threading.Lock()

    def before(self, label: str) -> None:
        with self.lock:
            self.counts[label] += 1
            point = (label, self.counts[label])
            self.seen.append(point)
            if point == self.target:
                self.pipe.send(("died", label))
                os.kill(os.getpid(), signal.SIGKILL)

    def obey(self) -> None:
        """Commands of the test: arm for a point, counted from now on, or report what was seen since."""
        while True:
            try:
                command, argument = self.pipe.recv()
            except EOFError:
                os._exit(1)
            with self.lock:
                if command == "arm":
                    self.target, self.seen, self.counts = argument, [], Counter()
                self.pipe.send((command, list(self.seen)))


def label_of_sql(query: str) -> str | None:
    """What a statement does, without the names it does it to; None for one that writes nothing."""
    text = SQL_LOCKS.sub("", query)
    if not SQL_WRITE.search(text):
        return None
    return "sql " + NAMES.sub("?", " ".join(query.split()))[:90]


def wrap(owner: Any, name: str, label: Callable[..., str | None], tripwire: Tripwire) -> None:
    """Replace a coroutine function by one that passes the tripwire first."""
    original = getattr(owner, name)

    async def wrapped(*arguments: Any, **keywords: Any) -> Any:
        text = label(*arguments, **keywords)
        if text:
            tripwire.before(text)
        return await original(*arguments, **keywords)

    setattr(owner, name, wrapped)


def wrap_clients(tripwire: Tripwire) -> None:
    """All ways in which a service can change something outside itself."""
    import aiokafka
    from aiobotocore.client import AioBaseClient
    from asyncpg.connection import Connection as Postgres
    from pymongo.asynchronous.pool import AsyncConnection

    for name in ("execute", "executemany", "fetch", "fetchrow", "fetchval", "fetchmany"):
        wrap(Postgres, name, lambda self, query, *rest, **more: label_of_sql(query), tripwire)
    wrap(Postgres, "_copy_in", lambda self, statement, *rest, **more: label_of_sql(statement), tripwire)
    wrap(AsyncConnection, "command", _label_of_mongo, tripwire)
    wrap(AioBaseClient, "_make_api_call", lambda self, operation, arguments: _label_of_s3(operation), tripwire)
    wrap(
        aiokafka.AIOKafkaProducer,
        "send",
        lambda self, topic, *rest, **more: "send " + topic.partition(".")[2],
        tripwire,
    )
    wrap(aiokafka.AIOKafkaConsumer, "commit", lambda self, *rest, **more: "commit of offsets", tripwire)


def _label_of_mongo(self: Any, database: str, spec: Any, *rest: Any, **more: Any) -> str | None:
    name = next(iter(spec))
    return f"mongo {name}" if name in MONGO_WRITES else None


def _label_of_s3(operation: str) -> str | None:
    return (
        f"s3 {operation}" if operation.startswith(("Put", "Delete", "Create", "Upload", "Complete", "Copy")) else None
    )


def _live(name: str, environment: dict[str, str], log: str, pipe: Connection, target: Point | None) -> None:
    """The victim's process."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update(environment)
    tripwire = Tripwire(pipe, target)
    wrap_clients(tripwire)
    threading.Thread(target=tripwire.obey, daemon=True).start()
    sys.argv = [name]
    start(importlib.import_module(f"{name}.main").main)


class Victim:
    """A service in a process of its own that can be told where to die."""

    def __init__(self, name: str, environment: dict[str, str], log: Path, target: Point | None = None) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self.pipe, theirs = FORK_SERVER.Pipe()
        self.process = FORK_SERVER.Process(
            target=_live, args=(name, environment, str(log), theirs, target), daemon=True
        )
        self.process.start()
        theirs.close()

    def arm(self, target: Point | None) -> None:
        """Count from now on, and die right before this write; None counts only."""
        self._ask("arm", target)

    def seen(self) -> list[Point]:
        """The writes since it was armed (or started)."""
        return self._ask("seen", None)

    def _ask(self, command: str, argument: Any) -> list[Point]:
        self.pipe.send((command, argument))
        while True:
            answer, points = self.pipe.recv()
            if answer == command:
                return [tuple(point) for point in points]

    @property
    def is_alive(self) -> bool:
        return self.process.is_alive()

    async def death(self, seconds: float) -> bool:
        """Whether it dies in time."""
        await asyncio.to_thread(self.process.join, seconds)
        return not self.process.is_alive()

    def stop(self) -> None:
        self.process.terminate()
        self.process.join(12)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
