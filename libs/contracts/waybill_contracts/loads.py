"""Events of the topic `loads`: what became of a file in the warehouse."""

from typing import ClassVar
from uuid import UUID

from waybill_contracts.event import Count, FileEvent, Ordinal
from waybill_contracts.records import Checksum, Part


class LoadCounts(Part):
    """Versions of the file found in the warehouse after the apply, by change."""

    inserted: Count = 0
    updated: Count = 0
    deleted: Count = 0


class FileLoaded(FileEvent):
    """The file's rows are the current rows, all at once; counts and checksum were recomputed in the warehouse."""

    type: ClassVar[str] = "waybill.file-loaded.v1"
    topic: ClassVar[str] = "loads"

    attempt: Ordinal
    position: Ordinal
    rows: LoadCounts
    checksum: Checksum
    """Sum modulo 2^128 of the batches' checksums, 32 hex digits."""

    @property
    def id(self) -> UUID:
        return self.natural_id(self.dataset, self.position)
