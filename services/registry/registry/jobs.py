"""What the registry does by the clock: the sweep, the waybills, and what has to stand before it begins."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import structlog
from chassis import Job, Pool, find_job, lock_lane, put_job
from chassis.jobs import TIMER_LANE
from chassis.telemetry import FILES, MISSED, stage
from prometheus_client import Gauge
from waybill_contracts.declaration import Declaration, DeclarationError
from waybill_contracts.declaration_yaml import parse_declaration

from registry.domain.arrivals import Found, ObjectVersion, in_order
from registry.domain.listing import Change, presence_changes, unknown_versions
from registry.domain.waybill import render, waybill_key
from registry.files import Files
from registry.store import corrections, datasets, removals, sweeping
from registry.store.declaring import declare, set_inference
from registry.store.registration import announce, register
from registry.store.waybills import last_change, read_story

SWEEP_CHUNK = 500
SWEEP_LIMIT = 20_000
"""Unknown versions that one sweep registers at most, the oldest of them; the next sweep takes the next."""

OPEN_REJECTS = Gauge("waybill_rejects_open_rows", "Rejected rows that nothing corrected yet", ["organisation", "table"])

log = structlog.get_logger()
_told: set[tuple[str, str]] = set()
"""Of which datasets open rejects were told."""


async def sweep(job: Job, *, db: Pool, files: Files, grace_seconds: float, silent_seconds: float) -> None:
    """Register what notifications missed, see what is gone, and announce again what nobody answered."""
    unknown: list[ObjectVersion] = []
    before = datetime.now(UTC) - timedelta(seconds=grace_seconds)
    for bucket in files.all.values():
        async for page in bucket.pages():
            known = await sweeping.known_between(db, bucket.bucket, page.after, page.upto)
            await _note_presence(job, presence_changes(page, known), db, bucket)
            unknown = in_order([*unknown, *unknown_versions(page, known, before)])[:SWEEP_LIMIT]
    for start in range(0, len(unknown), SWEEP_CHUNK):
        await _register(job, unknown[start : start + SWEEP_CHUNK], db, files)
    MISSED.inc(await sweeping.mark_missed(db, grace_seconds))
    async with job.step(db) as tx:
        await announce(tx, await sweeping.take_silent(tx, silent_seconds))
    _tell_open_rejects(await corrections.open_rejects(db))


def _tell_open_rejects(found: Mapping[tuple[str, str], int]) -> None:
    """How many each dataset has; a dataset whose last one was closed is told as 0."""
    _told.update(found)
    for names in _told:
        OPEN_REJECTS.labels(*names).set(found.get(names, 0))


async def _register(job: Job, versions: Sequence[ObjectVersion], db: Pool, files: Files) -> None:
    senders = await files.each(files.find_sender, versions)
    found = [Found(version, "sweep", sender) for version, sender in zip(versions, senders, strict=True)]
    async with job.step(db) as tx:
        entries = await register(tx, found)
    for entry in entries:
        FILES.labels(source="sweep", status="IGNORED" if entry.is_ignored else "REGISTERED").inc()


async def _note_presence(job: Job, changes: Sequence[Change], db: Pool, files: Files) -> None:
    """A listing may be older than the registry, so each change is confirmed at the object itself."""
    presences, absent = await files.look(changes)
    if not presences:
        return
    async with job.step(db) as tx:
        done = await removals.note_presence(tx, files.bucket, presences, absent)
    for file in done.alerts:
        log.warning("object removed, its records stay", file=file.name, key=file.key)
    FILES.labels(source="sweep", status="REGISTERED").inc(len(done.ended))


async def write_waybill(job: Job, *, db: Pool, files: Files) -> None:
    """Write the file's waybill as the file stands now, also when it changes meanwhile."""
    file_id = UUID(job.payload["file_id"])
    is_overtaken = True
    with stage("registry", "waybill"):
        while is_overtaken:
            story = await read_story(db, file_id)
            bucket = files.beside(story.file["bucket"])
            await bucket.put_waybill(waybill_key(story.file), render(story.file, story.history, bucket.output_bucket))
            is_overtaken = await last_change(db, file_id) != story.file["changed_at"]


async def prepare_buckets(*, files: Files, target: str, is_managed: bool) -> None:
    """The buckets are as the registry needs them: made so, or checked and what is missing named."""
    if is_managed:
        await files.make_buckets(target)
    await files.check_buckets()


async def sweep_at_start(*, db: Pool) -> None:
    """A sweep is due now, whatever was lost while the registry was down; one that runs is left alone."""
    async with db.acquire() as tx, tx.transaction():
        await lock_lane(tx, "sweep", TIMER_LANE, owner=TIMER_LANE)
        job = await find_job(tx, "sweep", TIMER_LANE, 1)
        if job is None or job.state != "RUNNING":
            await put_job(tx, "sweep", TIMER_LANE, 1, {})


async def apply_inference(*, db: Pool, infers: bool) -> None:
    """Datasets that nobody declared are taken in from now on, and what waited of them, or they are not."""
    async with db.acquire() as tx, tx.transaction():
        await set_inference(tx, infers)


async def take_declarations(*, db: Pool, folder: Path | None) -> None:
    """Accept the declarations of the folder that changed since they were last taken; keep and log what is wrong."""
    taken = await datasets.taken_digests(db)
    for path in await asyncio.to_thread(_yaml_files, folder):
        content = await asyncio.to_thread(path.read_bytes)
        digest = hashlib.sha256(content).hexdigest()
        if taken.get(path.name) != digest:
            await _take(db, path.name, content, digest)


def _yaml_files(folder: Path | None) -> list[Path]:
    return [] if folder is None else sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))


async def _take(db: Pool, name: str, content: bytes, digest: str) -> None:
    declaration, problems = _parse(name, content)
    async with db.acquire() as tx, tx.transaction():
        if declaration:
            refusal = await declare(tx, declaration, f"folder: {name}", None)
            problems = [f"{name}: {refusal}"] if refusal else []
        await datasets.note_taken(tx, name, digest, declaration.dataset if declaration else None, problems)
    for problem in problems:
        log.error("declaration not taken", problem=problem)


def _parse(name: str, content: bytes) -> tuple[Declaration | None, list[str]]:
    try:
        return parse_declaration(content.decode("utf-8", "surrogateescape"), name), []
    except DeclarationError as error:
        return None, error.problems
