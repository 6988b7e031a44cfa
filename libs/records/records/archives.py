"""Zip archives: every entry is a file of its own, and every byte of the archive is accounted for.

The directory is read by Python's own module, which believes it; here it is checked against what the archive holds.
"""

import re
import stat
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, NoReturn, cast
from zipfile import BadZipFile, ZipFile, ZipInfo

from records.errors import FileFault
from records.packing import (
    CAPS,
    EMPTY_ZIP,
    INPUT_BYTES,
    ZIP,
    Caps,
    Inflater,
    Kind,
    capped,
    compression_of,
    inflated,
    peek,
    too_much_unpacked,
)
from records.streams import made

END = struct.Struct("<4s4H2LH")
LOCAL = struct.Struct("<4s5H3L2H")
LARGEST_COMMENT = 0xFFFF
IN_THE_EXTRA = 0xFFFFFFFF
"""A size that does not fit stands in a longer field."""
ENCRYPTED = 0x2041
SIZES_FOLLOW = 0x8
UTF_8 = 0x800
STORED, DEFLATED = 0, 8
DEFLATE = Kind("zip", "bad_archive", lambda _: True, lambda _: Inflater(-zlib.MAX_WBITS))
WORKBOOK = {"[Content_Types].xml", "xl/workbook.xml"}
BAD_NAME = re.compile(r"^/|^[A-Za-z]:|(^|/)\.\.(/|$)|\\|[\x00-\x1f\x7f]|^$")
PASSED_OVER = re.compile(r"(^|/)__MACOSX/|(^|/)\.DS_Store$|/$")


@dataclass(frozen=True)
class Entry:
    """A file in an archive; its name is a name, and never a path."""

    name: str
    start: int
    """Where its packed bytes begin in the archive."""
    packed: int
    size: int
    crc: int
    is_deflated: bool


@dataclass(frozen=True)
class Archive:
    """What lies in an archive, in its own order."""

    entries: tuple[Entry, ...]
    passed_over: tuple[str, ...]
    """Names of folders, and of what macOS adds."""


def read_archive(source: BinaryIO, caps: Caps = CAPS) -> Archive:
    """What lies in the archive; FileFault where it is not exactly that, or more than is taken."""
    size, count = _end_of(source)
    if count > caps.entries:
        raise _too_many(count, caps)
    infos = _directory(source, caps)
    if len(infos.told) > caps.entries:
        raise _too_many(len(infos.told), caps)
    if count not in (len(infos.told), 0xFFFF):
        _bad(f"it says that it has {count} entries, its directory has {len(infos.told)}")
    _check_names(infos.told)
    entries = _located(source, infos)
    taken = tuple(entry for entry in entries if not PASSED_OVER.search(entry.name))
    if not taken:
        raise FileFault("no_entries", "the archive holds no file: send one with the data in it")
    unpacked = sum(entry.size for entry in entries)
    if unpacked > caps.most(size):
        raise too_much_unpacked(size, caps.most(size))
    return Archive(taken, tuple(entry.name for entry in entries if PASSED_OVER.search(entry.name)))


def open_entry(source: BinaryIO, entry: Entry, caps: Caps = CAPS) -> BinaryIO:
    """The entry's content, unpacked while it is read; FileFault where it is not what the directory says."""
    return made(lambda: _checked(capped(_unpacked(source, entry, caps), entry.packed, caps), entry))


def is_workbook(source: BinaryIO) -> bool:
    """Whether the file is a workbook of Excel, which is a zip archive itself; it is read from its beginning then."""
    source.seek(0)
    is_zip = source.read(len(ZIP)) == ZIP
    try:
        return is_zip and {info.filename for info in _directory(source, CAPS).told} >= WORKBOOK
    except FileFault:
        return False
    finally:
        source.seek(0)


def _bad(text: str, cause: Exception | None = None) -> NoReturn:
    raise FileFault("bad_archive", f"the archive is damaged: {text}") from cause


def _too_many(count: int, caps: Caps) -> FileFault:
    text = f"the archive has {count} entries, at most {caps.entries} are taken: send it in parts"
    return FileFault("too_many_entries", text)


def _end_of(source: BinaryIO) -> tuple[int, int]:
    """Size of the archive and the number of entries that its end tells of; nothing may follow it."""
    if compression_of(peek(source)) != "zip":
        text = "the file does not begin as zip does: declare what it is packed with, or compression: none"
        raise FileFault("bad_archive", text)
    size = source.seek(0, 2)
    source.seek(max(0, size - END.size - LARGEST_COMMENT))
    tail = source.read(END.size + LARGEST_COMMENT)
    at = tail.rfind(EMPTY_ZIP)
    if at < 0 or len(tail) - at < END.size:
        raise FileFault("truncated", "the archive has no directory at its end, so it was cut off: send it again")
    _, disk, first_disk, here, count, _, _, comment = END.unpack_from(tail, at)
    if at + END.size + comment != len(tail):
        raise FileFault("trailing_bytes", "the archive is cut off in its comment, or something follows it")
    if disk or first_disk or here != count:
        _bad("it is one of several that belong together")
    return size, count


@dataclass(frozen=True)
class Directory:
    """What an archive's directory says, and where it begins."""

    told: list[ZipInfo]
    start: int


class _Bounded:
    """A source that gives no directory larger than is allowed, since the module reads it at once."""

    def __init__(self, source: BinaryIO, most: int) -> None:
        self.seek, self.tell, self._source, self._most = source.seek, source.tell, source, most

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size > self._most:
            text = f"the archive's directory has {size} bytes, at most {self._most} are read: send it in parts"
            raise FileFault("too_many_entries", text)
        return self._source.read(size)


def _directory(source: BinaryIO, caps: Caps) -> Directory:
    try:
        with ZipFile(cast("BinaryIO", _Bounded(source, caps.directory_bytes))) as archive:
            return Directory(archive.infolist(), archive.start_dir)
    except (BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        _bad(str(error), error)


def _check_names(infos: Sequence[ZipInfo]) -> None:
    seen: set[str] = set()
    for info in infos:
        name = info.orig_filename
        if BAD_NAME.search(name):
            raise FileFault("bad_entry_name", f"the archive has an entry that is called {name!r}: give it a plain name")
        if name in seen:
            raise FileFault("bad_entry_name", f"the archive has two entries that are called {name!r}")
        seen.add(name)


def _located(source: BinaryIO, directory: Directory) -> list[Entry]:
    """The entries in the directory's order, which fill the archive up to the directory without a gap."""
    ends, located = {}, {}
    for info in directory.told:
        _check_kind(info)
        located[info.header_offset] = entry = _entry_at(source, info)
        ends[info.header_offset] = (entry.start + entry.packed, _descriptors(info))
    bounds = sorted(located)
    if (bounds or [directory.start])[0] != 0:
        _bad("something stands before its first entry")
    for start, following in pairwise([*bounds, directory.start]):
        end, descriptors = ends[start]
        if following < end:
            _bad(f"{located[start].name!r} reaches into what follows it")
        source.seek(end)
        if following - end > max(map(len, descriptors)) or source.read(following - end) not in descriptors:
            _bad(f"{following - end} bytes that follow {located[start].name!r} belong to no entry")
    return [located[info.header_offset] for info in directory.told]


def _check_kind(info: ZipInfo) -> None:
    name, mode = info.orig_filename, info.external_attr >> 16
    if info.flag_bits & ENCRYPTED:
        raise FileFault("encrypted_entry", f"{name!r} is encrypted in the archive: send it without a password")
    if info.compress_type not in (STORED, DEFLATED):
        text = f"{name!r} is packed by method {info.compress_type}: only stored and deflated entries are read"
        raise FileFault("unsupported_compression", text)
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise FileFault("bad_archive", f"{name!r} is a link or a device, not a file")
    if name.endswith("/") and info.file_size:
        _bad(f"{name!r} is a folder, and has content")


def _entry_at(source: BinaryIO, info: ZipInfo) -> Entry:
    """The entry, where what stands before its bytes says what the directory says."""
    name = info.orig_filename
    source.seek(max(0, info.header_offset))
    header = source.read(LOCAL.size)
    if info.header_offset < 0 or len(header) < LOCAL.size or not header.startswith(ZIP):
        _bad(f"{name!r} is not where the directory says")
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = LOCAL.unpack(header)
    called = source.read(name_length).decode("utf-8" if flags & UTF_8 else "cp437", "replace")
    if (called, method, flags & ENCRYPTED) != (name, info.compress_type, info.flag_bits & ENCRYPTED):
        _bad(f"{name!r} is something else than the directory says, {called!r}")
    if not flags & SIZES_FOLLOW:
        told = [info.CRC, *(_told(*each) for each in ((packed, info.compress_size), (size, info.file_size)))]
        if [crc, packed, size] != told:
            _bad(f"the directory has other sizes for {name!r} than the entry itself")
    start = info.header_offset + LOCAL.size + name_length + extra_length
    return Entry(name, start, info.compress_size, info.file_size, info.CRC, info.compress_type == DEFLATED)


def _told(here: int, in_directory: int) -> int:
    return here if here == IN_THE_EXTRA else in_directory


def _descriptors(info: ZipInfo) -> set[bytes]:
    """What may follow the entry's bytes: nothing, or its sizes where they were not known before."""
    if not info.flag_bits & SIZES_FOLLOW:
        return {b""}
    told = (info.CRC, info.compress_size, info.file_size)
    layouts = ["<LQQ"] if max(told) > IN_THE_EXTRA else ["<LLL", "<LQQ"]
    bare = [struct.pack(layout, *told) for layout in layouts]
    return {b"", *bare, *(b"PK\x07\x08" + each for each in bare)}


def _unpacked(source: BinaryIO, entry: Entry, caps: Caps) -> Iterator[bytes]:
    source.seek(entry.start)
    left = entry.packed

    def read(size: int) -> bytes:
        nonlocal left
        data = source.read(min(size, left))
        left -= len(data)
        return data

    if entry.is_deflated:
        decoder = DEFLATE.decoder(caps)
        yield from inflated(decoder, read(INPUT_BYTES), read, DEFLATE)
        if left or decoder.unused:
            _bad(f"more bytes are packed as {entry.name!r} than it takes")
    else:
        yield from iter(lambda: read(INPUT_BYTES), b"")


def _checked(chunks: Iterator[bytes], entry: Entry) -> Iterator[bytes]:
    """The chunks, as long as they are what the directory says, and all of it at the end."""
    size, crc = 0, 0
    for chunk in chunks:
        size, crc = size + len(chunk), zlib.crc32(chunk, crc)
        if size > entry.size:
            _bad(f"{entry.name!r} has more than the {entry.size} bytes that the directory says")
        yield chunk
    if (size, crc) != (entry.size, entry.crc):
        _bad(f"the {size} bytes of {entry.name!r} are not the {entry.size} that were packed (CRC)")
