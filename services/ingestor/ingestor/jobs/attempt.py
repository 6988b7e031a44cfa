"""One try at a file: what it works on and with."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

from chassis import Job, Pool, Tx
from records.row_hash import RULE_VERSION
from waybill_contracts import Declaration, FileRegistered

from ingestor.documents import Documents
from ingestor.domain.attempts import MAX_STORED_REJECTS, MAX_WARNED_LINES
from ingestor.domain.registration import Dataset, Position, is_twin
from ingestor.domain.statement import Statement, statement_of
from ingestor.files.bucket import Bucket
from ingestor.files.parts import Part, parts_of
from ingestor.files.spool import RejectSpool, RepairSpool, RowSpool, WarningTally
from ingestor.store.datasets import (
    find_dataset,
    find_earlier_words,
    find_floors,
    find_newest_statement,
    find_position,
)

SMALL_BYTES = 1 << 18
"""Of a file that is worked on without threads and COPY: a step of it keeps the event loop for 25 ms at most, also when
its rows are so short that there are 50,000 of them."""
SMALL_PARTS = 8
"""Of a delivery of such a size: each costs a millisecond or two, however few rows it has."""


@dataclass(frozen=True)
class Stores:
    """Where an attempt reads and writes."""

    db: Pool
    bucket: Bucket
    documents: Documents


@dataclass(frozen=True)
class Subject:
    """What is known of the file that this one corrects, or whose object was removed."""

    position: Position | None = None
    """Where it took effect."""
    newest_file_id: UUID | None = None
    """The file that spoke last of the same scope by itself."""
    earlier_words: dict[int, int] = field(default_factory=dict)
    """Attempts at corrections since -> the attempts whose word they are."""


@dataclass(frozen=True)
class Known:
    """The dataset as it stood when a try began."""

    dataset: Dataset
    newest: Position | None = None
    floors: dict[str, str] = field(default_factory=dict)
    subject: Subject = field(default_factory=Subject)


@dataclass(frozen=True)
class Attempt:
    """One try at a file, and its dataset as it stood when the try began."""

    job: Job
    file: FileRegistered
    dataset: Dataset
    newest: Position | None
    floors: dict[str, str]
    """Scope -> order value of the newest snapshot that spoke for all its keys."""
    folder: Path
    parts: list[Part]
    """What is read: the file itself, the files of a delivery, or the entries of archives."""
    rejects: RejectSpool
    present: RowSpool
    """Keys of rejects, for a snapshot: their records are not missing."""
    notes: RowSpool
    """A correction's rows (_line), and the lines of the rejects that they stand for (line)."""
    warnings: WarningTally
    subject: Subject
    repairs: RepairSpool

    @property
    def number(self) -> int:
        return self.job.attempt

    @property
    def position(self) -> int:
        """The position this attempt would take."""
        return self.dataset.position + 1

    @property
    def is_small(self) -> bool:
        if self.file.removes or len(self.parts) > SMALL_PARTS:
            return False
        sizes = [part.content_size for part in self.parts]
        return None not in sizes and sum(size or 0 for size in sizes) <= SMALL_BYTES

    @property
    def declaration(self) -> Declaration:
        return self.file.declaration

    @property
    def accepted(self) -> tuple[str, ...]:
        """Codes of holds that were decided for this file."""
        return self.file.accepted

    @cached_property
    def statement(self) -> Statement:
        """What the file says beside its rows; FileFault where its name does not tell."""
        return statement_of(self.file, self.subject.position if self.file.corrects else None)

    @property
    def keyless_rejects(self) -> int:
        """Rejects that a snapshot cannot tell the records of; those that are known so far."""
        return self.rejects.count - self.present.height if self.statement.speaks_for_absent else 0

    @cached_property
    def declaration_json(self) -> dict[str, Any]:
        return self.declaration.model_dump(mode="json")

    @cached_property
    def types(self) -> dict[str, str]:
        """Declared type of each business column."""
        return {name: column.type for name, column in self.declaration.columns.items()}

    def find_twin(self, sha256: str) -> Position | None:
        """The newest position, where it holds the same bytes read in the same way; a retry is never skipped.

        Nor is a file whose rows are records because they came once more.
        """
        if self.file.cause == "retry" or self.declaration.identity == "line":
            return None
        if not is_twin(self.newest, sha256, self.file, RULE_VERSION):
            return None
        return self.newest


async def begin(job: Job, db: Pool, folder: Path) -> Attempt:
    """The attempt, with the dataset read before any of its heads."""
    file = FileRegistered.model_validate(job.payload)
    async with db.acquire() as tx:
        dataset, newest = await find_dataset(tx, file.dataset)
        floors = await find_floors(tx, dataset.id) if file.declaration.order_by else {}
        subject = await _find_subject(tx, dataset, file)
    return attempt_in(folder, job, Known(dataset, newest, floors, subject))


def attempt_in(folder: Path, job: Job, known: Known) -> Attempt:
    """The attempt that keeps in this folder what it finds."""
    file = FileRegistered.model_validate(job.payload)
    parts, notes = parts_of(file, folder), RowSpool(folder / "notes")
    return Attempt(
        job,
        file,
        known.dataset,
        known.newest,
        known.floors,
        folder,
        parts,
        rejects=RejectSpool(folder, MAX_STORED_REJECTS, parts, notes if file.corrects else None),
        present=RowSpool(folder / "present"),
        notes=notes,
        warnings=WarningTally(MAX_WARNED_LINES),
        subject=known.subject,
        repairs=RepairSpool(folder, parts),
    )


async def _find_subject(tx: Tx, dataset: Dataset, file: FileRegistered) -> Subject:
    file_id = file.corrects or file.removes
    position = await find_position(tx, dataset.id, file_id) if file_id else None
    if position is None:
        return Subject()
    newest = await find_newest_statement(tx, dataset.id, position.scope)
    return Subject(position, newest, await find_earlier_words(tx, dataset.id, position.said_in))
