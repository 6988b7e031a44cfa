"""When an announcement queues a file, and when a file need not be read at all."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from waybill_contracts import Declaration, FileRegistered


@dataclass(frozen=True)
class Dataset:
    """A dataset as it stands: its newest position, and every column it ever had with its widest type."""

    id: int
    name: str
    position: int
    columns: dict[str, str]


@dataclass(frozen=True)
class Position:
    """A file that took effect, and what it was read as."""

    position: int
    attempt: int
    file_id: UUID
    sha256: str
    declaration: dict[str, Any]
    rule_version: int
    order_value: str | None
    scope: str | None
    corrects: UUID | None = None
    removes: UUID | None = None
    said_in_attempt: int | None = None

    @property
    def said_in(self) -> int:
        """The attempt at the file whose word this is: a correction's is that of the file that it corrects."""
        return self.said_in_attempt or self.attempt


def is_queued(state: str | None, known_registration: int, registration: int, cause: str) -> bool:
    """Whether this registration of a file queues its job, anew or again (protocol rule 2)."""
    if state is None:
        return True
    if registration <= known_registration or state == "DONE":
        return False
    return state != "SKIPPED" or cause == "retry"


def is_twin(newest: Position | None, sha256: str, file: FileRegistered, rule_version: int) -> bool:
    """Whether the dataset's newest position already holds these bytes, said of the same, read in this way."""
    if newest is None or (newest.sha256, newest.rule_version) != (sha256, rule_version):
        return False
    if (newest.corrects, newest.removes) != (file.corrects, file.removes):
        return False
    if not file.corrects and (newest.order_value, newest.scope) != (file.order, file.partition):
        return False
    return Declaration.model_validate(newest.declaration) == file.declaration
