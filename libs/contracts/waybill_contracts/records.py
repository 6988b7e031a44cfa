"""Events of the topic `records`: what became of a file in the ingestor."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from waybill_contracts.event import Count, FileEvent, Ordinal, Remark, Text

Checksum = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Part(BaseModel):
    """A piece of an event."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RowCounts(Part):
    """What became of a file's rows; `read` is the sum of the next six, deletes apart."""

    read: Count = 0
    inserted: Count = 0
    updated: Count = 0
    unchanged: Count = 0
    duplicate: Count = 0
    stale: Count = 0
    rejected: Count = 0
    deleted: Count = 0

    @property
    def is_balanced(self) -> bool:
        """Whether every row that was read is accounted for."""
        outcomes = self.inserted + self.updated + self.unchanged + self.duplicate + self.stale + self.rejected
        return self.read == outcomes


class Batch(Part):
    """Up to 20,000 versions of one attempt; `checksum` is 32 hex digits (design.md 13)."""

    number: Count
    version_count: Count
    checksum: Checksum


class ColumnType(Part):
    """A business column and its declared type, as `decimal(12,2)`."""

    name: Text
    type: Text


class Source(Part):
    """Where the file lies, and who sent it."""

    bucket: Text
    object_key: Text
    version_id: Text
    size: Count
    user: Remark | None = None
    reason: Remark | None = None
    registered_at: AwareDatetime


class RecordsIngested(FileEvent):
    """A file took effect in MongoDB: its new versions can be read, batch by batch."""

    type: ClassVar[str] = "waybill.records-ingested.v1"
    topic: ClassVar[str] = "records"

    arrival: Ordinal
    registration: Ordinal
    attempt: Ordinal
    position: Ordinal
    sha256: Sha256
    columns: tuple[ColumnType, ...]
    key: tuple[Text, ...]
    rule_version: Ordinal
    batches: tuple[Batch, ...]
    rows: RowCounts
    source: Source

    @property
    def id(self) -> UUID:
        return self.natural_id(self.dataset, self.position)


class AttemptEvent(FileEvent):
    """An attempt ended without a position."""

    topic: ClassVar[str] = "records"

    attempt: Ordinal

    @property
    def id(self) -> UUID:
        return self.natural_id(self.dataset, self.attempt)


class FileSkipped(AttemptEvent):
    """The dataset's newest position holds the same bytes under the same declaration: the twin's waybill counts."""

    type: ClassVar[str] = "waybill.file-skipped.v1"

    twin_file_id: UUID


class FileFailed(AttemptEvent):
    """The file cannot be taken in as it is declared; nothing was written."""

    type: ClassVar[str] = "waybill.file-failed.v1"

    code: Text
    reason: Remark
    rows: RowCounts | None = None
