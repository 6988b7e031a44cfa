"""What the registry does when something is dropped, decided or has happened elsewhere."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

import structlog
from chassis import Pool, Tx, Unprocessable, lock_lane, once, put_job
from chassis.intake import RawMessage
from chassis.telemetry import FILES, stage
from waybill_contracts import (
    DecisionRequested,
    DeclarationRequested,
    FileHeld,
    FileRefused,
    RecordsIngested,
    RetryRequested,
)

from registry.domain.arrivals import Entry, Found, ObjectVersion, Sender, in_order
from registry.domain.deciding import Decision
from registry.domain.notifications import (
    Hint,
    Unreadable,
    principals_by_version,
    read_notification,
    removed_keys,
    senders_by_version,
    versions_by_key,
)
from registry.domain.standing import FINAL, Outcome, is_overtaken, note, retry
from registry.files import Files
from registry.store import corrections, datasets, deliveries, removals, standings
from registry.store import files as rows
from registry.store.decisions import confirm_refusal, decide
from registry.store.declaring import declare
from registry.store.registration import announce, register

log = structlog.get_logger()


async def register_drops(messages: Sequence[RawMessage], *, db: Pool, files: Files) -> None:
    """Look at every key that is named, and register, in the order of the drops, the versions that are new there."""
    hints = [hint for message in messages for hint in _read(message) if hint.bucket in files.all]
    found = await _find_new(hints, db, files)
    with stage("registry", "register"):
        async with db.acquire() as tx, tx.transaction():
            entries = await register(tx, found)
    await rows.mark_notified(db, [(hint.bucket, hint.key, hint.version_id) for hint in hints])
    _count(entries)
    await deliveries.wake_completed(db, entries)
    for bucket, keys in removed_keys(hints).items():
        await _note_removed(bucket, keys, db, files)


async def _note_removed(bucket: str, keys: Collection[str], db: Pool, files: Files) -> None:
    """What the sweep would see of these keys, now."""
    presences, absent = await files.all[bucket].look(await removals.versions_to_look_at(db, bucket, keys))
    if not presences:
        return
    async with db.acquire() as tx, tx.transaction():
        done = await removals.note_presence(tx, bucket, presences, absent)
    for file in done.alerts:
        log.warning("object removed, its records stay", file=file.name, key=file.key)
    FILES.labels(source="notification", status="REGISTERED").inc(len(done.ended))


def _read(message: RawMessage) -> list[Hint]:
    try:
        return read_notification(message.value)
    except Unreadable as error:
        # A hint that cannot be read is as good as one that was lost: the sweep finds what it meant.
        log.warning("notification cannot be read", offset=message.offset, error=str(error))
        return []


async def _find_new(hints: Sequence[Hint], db: Pool, files: Files) -> list[Found]:
    listed: list[ObjectVersion] = []
    with stage("registry", "list"):
        for bucket, named in versions_by_key(hints).items():
            listed += await files.all[bucket].find_versions(named)
    versions = in_order(listed)
    known = await rows.find_known(db, [version.name for version in versions])
    new = [version for version in versions if version.name not in known]
    senders = await _find_senders(new, hints, files)
    return [Found(version, "notification", sender) for version, sender in zip(new, senders, strict=True)]


async def _find_senders(versions: Sequence[ObjectVersion], hints: Sequence[Hint], files: Files) -> list[Sender]:
    """Who sent each version: as its own notification tells, else as the object does, else whom the store saw."""
    told, seen = senders_by_version(hints), principals_by_version(hints)

    async def find(version: ObjectVersion) -> Sender:
        sender = told.get(version.name) or await files.find_sender(version)
        of_any = seen.get((version.bucket, version.key, None))
        return Sender(sender.user or seen.get(version.name) or of_any, sender.reason)

    with stage("registry", "head"):
        return await files.each(find, versions)


def _count(entries: Sequence[Entry]) -> None:
    for entry in entries:
        FILES.labels(source=entry.found.found_by, status="IGNORED" if entry.is_ignored else "REGISTERED").inc()


async def note_outcome(event: Outcome, *, db: Pool) -> None:
    """Note what became of a file in a store; a final state gets its waybill written."""
    async with once(db, event) as tx:
        file = await _lock_for(tx, event)
        after = note(file.standing, event)
        if after == file.standing:
            return
        await standings.change(tx, file, after, type(event).__name__, after.reason)
        if isinstance(event, RecordsIngested):
            await deliveries.note_parts(tx, event.parts)
            if event.corrects:
                await _note_correction(tx, file, event.corrects, event.closed_rejects)
        if after.state in FINAL:
            await _queue_waybill(tx, file)
    FILES.labels(source=file.found_by, status=after.state).inc()


async def _lock_for(tx: Tx, event: Outcome) -> standings.FileRow:
    if not isinstance(event, RecordsIngested):
        return await _lock(tx, event.file_id, event.dataset)
    others = [part.file_id for part in event.parts] + ([event.corrects] if event.corrects else [])
    if others:
        await corrections.lock_pair(tx, event.dataset, [event.file_id, *others])
    return await _lock(tx, event.file_id, event.dataset, event.position)


async def _note_correction(tx: Tx, file: standings.FileRow, corrects: UUID, closed: int) -> None:
    corrected = await corrections.close_rejects(tx, file, corrects, closed)
    if corrected and corrected.standing.state in FINAL:
        await _queue_waybill(tx, corrected)


async def note_held_file(event: FileHeld, *, db: Pool) -> None:
    """Note that the file waits for a decision; where a policy has one, it is carried out at once."""
    async with once(db, event) as tx:
        await datasets.lock_dataset(tx, event.dataset)
        file = await _lock(tx, event.file_id, event.dataset)
        after = note(file.standing, event)
        if after == file.standing or is_overtaken(event, file.registration):
            return
        await standings.change(tx, file, after, type(event).__name__, after.reason)
        held = replace(file, standing=after)
        if event.decided_by and not await decide(tx, held, Decision.by_policy(event, event.decided_by)):
            return
        await _queue_waybill(tx, file)
    FILES.labels(source=file.found_by, status=after.state).inc()


async def note_refused_file(event: FileRefused, *, db: Pool) -> None:
    """Note that the file does not take effect, and who decided so."""
    async with once(db, event) as tx:
        file = await _lock(tx, event.file_id, event.dataset)
        after = note(file.standing, event)
        if after == file.standing:
            return
        await standings.change(tx, file, after, event.user or type(event).__name__, after.reason)
        if event.user:
            await confirm_refusal(tx, file.file_id, event.attempt)
        await _queue_waybill(tx, file)
    FILES.labels(source=file.found_by, status=after.state).inc()


async def _queue_waybill(tx: Tx, file: standings.FileRow) -> None:
    # Lanes come after files in every transaction that holds both.
    await lock_lane(tx, "waybill", file.dataset, owner=file.organisation)
    await put_job(tx, "waybill", file.dataset, file.arrival, {"file_id": str(file.file_id)})


async def request_retry(event: RetryRequested, *, db: Pool) -> None:
    """Register the file once more, unless the request answers another attempt or state."""
    async with once(db, event) as tx:
        await datasets.lock_dataset(tx, event.dataset)
        file = await _lock(tx, event.file_id, event.dataset)
        after = retry(file.standing, event.attempt)
        if isinstance(after, str):
            # Whoever asks sees the reason in the file's audit; a failed load is the loader's to try again.
            return await standings.note_refusal(tx, file, event.user, f"retry refused: {after}")
        await standings.change(tx, file, after, event.user, event.reason or "retry")
        await standings.register_again(tx, file.file_id, as_declared_now=event.as_declared_now)
        return await announce(tx, [file.file_id])


async def take_decision(event: DecisionRequested, *, db: Pool) -> None:
    """Release the file that is held, with those behind it; a refusal is written down, and is the ingestor's to do."""
    async with once(db, event) as tx:
        await datasets.lock_dataset(tx, event.dataset)
        file = await _lock(tx, event.file_id, event.dataset)
        problem = await decide(tx, file, Decision.asked(event))
    if problem:
        log.warning("decision changes nothing", file_id=str(event.file_id), reason=problem)


async def accept_declaration(event: DeclarationRequested, *, db: Pool) -> None:
    """Take the declaration and register what waited for it; a refusal is an audit row with its reason."""
    async with once(db, event) as tx:
        problem = await declare(tx, event.declaration, event.user, event.reason)
    await deliveries.wake_all(db)
    if problem:
        log.warning("declaration refused", dataset=event.dataset, reason=problem)


async def _lock(tx: Tx, file_id: UUID, dataset: str, position: int | None = None) -> standings.FileRow:
    """The file under its lock; an event about a file that is not of that dataset can never be right."""
    if position is None:
        file = await standings.lock_file(tx, file_id, dataset)
    else:
        file = await standings.lock_file_at(tx, file_id, dataset, position)
    if file is None:
        raise Unprocessable(f"no file {file_id} is registered in {dataset}")
    return file
