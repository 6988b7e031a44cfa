"""Knows every file there ever was, and where each one stands."""

from collections.abc import Awaitable, Callable
from functools import partial

from chassis import JobKind, Pool, open_pool
from chassis.app import Service, run
from chassis.settings import load
from waybill_contracts import (
    DecisionRequested,
    DeclarationRequested,
    FileFailed,
    FileGone,
    FileHeld,
    FileLoaded,
    FileRefused,
    FileRegistered,
    FileSkipped,
    RecordsIngested,
    RetryRequested,
)

from registry.files import Files
from registry.handlers import (
    accept_declaration,
    note_held_file,
    note_outcome,
    note_refused_file,
    register_drops,
    request_retry,
    take_decision,
)
from registry.jobs import (
    apply_inference,
    prepare_buckets,
    sweep,
    sweep_at_start,
    take_declarations,
    take_delivery,
    write_waybill,
)
from registry.settings import Settings


def service(db: Pool, files: Files, settings: Settings) -> Service:
    """The registry, wired."""
    outcome = partial(note_outcome, db=db)
    return Service(
        name="registry",
        migrations="registry.migrations",
        batches={"bucket-notifications": partial(register_drops, db=db, files=files)},
        handles={
            RecordsIngested: outcome,
            FileSkipped: outcome,
            FileHeld: partial(note_held_file, db=db),
            FileRefused: partial(note_refused_file, db=db),
            FileFailed: outcome,
            FileLoaded: outcome,
            RetryRequested: partial(request_retry, db=db),
            DecisionRequested: partial(take_decision, db=db),
            DeclarationRequested: partial(accept_declaration, db=db),
        },
        jobs=_jobs(db, files, settings),
        emits=[FileRegistered, FileGone],
        probes={"s3": files.ping},
        start=_start(db, files, settings),
    )


def _jobs(db: Pool, files: Files, settings: Settings) -> list[JobKind]:
    return [
        JobKind(
            "sweep",
            run=partial(
                sweep,
                db=db,
                files=files,
                grace_seconds=settings.sweep_grace_seconds,
                silent_seconds=settings.announce_again_seconds,
            ),
            every=settings.sweep_seconds,
        ),
        JobKind("waybill", run=partial(write_waybill, db=db, files=files), dense=False),
        JobKind("delivery", run=partial(take_delivery, db=db, files=files), dense=False),
    ]


def _start(db: Pool, files: Files, settings: Settings) -> list[Callable[[], Awaitable[None]]]:
    """What comes before the first message; what is declared before what is to be found."""
    return [
        partial(prepare_buckets, files=files, target=settings.notification_target, is_managed=settings.manage),
        partial(take_declarations, db=db, folder=settings.datasets),
        partial(apply_inference, db=db, infers=settings.infer),
        partial(sweep_at_start, db=db),
    ]


async def main() -> None:
    """Serve until told to stop."""
    settings = load(Settings)
    async with (
        open_pool(settings.postgres.dsn, settings.names.schema("registry")) as db,
        Files.open(settings.s3.endpoint_url, *settings.s3.all_buckets) as files,
    ):
        await run(service(db, files, settings), settings, db)
