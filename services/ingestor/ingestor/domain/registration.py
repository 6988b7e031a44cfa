"""When an announcement queues a file, and when a file need not be read at all."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID


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


def is_queued(state: str | None, known_registration: int, registration: int, cause: str) -> bool:
    """Whether this registration of a file queues its job, anew or again (protocol rule 2)."""
    if state is None:
        return True
    if registration <= known_registration or state == "DONE":
        return False
    return state != "SKIPPED" or cause == "retry"


def is_twin(newest: Position | None, sha256: str, declaration: dict[str, Any], rule_version: int) -> bool:
    """Whether the dataset's newest position already holds these bytes, read in this way."""
    return newest is not None and (newest.sha256, newest.declaration, newest.rule_version) == (
        sha256,
        declaration,
        rule_version,
    )
