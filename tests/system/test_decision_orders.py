"""A release and a refusal of the same attempt: registry and ingestor agree in the end, whoever hears what first."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from chassis import JobKind, emit
from chassis.claim import claim
from chassis.database import Pool
from chassis.sql import sql
from chassis.testing import fresh_schema, outbox
from ingestor.handlers import note_registered_file, refuse_held_file
from registry.handlers import note_held_file, note_outcome, note_refused_file, take_decision
from registry.store.registration import announce
from stack.namespaces import Reachable
from waybill_contracts import (
    Column,
    DecisionRequested,
    Declaration,
    Event,
    FileHeld,
    FileRegistered,
    RecordsIngested,
    uuid7,
)

DECLARED = Declaration(organisation="acme", table="orders", key=("id",), columns={"id": Column(type="integer")})
HANDLERS: dict[tuple[str, str], Callable[..., Awaitable[None]]] = {
    ("ingestor", "FileRegistered"): note_registered_file,
    ("ingestor", "DecisionRequested"): refuse_held_file,
    ("registry", "DecisionRequested"): take_decision,
    ("registry", "FileHeld"): note_held_file,
    ("registry", "FileRefused"): note_refused_file,
    ("registry", "RecordsIngested"): note_outcome,
}


CHASSIS = ("jobs", "lanes", "inbox", "outbox")
TABLES = {
    "registry": (*CHASSIS, "decisions", "file_audit", "files", "declarations", "datasets"),
    "ingestor": (*CHASSIS, "datasets"),
}


@pytest.fixture(scope="module")
async def schemas(stack: Reachable) -> AsyncIterator[dict[str, Pool]]:
    dsn = stack.environment()["WAYBILL_POSTGRES__DSN"]
    async with fresh_schema(dsn, "registry.migrations") as registry, fresh_schema(dsn, "ingestor.migrations") as mine:
        yield {"registry": registry, "ingestor": mine}


async def unused(_: Any) -> None:
    raise AssertionError("the test drives the job itself")


@dataclass
class World:
    """Both services, and the messages that are on their way; a step is a delivery, or an attempt of the ingestor."""

    schemas: dict[str, Pool]
    waits_as: str
    decided_by: str | None
    choices: list[int]
    widths: list[int] = field(default_factory=list)
    under_way: list[tuple[str, Event]] = field(default_factory=list)
    heard: dict[str, int] = field(default_factory=lambda: {"registry": 0, "ingestor": 0})

    async def begin(self) -> None:
        for service, tables in TABLES.items():
            for table in tables:
                await self.schemas[service].execute(sql("DELETE FROM {table}", table=table))
        self.file_id = uuid7()
        async with self.schemas["registry"].acquire() as tx, tx.transaction():
            await tx.execute(
                "INSERT INTO datasets (dataset, organisation, table_name, declaration_version, last_arrival)"
                " VALUES ('acme/orders', 'acme', 'orders', 1, 1)"
            )
            await tx.execute(
                "INSERT INTO declarations (dataset, version, body, who) VALUES ('acme/orders', 1, $1, 'zoe')",
                DECLARED.model_dump(mode="json"),
            )
            await tx.execute(
                """
                INSERT INTO files (file_id, bucket, key, version_id, size, etag, last_modified, found_by, organisation,
                    table_name, dataset, arrival, registration, cause, declaration_version, state)
                VALUES ($1, 'landing', 'acme/orders/a.csv', 'v', 1, 'e', now(), 'sweep', 'acme', 'orders',
                    'acme/orders', 1, 1, 'new', 1, 'REGISTERED')
                """,
                self.file_id,
            )
            await announce(tx, [self.file_id])
        await self.listen()
        await self.deliver(*self.under_way.pop())
        await self.attempt()
        await self.listen()
        # A policy releases where otherwise somebody does.
        asked = ([] if self.decided_by else [("release", ["registry"])]) + [("refuse", ["registry", "ingestor"])]
        for verb, services in asked:
            request = DecisionRequested(
                organisation="acme", table="orders", file_id=self.file_id, attempt=1, decision=verb, user=verb
            )
            self.under_way += [(service, request) for service in services]

    async def listen(self) -> None:
        """What was emitted since is on its way to the other service."""
        for service, other in (("registry", "ingestor"), ("ingestor", "registry")):
            events = await outbox(self.schemas[service])
            self.under_way += [(other, event) for event in events[self.heard[service] :]]
            self.heard[service] = len(events)

    async def deliver(self, service: str, event: Event) -> None:
        await HANDLERS[service, type(event).__name__](event, db=self.schemas[service])

    async def attempt(self) -> None:
        """The ingestor's next attempt: the first is held, the others take effect."""
        db = self.schemas["ingestor"]
        job = await claim(db, JobKind("ingest", run=unused), 30)
        assert job
        file = FileRegistered.model_validate(job.payload)
        async with job.step(db) as tx:
            if job.attempt == 1:
                await emit(tx, held(file, self.waits_as == "HELD", self.decided_by))
                await job.end(tx, self.waits_as)
            else:
                await emit(tx, ingested(file, job.attempt))
                await job.end(tx, "DONE")

    async def run(self) -> tuple[Any, ...]:
        """Follow the choices, then the first of each; how it ended."""
        await self.begin()
        while options := len(self.under_way) + await self.queued_jobs():
            step = len(self.widths)
            self.widths.append(options)
            choice = self.choices[step] if step < len(self.choices) else 0
            if choice < len(self.under_way):
                await self.deliver(*self.under_way.pop(choice))
            else:
                await self.attempt()
            await self.listen()
        return await self.end()

    async def queued_jobs(self) -> int:
        return int(await self.schemas["ingestor"].fetchval("SELECT count(*) FROM jobs WHERE state = 'QUEUED'"))

    async def end(self) -> tuple[Any, ...]:
        job = await self.schemas["ingestor"].fetchval("SELECT state FROM jobs")
        db = self.schemas["registry"]
        taken = await db.fetch("SELECT decision FROM decisions WHERE accepted ORDER BY at")
        return await db.fetchval("SELECT state FROM files"), job, *[row["decision"] for row in taken]


def held(file: FileRegistered, blocks: bool, decided_by: str | None) -> FileHeld:
    return FileHeld.model_validate(
        {
            **{name: getattr(file, name) for name in ("organisation", "table", "file_id", "registration")},
            "attempt": 1,
            "holds": [{"code": "late", "reason": "it is late"}],
            "blocks": blocks,
            "decided_by": decided_by,
        }
    )


def ingested(file: FileRegistered, attempt: int) -> RecordsIngested:
    names = ("bucket", "object_key", "version_id", "size")
    return RecordsIngested.model_validate(
        {
            **{name: getattr(file, name) for name in ("organisation", "table", "file_id", "arrival", "registration")},
            "attempt": attempt,
            "position": 1,
            "sha256": "0" * 64,
            "key": ["id"],
            "rule_version": 1,
            "columns": [{"name": "id", "type": "integer"}],
            "batches": [],
            "rows": {},
            "source": {name: getattr(file, name) for name in names} | {"registered_at": file.last_modified},
        }
    )


def next_choices(choices: list[int], widths: list[int]) -> list[int] | None:
    """The next way through, as an odometer turns; None after the last."""
    taken = choices + [0] * (len(widths) - len(choices))
    for step in reversed(range(len(widths))):
        if taken[step] + 1 < widths[step]:
            return [*taken[:step], taken[step] + 1]
    return None


@pytest.mark.parametrize(("waits_as", "decided_by"), [("HELD", None), ("LATE", None), ("HELD", "a policy")])
async def test_both_services_agree_whatever_order_the_decisions_are_heard_in(
    schemas: dict[str, Pool], waits_as: str, decided_by: str | None
) -> None:
    ends: dict[tuple[Any, ...], int] = {}
    choices: list[int] | None = []
    while choices is not None:
        world = World(schemas, waits_as, decided_by, choices)
        end = await world.run()
        ends[end] = ends.get(end, 0) + 1
        choices = next_choices(choices, world.widths)
    assert set(ends) == {("INGESTED", "DONE", "release"), ("REFUSED", "REFUSED", "refuse")}
