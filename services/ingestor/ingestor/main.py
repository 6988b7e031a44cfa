"""Turns files into new versions of records."""

from functools import partial

from chassis import JobKind, Pool, open_pool
from chassis.app import Service, run
from chassis.settings import load
from waybill_contracts import (
    DecisionRequested,
    FileFailed,
    FileHeld,
    FileRefused,
    FileRegistered,
    FileSkipped,
    RecordsIngested,
)

from ingestor.documents import Documents
from ingestor.files.bucket import Bucket
from ingestor.files.workspace import Workspaces
from ingestor.handlers import note_registered_file, refuse_held_file
from ingestor.jobs import announce_exhausted, ingest_next_file, sweep_dead_attempts
from ingestor.settings import Settings


def service(db: Pool, bucket: Bucket, documents: Documents, workspaces: Workspaces, settings: Settings) -> Service:
    """The ingestor, wired."""
    return Service(
        name="ingestor",
        migrations="ingestor.migrations",
        handles={
            FileRegistered: partial(note_registered_file, db=db),
            DecisionRequested: partial(refuse_held_file, db=db),
        },
        jobs=[
            JobKind(
                "ingest",
                run=partial(ingest_next_file, db=db, bucket=bucket, documents=documents, workspaces=workspaces),
                exhausted=announce_exhausted,
                workers=settings.workers,
            ),
            JobKind(
                "sweep",
                run=partial(sweep_dead_attempts, db=db, documents=documents),
                every=settings.attempt_sweep_seconds,
            ),
        ],
        emits=[RecordsIngested, FileSkipped, FileHeld, FileRefused, FileFailed],
        probes={"mongodb": documents.ping, "s3": bucket.ping},
    )


async def main() -> None:
    """Serve until told to stop."""
    settings = load(Settings)
    async with (
        open_pool(settings.postgres.dsn, settings.names.schema("ingestor")) as db,
        Bucket.open(settings.s3.endpoint_url, settings.s3.bucket) as bucket,
        Documents.open(settings.mongo.uri, settings.names) as documents,
    ):
        with Workspaces.on(settings.spool) as workspaces:
            await run(service(db, bucket, documents, workspaces, settings), settings, db)
