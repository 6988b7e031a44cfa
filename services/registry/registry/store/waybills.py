"""All that is known of a file, for its waybill."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chassis import Pool


@dataclass(frozen=True)
class Story:
    """A file's row, its twin's name, and every change of its state."""

    file: dict[str, Any]
    history: list[dict[str, Any]]


async def read_story(db: Pool, file_id: UUID) -> Story:
    """The file as it stands now, read at one moment."""
    async with db.acquire() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        file = await tx.fetchrow(
            """
            SELECT f.*, twin.dataset || '#' || twin.arrival AS twin FROM files f
            LEFT JOIN files twin ON twin.file_id = f.twin_file_id WHERE f.file_id = $1
            """,
            file_id,
        )
        history = await tx.fetch(
            "SELECT at, who, from_state, to_state, why FROM file_audit WHERE file_id = $1 ORDER BY audit_id", file_id
        )
    if file is None:
        raise LookupError(f"no file {file_id}")
    return Story(dict(file), [dict(row) for row in history])
