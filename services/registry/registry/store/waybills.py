"""All that is known of a file, for its waybill."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis import Pool


@dataclass(frozen=True)
class Story:
    """A file's row, the names of files that it refers to, what corrected it, and every change of its state."""

    file: dict[str, Any]
    history: list[dict[str, Any]]


async def read_story(db: Pool, file_id: UUID) -> Story:
    """The file as it stands now, read at one moment."""
    # One statement sees one moment. Each file has a change at least: that it was found.
    rows = await db.fetch(
        """
        SELECT f.*, twin.dataset || '#' || twin.arrival AS twin,
            subject.dataset || '#' || subject.arrival AS subject, ARRAY(
                SELECT json_build_object('file_id', c.file_id, 'name', c.dataset || '#' || c.arrival,
                    'closed_rejects', c.closed_rejects, 'rows', c.rows)
                FROM files c WHERE c.corrects = f.file_id AND c.closed_rejects IS NOT NULL ORDER BY c.arrival
            ) AS corrections, ARRAY(
                SELECT json_build_object('file_id', p.file_id, 'key', p.key, 'version_id', p.version_id,
                    'size', p.size, 'first_line', p.first_line, 'rows', p.part_rows)
                FROM files p WHERE p.delivery_id = f.file_id ORDER BY p.part_number
            ) AS parts, delivery.dataset || '#' || delivery.arrival AS delivery,
            delivery.state AS delivery_state, delivery.reason AS delivery_reason,
            a.at, a.who, a.from_state, a.to_state, a.why
        FROM files f JOIN file_audit a ON a.file_id = f.file_id LEFT JOIN files twin ON twin.file_id = f.twin_file_id
            LEFT JOIN files subject ON subject.file_id = coalesce(f.corrects, f.removes)
            LEFT JOIN files delivery ON delivery.file_id = f.delivery_id
        WHERE f.file_id = $1 ORDER BY a.audit_id
        """,
        file_id,
    )
    if not rows:
        raise LookupError(f"no file {file_id}")
    history = [{name: row[name] for name in ("at", "who", "from_state", "to_state", "why")} for row in rows]
    return Story(dict(rows[0]), history)


async def last_change(db: Pool, file_id: UUID) -> datetime:
    """When the file's row was last changed."""
    at: datetime = await db.fetchval("SELECT changed_at FROM files WHERE file_id = $1", file_id)
    return at
