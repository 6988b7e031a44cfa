"""What an attempt reads: the file, or the files of a delivery, or of an archive, one after the other as if one file."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import numpy as np
import orjson
import polars as pl
from records.archives import Archive, Entry, read_archive
from records.contents import compression, is_binary, readable, unpacked
from records.errors import FileFault
from records.formats import Reader, open_reader
from records.packing import CAPS
from waybill_contracts import FileRegistered, Format, PartCount
from waybill_contracts.format import Compression

AS_RECOGNISED = Format()
MAX_PARTS = 1000
MAX_NAMES_BYTES = 400_000
"""Of all entries together: one message tells of all parts."""


@dataclass
class Part:
    """A file on the local disk, or in an archive there; lines of several are counted through, as far as was read."""

    path: Path
    key: str
    version_id: str
    size: int
    """Of the object."""
    file_id: UUID | None = None
    """None: it is the whole file, not one of several."""
    first_line: int = 0
    rows: int = 0
    format: Format = AS_RECOGNISED
    """As declared, and as recognised."""
    header: Sequence[str] | None = None
    """What it calls its columns, where that is known before it is read."""
    columns: Sequence[str] = ()
    """Declared columns, in their order: they are the header of a file that has none."""
    packed: Compression | Entry | None = None
    """What the object is packed with, or where in it this part lies; None: nobody looked yet."""
    entry: str | None = None
    """Its name in the archive that the object is."""
    name: str = ""
    """What people call it: its key, or the entry's name, behind the key where there are several objects."""
    content_size: int | None = None
    """Bytes to be read, as far as they were counted; None: nobody knows."""

    def __post_init__(self) -> None:
        self.name = self.name or self.key

    def named(self, text: str) -> str:
        """The sentence, with the part that it is about."""
        return text if self.file_id is None else f"{self.name}: {text}"

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The part's content from its beginning: unpacked, and UTF-8 where it is text.

        What is wrong with it is said of this part.
        """
        with self.unpacked() as content:
            yield readable(content, self.format)

    @contextmanager
    def unpacked(self) -> Iterator[BinaryIO]:
        """The part's content from its beginning, in the encoding that it is in."""
        with self.named_in_faults(), ExitStack() as opened:
            yield self._unpacked(opened)

    def _unpacked(self, opened: ExitStack) -> BinaryIO:
        """What is read here and there is unpacked to the disk, once."""
        source = opened.enter_context(self.path.open("rb"))
        copies: list[Path] = []

        def scratch() -> BinaryIO:
            # It is removed with the attempt's folder.
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix="unpacked-")
            copies.append(Path(name))
            return opened.enter_context(open(descriptor, "w+b"))

        content = unpacked(source, self.packed or compression(source, self.format), scratch, CAPS)
        if copies:
            self.path, self.packed = copies[0], "none"
        return content

    def look(self) -> None:
        """Find out what it is packed with."""
        with self.named_in_faults(), self.path.open("rb") as source:
            self.packed = compression(source, self.format)

    def measure(self, most: int) -> None:
        """Count what is to be read, as far as it may be small, which is `most` or less; nothing packed is in it."""
        with self.unpacked() as content:
            if is_binary(content):
                self.content_size = None
            elif isinstance(self.packed, Entry):
                self.content_size = self.packed.size
            else:
                self.content_size = self.size if self.packed == "none" else len(content.read(max(0, most) + 1))

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """The part's rows, in the format that it is in."""
        with self.open() as source:
            yield self.begin(source)

    def begin(self, source: BinaryIO) -> Reader:
        """The reader of the opened content, from its beginning."""
        source.seek(0)
        return open_reader(source, self.format, self.columns)

    @contextmanager
    def named_in_faults(self) -> Iterator[None]:
        """What is wrong with a part is said of that part."""
        try:
            yield
        except FileFault as fault:
            raise FileFault(fault.code, self.named(fault.message)) from fault


def parts_of(file: FileRegistered, folder: Path) -> list[Part]:
    """What is to be read, in this order; none of it is there yet."""
    declared = file.declaration.format
    if not file.parts:
        return [Part(folder / "content", file.object_key, file.version_id, file.size, first_line=1, format=declared)]
    parts = [
        Part(folder / f"content-{number}", part.object_key, part.version_id, part.size, part.file_id, format=declared)
        for number, part in enumerate(file.parts, 1)
    ]
    parts[0].first_line = 1
    return parts


def expand(parts: Sequence[Part], file_id: UUID) -> tuple[list[Part], dict[str, tuple[str, ...]]]:
    """The parts, and instead of archives their entries; of each archive what was passed over in it."""
    expanded: list[Part] = []
    passed_over = {}
    for part in parts:
        if part.packed == "zip":
            archive = _archive(part)
            expanded += _entries(part, archive, file_id)
            passed_over[part.key] = archive.passed_over
        else:
            expanded.append(part)
    names = [part.entry for part in expanded if part.entry is not None]
    if len(expanded) > MAX_PARTS or len(orjson.dumps(names)) > MAX_NAMES_BYTES:
        text = f"{len(expanded)} files are too many, or have too long names: at most {MAX_PARTS} are taken together"
        raise FileFault("too_many_entries", f"{text}, whose names in archives have {MAX_NAMES_BYTES} bytes")
    expanded[0].first_line = 1
    return expanded, passed_over


def _archive(part: Part) -> Archive:
    with part.named_in_faults(), part.path.open("rb") as source:
        return read_archive(source, CAPS)


def _entries(part: Part, archive: Archive, file_id: UUID) -> list[Part]:
    prefix = "" if part.file_id is None else f"{part.key}!"
    return [
        replace(
            part,
            file_id=part.file_id or file_id,
            first_line=0,
            packed=entry,
            entry=entry.name,
            name=f"{prefix}{entry.name}",
        )
        for entry in archive.entries
    ]


def are_several(parts: Sequence[Part]) -> bool:
    """Whether a line is told with the part that it is in."""
    return any(part.file_id for part in parts)


def count_parts(parts: Sequence[Part]) -> tuple[PartCount, ...]:
    """Where each part of several begins, and its rows; as far as it was read."""
    return tuple(
        PartCount(file_id=part.file_id, entry=part.entry, first_line=part.first_line, rows=part.rows)
        for part in parts
        if part.file_id and part.first_line
    )


def places(parts: Sequence[Part], lines: pl.Series) -> pl.Series:
    """For each of these lines the part and the line in it, as `acme/orders/b.csv:17`; named `part`."""
    begun = [part for part in parts if part.first_line]
    first_lines = np.array([part.first_line for part in begun])
    numbers = np.searchsorted(first_lines, lines.to_numpy(), side="right") - 1
    names = pl.Series([part.name for part in begun], dtype=pl.String).gather(numbers)
    within = pl.Series(lines.to_numpy() - first_lines[numbers] + 1, dtype=pl.Int64)
    return (names + ":" + within.cast(pl.String)).rename("part")
