"""What the registry does by the clock: the sweep, deliveries, the waybills, and what has to stand before it begins."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from chassis import Job, NotNow, Pool, find_job, lock_lane, put_job
from chassis.jobs import TIMER_LANE
from chassis.telemetry import FILES, MISSED, OPEN_REJECTS, stage
from waybill_contracts.declaration import Declaration, DeclarationError
from waybill_contracts.declaration_yaml import parse_declaration

from registry.domain.arrivals import Found, ObjectVersion, in_order
from registry.domain.deliveries import (
    MAX_MANIFEST_BYTES,
    Delivery,
    Named,
    Unusable,
    awaited,
    belongs,
    check_named,
    check_parts,
    common_prefix,
    named_keys,
    newest,
    prefixes,
)
from registry.domain.listing import Change, presence_changes, unknown_versions
from registry.domain.routes import Ignored, Route, Routes, shown
from registry.domain.waybill import render, waybill_key
from registry.files import Files
from registry.files.contents import newest_versions, read_object
from registry.store import corrections, datasets, deliveries, removals, routing, sweeping
from registry.store import files as rows
from registry.store.declaring import declare, set_inference
from registry.store.registration import announce, register, register_delivery
from registry.store.waybills import last_change, read_story

SWEEP_CHUNK = 500
SWEEP_LIMIT = 20_000
"""Unknown versions that one sweep registers at most, the oldest of them; the next sweep takes the next."""


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
    await deliveries.wake_all(db)
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
            await bucket.each(partial(_write_part, db=db, bucket=bucket), story.file["parts"])
            is_overtaken = await last_change(db, file_id) != story.file["changed_at"]


async def _write_part(part: Mapping[str, Any], *, db: Pool, bucket: Files) -> None:
    """A part says of which delivery it is, and how that stands."""
    story = await read_story(db, UUID(part["file_id"]))
    await bucket.put_waybill(waybill_key(story.file), render(story.file, story.history, bucket.output_bucket))


async def take_delivery(job: Job, *, db: Pool, files: Files) -> None:
    """Register the delivery once all of its files are there, or write down why it is not."""
    delivery = await deliveries.find_open(db, UUID(job.payload["file_id"]))
    if delivery is None:
        return
    try:
        parts, missing = await _look(delivery, db, files.beside(delivery.bucket))
        if missing:
            await _wait(job, delivery, awaited(missing, len(parts) + len(missing)), missing, db)
            # What came while we looked woke nobody, for nobody knew that it was missing.
            if not await deliveries.is_any_here(db, delivery, missing):
                return
            parts, missing = await _look(delivery, db, files.beside(delivery.bucket))
    except Unusable as why:
        await _wait(job, delivery, str(why), None, db)
        return
    if missing:
        await _wait(job, delivery, awaited(missing, len(parts) + len(missing)), missing, db)
        return
    found = await _find_unknown(parts, db, files)
    async with job.step(db) as tx:
        if not await register_delivery(tx, delivery, parts, found):
            raise NotNow(f"{delivery.dataset} changed while the files of {delivery.key} were looked up")
    FILES.labels(source=delivery.found_by, status="REGISTERED").inc()


async def _wait(job: Job, delivery: Delivery, reason: str, missing: Sequence[str] | None, db: Pool) -> None:
    async with job.step(db) as tx:
        await deliveries.note(tx, delivery, reason, missing)


async def _look(delivery: Delivery, db: Pool, files: Files) -> tuple[list[ObjectVersion], list[str]]:
    """The files that the delivery tells of and that are new, and the keys of those that are not there."""
    async with db.acquire() as tx, tx.transaction():
        routes = (await routing.share(tx)).routes
        declaration = await datasets.newest_declaration(tx, delivery.dataset)
    (route,) = routes.route([delivery])
    if isinstance(route, Ignored) or not route.tells or declaration is None:
        raise Unusable("it tells of no delivery as its dataset is declared now")
    if route.told_by == "manifest":
        parts, missing = await _named(delivery, route, routes, files)
    else:
        under = prefixes(declaration, delivery.bucket, route.captures)
        parts, missing = await _marked(route, routes, under, files), []
    if missing:
        return parts, missing
    taken = await deliveries.find_taken(db, parts)
    new = [part for part in parts if part.name not in taken]
    check_parts(new, route.told_by or "")
    others = [part for part in parts if part.name in taken]
    if left_out := await deliveries.find_left_out(db, new, others, is_whole=declaration.mode == "snapshot"):
        raise Unusable(
            f"it would leave out {shown(left_out.key)}, which did not change since {left_out.delivery}"
            f" ({left_out.state}): send all files of that delivery again, then the {route.told_by}"
        )
    return new, []


async def _marked(marker: Route, routes: Routes, prefixes: Sequence[str], files: Files) -> list[ObjectVersion]:
    """What lies in the bucket now and belongs to the marker, in byte order of keys."""
    found: list[ObjectVersion] = []
    for prefix in prefixes:
        async for versions in newest_versions(files, prefix):
            routed = zip(versions, routes.route(versions), strict=True)
            found += [version for version, route in routed if belongs(route, marker)]
    return sorted(found, key=lambda version: version.key.encode())


async def _named(
    delivery: Delivery, manifest: Route, routes: Routes, files: Files
) -> tuple[list[ObjectVersion], list[str]]:
    """What lies in the bucket now of what the manifest names, and the keys of what does not, in its order."""
    if delivery.size > MAX_MANIFEST_BYTES:
        raise Unusable(f"the manifest has {delivery.size} bytes; at most {MAX_MANIFEST_BYTES} are read")
    keys = named_keys(delivery.key, await read_object(files, delivery.key, delivery.version_id))
    named = [Named(delivery.bucket, key, delivery.last_modified) for key in keys]
    check_named(keys, routes.route(named), manifest)
    wanted, found = set(keys), list[ObjectVersion]()
    async for versions in newest_versions(files, common_prefix(keys)):
        found += [version for version in versions if version.key in wanted]
    check_named([version.key for version in found], routes.route(found), manifest)
    return newest(found, keys)


async def _find_unknown(parts: Sequence[ObjectVersion], db: Pool, files: Files) -> list[Found]:
    """Those that no notification told of yet, with their senders."""
    known = await rows.find_known(db, [part.name for part in parts])
    unknown = [part for part in parts if part.name not in known]
    senders = await files.each(files.find_sender, unknown)
    return [Found(version, "sweep", sender) for version, sender in zip(unknown, senders, strict=True)]


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
