"""From the bytes of a file to what a reader reads: unpacked, and as UTF-8 where it is text."""

import shutil
from collections.abc import Callable
from typing import BinaryIO

from waybill_contracts.format import Compression, Format

from records.archives import Entry, is_workbook, open_entry
from records.encodings import as_utf8
from records.errors import FileFault
from records.packing import CAPS, Caps, compression_of, found_compression, peek, unpack

TEXT_TYPES = ("csv", "tsv", "jsonl", "json")
PARQUET = b"PAR1"
OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Also what encloses a workbook that has a password."""
COPY_BYTES = 1 << 20


def compression(source: BinaryIO, file_format: Format) -> Compression:
    """What the file is packed with: as declared, else by how it begins; a workbook is no archive."""
    found = file_format.compression or found_compression(source)
    if found != "zip" or not is_workbook(source):
        return found
    if file_format.compression:
        text = "the file is a workbook, which is no archive of files: declare compression: none, or leave it out"
        raise FileFault("bad_archive", text)
    return "none"


def unpacked(
    source: BinaryIO, packed: Compression | Entry, scratch: Callable[[], BinaryIO], caps: Caps = CAPS
) -> BinaryIO:
    """The content, from its beginning; what is read here and there instead of through is copied to `scratch` first.

    FileFault where something packed is in it again.
    """
    if packed == "none":
        source.seek(0)
        return source
    if packed == "zip":
        raise FileFault("bad_archive", "an archive is read entry by entry")
    content = open_entry(source, packed, caps) if isinstance(packed, Entry) else unpack(source, packed, caps)
    beginning = peek(content)
    if (inner := compression_of(beginning)) == "zip" or beginning.startswith(PARQUET):
        content = _copied(content, scratch())
    if inner and not (inner == "zip" and is_workbook(content)):
        text = f"what is packed is packed with {inner} once more: send it packed once, or as several files"
        raise FileFault("nested_archive", text)
    return content


def _copied(content: BinaryIO, copy: BinaryIO) -> BinaryIO:
    shutil.copyfileobj(content, copy, COPY_BYTES)
    copy.seek(0)
    return copy


def readable(content: BinaryIO, file_format: Format) -> BinaryIO:
    """Unpacked content as readers take it, from its beginning: text as UTF-8, all else as it is."""
    is_text = file_format.type in TEXT_TYPES if file_format.type else not is_binary(content)
    return as_utf8(content, file_format.encoding) if is_text else content


def is_binary(content: BinaryIO) -> bool:
    """Whether this is a file of a kind that is no text: Parquet, or a workbook, also an old one."""
    beginning = peek(content)
    if beginning.startswith(OLD_WORKBOOK):
        return True
    if beginning.startswith(PARQUET):
        content.seek(-len(PARQUET), 2)
        is_parquet = content.read() == PARQUET
        content.seek(0)
        return is_parquet
    return compression_of(beginning) == "zip" and is_workbook(content)
