"""The oracle's files: where each one stands, and what it is to those that came before it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from meaning import Meaning, Statement

COUNTED = ("read", "inserted", "updated", "unchanged", "duplicate", "stale", "rejected", "deleted")
EMPTY_COUNTS = dict.fromkeys(COUNTED, 0)


@dataclass(eq=False)
class File:
    """One delivery, and where it stands."""

    name: str
    parts: tuple[bytes | None, ...]
    """What is in it; of a delivery what is in each of its files."""
    file_id: str
    meaning: Meaning
    is_late: bool = False
    corrects: str = ""
    """The id of the file whose rows these are."""
    original: "File | None" = None
    """That file, where this dataset has it."""
    removes: "File | None" = None
    """The file whose object was removed; there is nothing to read then."""
    state: str = "REGISTERED"
    codes: tuple[str, ...] = ()
    """Why it is held or was refused."""
    accepted: set[str] = field(default_factory=set)
    is_retry: bool = False
    counts: dict[str, int] = field(default_factory=EMPTY_COUNTS.copy)
    position: int = 0
    """The how manyth it was to take effect."""
    open: dict[int, str | None] = field(default_factory=dict)
    """Line -> key of the rejects that are still to be corrected."""

    @property
    def word_of(self) -> "File":
        """The file when whose moment this was said."""
        return self.original or self

    @property
    def order(self) -> Any:
        return self.meaning.order_of(self.word_of.name)

    @property
    def scope(self) -> str | None:
        return self.meaning.scope_of(self.word_of.name)

    @property
    def is_snapshot(self) -> bool:
        """Whether it speaks for records that are not in it."""
        return self.meaning.mode == "snapshot" and self.speaks_by_itself

    @property
    def speaks_by_itself(self) -> bool:
        return not self.corrects and not self.removes

    @property
    def blocks(self) -> bool:
        """Whether later files wait for it."""
        return self.state == "HELD" and self.codes != ("late",)


def file_in(files: Iterable[File], file: File) -> File:
    """The file as one that comes after these: late, or a correction, which is of the moment of its file."""
    if found := re.match(r"_corrections/([^/]+)/", file.name):
        named = next((each for each in files if each.file_id == found[1]), None)
        file.original = named and named.word_of
        file.corrects = file.original.file_id if file.original else found[1]
    elif file.order:
        file.is_late = any(file.order < other.order for other in files if other.order)
    return file


def fault_of_correction(file: File, files: Iterable[File]) -> str:
    """Why it is of no file that took effect here, or comes too late; empty where it is taken."""
    if not file.original or file.original.state != "LOADED":
        return "not_its_file"
    by_themselves = [each for each in files if each.position and each.speaks_by_itself and each.scope == file.scope]
    is_newest = file.original is max(by_themselves, key=lambda each: each.position)
    return "" if is_newest or file.meaning.mode != "snapshot" else "not_newest"


def settle_rejects(file: File, statement: Statement) -> None:
    """What was rejected is open; a correction closes what its rows give back, told by line or by key."""
    if not file.original:
        file.open = statement.rejected
        return
    taken = [each for each in statement.said if each.line not in statement.rejected]
    lines, keys = {statement.noted.get(each.line) for each in taken}, {each.key for each in taken}
    still = {line: key for line, key in file.original.open.items() if line not in lines and key not in keys}
    file.original.open = still
