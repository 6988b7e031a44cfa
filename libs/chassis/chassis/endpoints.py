"""The three pages a service serves: /health/live, /health/ready, /metrics; without a web framework, for idle cost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from chassis.health import Health
from chassis.settings import Http
from chassis.telemetry import log

REQUEST_SECONDS = 5.0
JSON = "application/json"

Page = tuple[int, str, bytes]
PHRASES = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


@asynccontextmanager
async def serve(http: Http, health: Health) -> AsyncIterator[int]:
    """Serve while the block runs; gives the port."""
    pages: dict[str, Callable[[], Page]] = {
        "/health/live": lambda: (200, JSON, b'{"alive":true}'),
        "/health/ready": lambda: _ready(health),
        "/metrics": lambda: (200, CONTENT_TYPE_LATEST, generate_latest()),
    }
    try:
        server = await asyncio.start_server(
            lambda reader, writer: _answer(reader, writer, pages), http.host, http.port or 0, limit=8192
        )
    except OSError as error:
        log.error("setting WAYBILL_HTTP__PORT: nothing can be served there", port=http.port, reason=error.strerror)
        raise SystemExit(2) from error
    port = int(server.sockets[0].getsockname()[1])
    log.info("serving health and metrics", host=http.host, port=port)
    try:
        yield port
    finally:
        server.close()


def _ready(health: Health) -> Page:
    reasons = health.reasons()
    return (503 if reasons else 200), JSON, orjson.dumps({"ready": not reasons, "reasons": reasons})


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pages: Mapping[str, Callable[[], Page]]
) -> None:
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        async with asyncio.timeout(REQUEST_SECONDS):
            status, kind, body = _page(await reader.readuntil(b"\r\n\r\n"), pages)
            head = (
                f"HTTP/1.1 {status} {PHRASES[status]}\r\nContent-Type: {kind}\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + body)
            await writer.drain()
    writer.close()


def _page(request: bytes, pages: Mapping[str, Callable[[], Page]]) -> Page:
    parts = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    if len(parts) != 3:
        return 400, "text/plain", b""
    if parts[0] != "GET":
        return 405, "text/plain", b""
    page = pages.get(parts[1].partition("?")[0])
    return page() if page else (404, "text/plain", b"")
