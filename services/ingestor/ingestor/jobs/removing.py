"""A file whose object was removed: the records whose newest version is from it end."""

from ingestor.domain.guard import has_too_many_deletes
from ingestor.domain.holds import DELETE_SHARE, Absent
from ingestor.files.spool import RowSpool
from ingestor.jobs.attempt import Attempt, Stores
from ingestor.jobs.comparing import Changes, delete_versions
from ingestor.store import absent


async def end_records(attempt: Attempt, stores: Stores) -> Changes:
    """What is left to change of a file that was removed: nothing where others have spoken since."""
    deletes, missing = RowSpool(attempt.folder / "deletes"), Absent()
    subject = attempt.subject.position
    if subject is not None:
        async with stores.db.acquire() as tx, tx.transaction():
            missing = await absent.count_of_attempt(tx, attempt.dataset.id, subject.attempt)
            if not has_too_many_deletes(missing, attempt.declaration.guards) or DELETE_SHARE in attempt.accepted:
                async for frame in absent.fetch_of_attempt(tx, attempt.dataset.id, subject.attempt):
                    deletes.add(delete_versions(frame))
    return Changes.of_deletes(attempt.folder, deletes, missing)
