"""Attempts at files: the next arrival of a dataset takes effect, is skipped, or fails with its reason."""

from chassis import Job, Pool
from chassis.telemetry import stage
from records.errors import FileFault

from ingestor.documents import Documents
from ingestor.domain.guard import check_drift, check_rejects
from ingestor.files.bucket import Bucket, TruncatedObject
from ingestor.files.workspace import Workspaces
from ingestor.jobs.attempt import Attempt, Stores, begin
from ingestor.jobs.comparing import Changes, compare
from ingestor.jobs.endings import fail, finish, skip
from ingestor.jobs.reading import identify, read, type_and_judge
from ingestor.jobs.threads import ahead
from ingestor.jobs.writing import write


async def ingest_next_file(job: Job, *, db: Pool, bucket: Bucket, documents: Documents, workspaces: Workspaces) -> None:
    """One attempt at a file; whatever comes of it is said in one transaction."""
    stores = Stores(db, bucket, documents)
    with workspaces.open(job.lane, job.attempt) as folder:
        attempt = await begin(job, db, folder)
        try:
            await take_in(attempt, stores)
        except FileFault as fault:
            await fail(attempt, stores, fault)


async def take_in(attempt: Attempt, stores: Stores) -> None:
    """The steps of an attempt, in this order; heads and positions move only in the last."""
    with stage("ingestor", "fetch"):
        sha256 = await fetch(attempt, stores.bucket)
    if twin := attempt.find_twin(sha256):
        await skip(attempt, stores, twin)
        return
    with stage("ingestor", "compare"), attempt.content.open("rb") as source:
        # Lazy: comparing asks for the rows, and each block passes these steps when it is asked for.
        texts = read(source, attempt.file.size, attempt.declaration)
        typed = type_and_judge(texts, attempt.declaration, attempt.rejects)
        rows = identify(typed if attempt.is_small else ahead(typed), attempt.declaration.key, attempt.types)
        changes = await compare(rows, attempt, stores)
    guard(changes, attempt)
    with stage("ingestor", "write"):
        batches = await write(changes, attempt, stores)
    with stage("ingestor", "finish"):
        await finish(attempt, stores, changes, batches, sha256)


async def fetch(attempt: Attempt, bucket: Bucket) -> str:
    """The object's version on the local disk, whole; its SHA-256."""
    file = attempt.file
    size, sha256 = await bucket.fetch(file.bucket, file.object_key, file.version_id, attempt.content)
    if size != file.size:
        raise TruncatedObject(f"{size} of {file.size} bytes arrived")
    return sha256


def guard(changes: Changes, attempt: Attempt) -> None:
    """Raises where the file may not take effect."""
    check_drift(attempt.dataset, attempt.newest, attempt.declaration)
    check_rejects(changes.rows, attempt.declaration.guards)
