"""Attempts at files: the next arrival of a dataset takes effect, is skipped, waits, is refused, or fails."""

import hashlib

from chassis import Job, Pool
from chassis.telemetry import stage
from records.errors import FileFault

from ingestor.documents import Documents
from ingestor.domain.guard import check_drift, judge_shares
from ingestor.domain.holds import LATE, NOT_ITS_FILE, NOT_NEWEST, Held, Reason, Refused
from ingestor.files.bucket import Bucket, TruncatedObject
from ingestor.files.parts import Part
from ingestor.files.workspace import Workspaces
from ingestor.jobs.attempt import Attempt, Stores, begin
from ingestor.jobs.comparing import Changes, compare
from ingestor.jobs.endings import fail, finish, hold, refuse, skip
from ingestor.jobs.reading import complete, identify, read, type_and_judge
from ingestor.jobs.removing import end_records
from ingestor.jobs.threads import ahead, beside
from ingestor.jobs.unpacking import unpack
from ingestor.jobs.writing import write


async def ingest_next_file(job: Job, *, db: Pool, bucket: Bucket, documents: Documents, workspaces: Workspaces) -> None:
    """One attempt at a file; whatever comes of it is said in one transaction."""
    stores = Stores(db, bucket, documents)
    with workspaces.open(job.lane, job.attempt) as folder:
        attempt = await begin(job, db, folder)
        try:
            await take_in(attempt, stores)
        except Held as held:
            await hold(attempt, stores, held)
        except Refused as refused:
            await refuse(attempt, stores, refused)
        except FileFault as fault:
            await fail(attempt, stores, fault)


async def take_in(attempt: Attempt, stores: Stores) -> None:
    """The steps of an attempt, in this order; heads and positions move only in the last."""
    check_late(attempt)
    check_subject(attempt)
    with stage("ingestor", "fetch"):
        sha256 = await fetch(attempt, stores.bucket)
    if twin := attempt.find_twin(sha256):
        await skip(attempt, stores, twin)
        return
    with stage("ingestor", "compare"):
        changes = await (end_records if attempt.file.removes else read_and_compare)(attempt, stores)
    guard(changes, attempt)
    with stage("ingestor", "write"):
        batches = await write(changes, attempt, stores)
    with stage("ingestor", "finish"):
        await finish(attempt, stores, changes, batches, sha256)


async def read_and_compare(attempt: Attempt, stores: Stores) -> Changes:
    """The file's rows, strictly read, typed, judged and identified, against the heads of their keys."""
    await unpack(attempt)
    await beside(attempt.is_small, complete, attempt)
    # Lazy: comparing asks for the rows, and each block passes these steps when it is asked for.
    typed = type_and_judge(read(attempt), attempt)
    rows = identify(typed if attempt.is_small else ahead(typed), attempt)
    return await compare(rows, attempt, stores)


async def fetch(attempt: Attempt, bucket: Bucket) -> str:
    """What is to be read on the local disk, whole; its SHA-256, of a delivery that of its parts' digests in order.

    Of a removed object there is nothing to read.
    """
    if attempt.file.removes:
        return hashlib.sha256().hexdigest()
    digests = [await _fetch_part(part, attempt.file.bucket, bucket) for part in attempt.parts]
    return hashlib.sha256(bytes.fromhex("".join(digests))).hexdigest() if attempt.file.parts else digests[0]


async def _fetch_part(part: Part, name: str, bucket: Bucket) -> str:
    with part.named_in_faults():
        size, sha256 = await bucket.fetch(name, part.key, part.version_id, part.path)
    if size != part.size:
        raise TruncatedObject(part.named(f"{size} of {part.size} bytes arrived"))
    return sha256


def check_late(attempt: Attempt) -> None:
    """Raises where a late file is not taken; it is not looked into, and nobody waits for it."""
    if not attempt.file.late or LATE in attempt.accepted:
        return
    text = "it is older than a file of its dataset that came before it"
    match attempt.declaration.when_late:
        case "hold":
            facts = {"last_modified": attempt.file.last_modified.isoformat(), "order": attempt.file.order}
            raise Held([Reason(LATE, text, facts)], blocks=False)
        case "refuse":
            raise Refused(LATE, text)


def check_subject(attempt: Attempt) -> None:
    """Raises where a correction does not belong here, or comes when its file is not the newest word any more."""
    file, subject = attempt.file, attempt.subject
    if not file.corrects:
        return
    if subject.position is None or subject.position.removes:
        text = (
            f"no file {file.corrects} has taken effect in {file.dataset}: a correction goes to the dataset of its file"
        )
        raise Refused(NOT_ITS_FILE, text)
    original = subject.position.corrects or subject.position.file_id
    if attempt.declaration.mode == "snapshot" and subject.newest_file_id != original:
        text = f"file {original} is not the newest snapshot any more: correct the newest one, or send a new one"
        raise Refused(NOT_NEWEST, text)


def guard(changes: Changes, attempt: Attempt) -> None:
    """Raises where the file may not take effect, or not before somebody decides."""
    check_drift(attempt.dataset, attempt.newest, attempt.declaration)
    guards, keyless = attempt.declaration.guards, changes.keyless_rejects
    reasons = judge_shares(changes.rows, changes.absent, keyless, guards, attempt.rejects.mistyped)
    if any(reason.code not in attempt.accepted for reason in reasons):
        raise Held(reasons, rows=changes.rows)
