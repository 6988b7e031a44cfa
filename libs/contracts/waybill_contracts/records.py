"""Events of the topic `records`: what became of a file in the ingestor."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from waybill_contracts.column import Column, is_default
from waybill_contracts.declaration import Mode
from waybill_contracts.event import Count, FileEvent, Ordinal, Remark, Text
from waybill_contracts.format import Format, Repair

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


class RuleCount(Part):
    """Rows that broke a rule of severity warn; they were taken."""

    rule: Text
    rows: Count


class RepairCount(Part):
    """Rows that were mended as the declaration allows; they were taken."""

    repair: Repair
    rows: Count


class PartCount(Part):
    """A file of a delivery, or of an archive: how many rows it has, and the line that it begins with in the whole."""

    file_id: UUID
    entry: Text | None = Field(default=None, exclude_if=is_default)
    """Its name in the archive that the file is."""
    first_line: Ordinal
    rows: Count


class Hold(Part):
    """Why a file waits for a decision; `code` is stable, the facts lie in the ingestor's `holds`."""

    code: Text
    reason: Remark


class Proposal(Part):
    """What the declaration would have to say more for the file to be taken."""

    columns: dict[str, Column] = Field(default_factory=dict)
    """Columns to be declared beside those that are, in this order."""
    optional: tuple[Text, ...] = ()
    """Declared columns that files may lack."""
    key: tuple[Text, ...] = ()
    mode: Mode | None = None
    format: Format | None = Field(default=None, exclude_if=is_default)
    """How files are to be read."""


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
    identity: Text = "key"
    """key, line or content: what the records' keys are made of."""
    order: Text | None = None
    """The order value of the whole file, where its name gives one."""
    order_column: Text | None = None
    """The column that gives each row's order value."""
    format: Format | None = None
    """How the file was read: as declared, and as recognised."""
    warnings: tuple[RuleCount, ...] = ()
    repairs: tuple[RepairCount, ...] = ()
    corrects: UUID | None = None
    """The file whose rejects these rows replaced, and how many of them are closed with it."""
    closed_rejects: Count = 0
    parts: tuple[PartCount, ...] = ()
    """The files of a delivery, and what was read of each."""

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


class FileHeld(AttemptEvent):
    """The file waits for a decision; nothing was written, and later files of its dataset wait behind it."""

    type: ClassVar[str] = "waybill.file-held.v1"

    registration: Ordinal
    holds: Annotated[tuple[Hold, ...], Field(min_length=1)]
    blocks: bool = True
    """False where later files do not wait: it is held only for being late."""
    rows: RowCounts | None = None
    """What would become of its rows, where it could be read."""
    proposal: Proposal | None = None
    decided_by: Remark | None = None
    """The policy that accepts the proposal by itself."""


class FileRefused(AttemptEvent):
    """The file does not take effect, by the declaration's policy or a person's decision; nothing was written."""

    type: ClassVar[str] = "waybill.file-refused.v1"

    code: Text
    reason: Remark
    user: Remark | None = None
    rows: RowCounts | None = None
