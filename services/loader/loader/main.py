"""Appends the versions of finished files to the log and applies each file to the current table, all at once."""

from functools import partial

from chassis import JobKind, Pool, open_pool
from chassis.app import Service, run
from chassis.settings import load
from waybill_contracts import FileLoaded, RecordsIngested, RetryRequested

from loader.documents import Documents
from loader.handlers import LOAD, note_ingested_file, retry_load
from loader.jobs import load_next_file
from loader.settings import Settings


def service(warehouse: Pool, documents: Documents, settings: Settings) -> Service:
    """The loader, wired."""
    names = settings.names
    return Service(
        name="loader",
        migrations="loader.migrations",
        handles={
            RecordsIngested: partial(note_ingested_file, warehouse=warehouse),
            RetryRequested: partial(retry_load, warehouse=warehouse),
        },
        jobs=[
            JobKind(
                LOAD,
                run=partial(load_next_file, warehouse=warehouse, documents=documents, names=names),
                # A position that failed holds up its dataset: positions take effect in order.
                passing=frozenset(),
                workers=settings.workers,
            )
        ],
        emits=[FileLoaded],
        probes={"mongodb": documents.ping},
    )


async def main() -> None:
    """Serve until told to stop."""
    settings = load(Settings)
    assert settings.mongo is not None
    # An apply takes two connections; messages and health need some beside.
    size = 2 * settings.workers + 6
    async with (
        open_pool(settings.dsn, settings.names.schema("loader"), size=size) as warehouse,
        Documents.open(settings.mongo.uri, settings.names) as documents,
    ):
        await run(service(warehouse, documents, settings), settings, warehouse)
