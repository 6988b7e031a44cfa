"""A service as a process: health while it waits, logs and figures while it works, and an end within ten seconds."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from stack.namespaces import Namespace
from waybill_contracts import FileGone
from waybill_contracts.codec import encode

SOURCE = """
import asyncio, time
from chassis import JobKind, emit, lock_lane, once, open_pool, put_job
from chassis.app import Service, run
from chassis.settings import Settings, load
from chassis.telemetry import log, stage
from waybill_contracts import FileGone, FileLoaded

async def main():
    settings = load(Settings)
    async with open_pool(settings.dsn, settings.names.schema("smoke")) as db:

        async def note(event):
            async with once(db, event) as tx:
                await lock_lane(tx, "slow", event.dataset, owner=event.organisation)
                await put_job(tx, "slow", event.dataset, 1, {})
            with stage("smoke", "note"):
                log.info("noted")

        async def slow(job):
            log.info("slow work begins")
            await asyncio.to_thread(time.sleep, 60)

        jobs = [JobKind("slow", run=slow)]
        service = Service("smoke", "chassis.migrations", handles={FileGone: note}, jobs=jobs, emits=[FileLoaded])
        await run(service, settings, db)

asyncio.run(main())
"""


class Running:
    """The service's process, its port and its log."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self.process, self.port, self._log = process, port, log

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def is_ready(self) -> bool:
        return self.get("/health/ready")[0] == 200


@pytest.fixture
def start(tmp_path: Path, namespace: Namespace) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []
    (tmp_path / "smoke_service.py").write_text(SOURCE)

    def begin(**changed: str) -> Running:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = {**os.environ, **namespace.environment, "WAYBILL_HTTP__PORT": str(port), **changed}
        log = tmp_path / f"{port}.log"
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / "smoke_service.py")], env=environment, stderr=log.open("wb")
        )
        started.append(Running(process, port, log))
        return started[-1]

    yield begin
    for each in started:
        each.process.kill()
        each.process.wait()


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.1)


async def publish(namespace: Namespace, event: FileGone) -> None:
    message = encode(event, source="/test", time=datetime.now(UTC), namespace=namespace.name)
    servers = namespace.environment["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"]
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        await producer.send_and_wait(message.topic, message.value, key=message.key, headers=message.headers)


def test_a_service_at_work_stops_within_ten_seconds_and_gives_its_job_back(
    start: Callable[..., Running], namespace: Namespace
) -> None:
    event = FileGone(organisation="acme", table="orders", file_id=uuid4(), presence="gone")
    service = start()
    until(service.is_ready)
    asyncio.run(publish(namespace, event))
    until(lambda: "slow work begins" in str(service.lines()))

    metrics = service.get("/metrics")[1]
    topic = f'topic="{namespace.name}.files"'
    assert f'consumer_group="{namespace.name}.smoke.files",outcome="done",{topic}}} 1.0' in metrics
    assert 'waybill_stage_seconds_count{service="smoke",stage="note"} 1.0' in metrics
    assert 'waybill_build_info{version="' in metrics

    stopped_at = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(15) == 0
    assert time.monotonic() - stopped_at < 10

    lines = {line["event"]: line for line in service.lines()}
    assert lines["noted"]["correlation_id"] == lines["slow work begins"]["correlation_id"] == str(event.file_id)
    assert lines["noted"]["dataset"] == "acme/orders"
    assert lines["slow work begins"]["attempt"] == 1

    again = start()
    until(lambda: "slow work begins" in str(again.lines()), seconds=10)


def test_a_service_waits_for_what_is_away_and_says_for_what(start: Callable[..., Running]) -> None:
    service = start(WAYBILL_POSTGRES__DSN="postgresql://waybill@127.0.0.1:9/waybill")
    until(lambda: service.get("/health/live")[0] == 200)
    until(lambda: "postgresql" in service.get("/health/ready")[1])
    status, body = service.get("/health/ready")
    assert status == 503
    assert "migrating the database" in body
    assert service.get("/elsewhere")[0] == 404
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(10) == 0


def test_topics_that_are_missing_are_named_where_they_are_not_ours_to_make(
    start: Callable[..., Running], namespace: Namespace
) -> None:
    service = start(WAYBILL_MANAGE="false")
    until(lambda: "topics are missing" in service.get("/health/ready")[1])
    for noun in ("files", "loads", "smoke.dead-letters"):
        assert f"{namespace.name}.{noun}" in service.get("/health/ready")[1]


def test_a_setting_that_is_wrong_ends_the_service_by_name(start: Callable[..., Running]) -> None:
    service = start(WAYBILL_POSTGRES__DSN="hush")
    assert service.process.wait(20) == 2
    said = service._log.read_text()
    assert said.startswith("setting WAYBILL_POSTGRES__DSN: ")
    assert "hush" not in said
