"""Gates: a test holds what a service has to pass, and so knows where the service stands when it does the next thing."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
from installation import Installation, until

ALL = "ACCESS EXCLUSIVE"
WRITERS = "SHARE"


@dataclass
class TableGate:
    """A lock on a table that this test holds in a transaction of its own."""

    table: str
    connection: Any

    async def until_waited_for(self, by: int = 1, seconds: float = 20) -> list[int]:
        """So many have come to the table and wait, in less time than the services wait for a lock; their backends."""
        query = "SELECT pid FROM pg_locks WHERE relation = $1::regclass AND NOT granted"
        waiting: list[int] = []

        async def is_waited_for() -> bool:
            waiting[:] = [row["pid"] for row in await self.connection.fetch(query, self.table)]
            return len(waiting) >= by

        await until(is_waited_for, seconds, lambda: f"{len(waiting)} of {by} wait for {self.table}")
        return waiting


@asynccontextmanager
async def closed(installation: Installation, service: str, table: str, to: str = ALL) -> AsyncIterator[TableGate]:
    """Nobody passes this table of the service (ALL), or nobody who writes (WRITERS), until the block ends."""
    name = f'"{installation.namespace}_{service}"."{table}"'
    connection = await asyncpg.connect(installation.environment["WAYBILL_POSTGRES__DSN"])
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {name} IN {to} MODE")
            yield TableGate(name, connection)
    finally:
        await connection.close()


class BucketGate:
    """The object store as one service sees it, at `url`: reading a chosen object stops after its first bytes."""

    PASSED_BYTES = 2 << 20
    BUFFER_BYTES = 1 << 16

    def __init__(self, endpoint_url: str) -> None:
        where = urlsplit(endpoint_url)
        self._address = (where.hostname, where.port)
        self._name: bytes | None = None
        self._stopped, self._opened = asyncio.Event(), asyncio.Event()
        self._relays: set[asyncio.Task[None]] = set()
        self._is_cut = False

    async def __aenter__(self) -> "BucketGate":
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.url = "http://{}:{}".format(*self._server.sockets[0].getsockname())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        await self.cut()

    def close(self, key: str) -> None:
        """Stop in the middle of this object."""
        self._name = quote(key).encode()
        self._stopped.clear()
        self._opened.clear()

    def open(self) -> None:
        """Let everything pass."""
        self._is_cut = False
        self._opened.set()

    async def cut(self) -> None:
        """Break all connections, and take none until it opens."""
        self._is_cut = True
        relays = list(self._relays)
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    async def until_reading(self, seconds: float = 60) -> None:
        """The service has the first bytes of the object, and waits for more."""
        await asyncio.wait_for(self._stopped.wait(), seconds)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.close()
            return
        relay = asyncio.create_task(self._relay(reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A small buffer, so that the server cannot have sent the whole object already.
        upstream = socket.socket()
        upstream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.BUFFER_BYTES)
        upstream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(upstream, self._address)
        answers, requests = await asyncio.open_connection(sock=upstream, limit=self.BUFFER_BYTES)
        passage = _Passage()
        try:
            with suppress(OSError):
                await asyncio.gather(
                    self._pass_requests(reader, requests, passage), self._pass_answers(answers, writer, passage)
                )
        finally:
            requests.close()
            writer.close()

    async def _pass_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passage: "_Passage"
    ) -> None:
        while data := await reader.read(self.BUFFER_BYTES):
            passage.is_watched = bool(self._name) and data.startswith(b"GET ") and self._name in data.split(b"\r\n")[0]
            passage.count = 0
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _pass_answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passage: "_Passage"
    ) -> None:
        while data := await reader.read(self.BUFFER_BYTES):
            writer.write(data)
            await writer.drain()
            passage.count += len(data)
            if passage.is_watched and passage.count > self.PASSED_BYTES:
                self._stopped.set()
                await self._opened.wait()
        writer.close()


@dataclass
class _Passage:
    """What passes one connection: whether it is the object's, and how many bytes of the answer are through."""

    is_watched: bool = False
    count: int = 0
