"""Zip archives: each entry comes back as it was packed, or the archive is refused."""

import contextlib
import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records.archives import Archive, is_workbook, open_entry, read_archive
from records.errors import FileFault
from records.packing import CAPS, Caps

ONE, TWO = b"order_id\n1\n" * 30, b"order_id\n2\n"
Files = Sequence[tuple[str, bytes]]


class Unseekable(io.BytesIO):
    """A stream: sizes are written behind each entry."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, streamed: bool = False) -> bytes:
    target = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return target.getvalue()


TWO_FILES = zipped(("a.csv", ONE), ("b/b.csv", TWO))


def read(archive: bytes, caps: Caps = CAPS) -> list[tuple[str, bytes]]:
    source = io.BytesIO(archive)
    return [(entry.name, open_entry(source, entry, caps).read()) for entry in read_archive(source, caps).entries]


def fault_of(archive: bytes, caps: Caps = CAPS) -> tuple[str, str]:
    with pytest.raises(FileFault) as caught:
        read(archive, caps)
    return caught.value.code, caught.value.message


def patched(archive: bytes, place: int, layout: str, value: int) -> bytes:
    data = bytearray(archive)
    struct.pack_into(layout, data, place, value)
    return bytes(data)


def in_directory(archive: bytes, field: int) -> int:
    """Where this field of the first entry stands in the directory."""
    return archive.index(b"PK\x01\x02") + field


NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\\/:"), min_size=1, max_size=20)


@given(
    files=st.lists(
        st.tuples(NAMES.filter(lambda name: name not in (".", "..")), st.binary(max_size=200)),
        min_size=1,
        unique_by=lambda file: file[0],
    ),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    streamed=st.booleans(),
)
def test_entries_come_back_in_their_order(files: Files, method: int, streamed: bool) -> None:
    expected = [file for file in files if file[0] != ".DS_Store"]
    archive = zipped(*files, method=method, streamed=streamed)
    if expected:
        assert read(archive) == expected
    else:
        assert fault_of(archive)[0] == "no_entries"


def test_an_entry_can_be_read_again_and_beside_another() -> None:
    source = io.BytesIO(TWO_FILES)
    entry = read_archive(source).entries[0]
    first = open_entry(source, entry)
    assert first.read(8) == ONE[:8]
    assert first.seek(0) == 0
    assert first.read() == ONE
    assert entry.size == len(ONE)


def test_archives_with_long_sizes_and_comments_are_read() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a.csv", "w", force_zip64=True) as entry:
            entry.write(ONE)
        archive.comment = b"of today"
    assert read(target.getvalue()) == [("a.csv", ONE)]
    streamed = Unseekable()
    with zipfile.ZipFile(streamed, "w") as archive, archive.open("a.csv", "w", force_zip64=True) as entry:
        entry.write(ONE)
    assert read(streamed.getvalue()) == [("a.csv", ONE)]


def test_folders_and_what_macos_adds_are_passed_over_by_name() -> None:
    archive = zipped(("day/", b""), ("day/a.csv", ONE), ("__MACOSX/day/._a.csv", b"x"), ("day/.DS_Store", b"x"))
    found: Archive = read_archive(io.BytesIO(archive))
    assert [entry.name for entry in found.entries] == ["day/a.csv"]
    assert found.passed_over == ("day/", "__MACOSX/day/._a.csv", "day/.DS_Store")


@pytest.mark.parametrize("files", [(), (("day/", b""),), ((".DS_Store", b"x"),)])
def test_an_archive_without_files_is_refused(files: Files) -> None:
    assert fault_of(zipped(*files))[0] == "no_entries"


BAD_NAMES = ("../a.csv", "a/../b.csv", "/etc/passwd", "a\\b.csv", "..", "a\nb.csv", "C:/a.csv", "C:a.csv", "a/..")


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_could_lead_elsewhere_are_refused(name: str) -> None:
    code, text = fault_of(zipped(("ok.csv", ONE), (name, TWO)))
    assert (code, repr(name) in text) == ("bad_entry_name", True)


def test_a_name_with_nul_is_refused_though_some_read_it_as_another() -> None:
    archive = zipped(("a.csv?x", ONE)).replace(b"a.csv?x", b"a.csv\0x")
    assert fault_of(archive)[0] == "bad_entry_name"


def test_two_entries_of_one_name_are_refused() -> None:
    archive = zipped(("a.csv", ONE), ("b.csv", TWO)).replace(b"b.csv", b"a.csv")
    assert fault_of(archive)[0] == "bad_entry_name"


def test_an_archive_that_was_cut_off_anywhere_is_refused() -> None:
    codes = {fault_of(TWO_FILES[:end])[0] for end in range(len(TWO_FILES))}
    assert codes <= {"truncated", "trailing_bytes", "bad_archive"}


@pytest.mark.parametrize("streamed", [False, True])
def test_no_damaged_byte_changes_what_comes_out(streamed: bool) -> None:
    files = [("a.csv", ONE), ("b.csv", TWO)]
    archive, refused = zipped(*files, streamed=streamed), 0
    for place in range(len(archive)):
        for flip in (0x01, 0x10, 0x80, 0xFF):
            damaged = bytearray(archive)
            damaged[place] ^= flip
            try:
                assert read(bytes(damaged)) == files, place
            except FileFault:
                refused += 1
    assert refused > 2 * len(archive)


@given(st.binary(max_size=400), st.sampled_from([b"PK\x03\x04", b"PK\x05\x06", TWO_FILES[:100]]), st.booleans())
def test_no_bytes_make_anything_but_entries_or_a_fault(data: bytes, beginning: bytes, is_whole: bool) -> None:
    with contextlib.suppress(FileFault):
        read(beginning + data + (TWO_FILES[-22:] if is_whole else b""))
    is_workbook(io.BytesIO(beginning + data))


def overlapping() -> bytes:
    """Two names for the same bytes, as a bomb has thousands of them."""
    archive = zipped(("a.csv", ONE), ("b.csv", ONE))
    second = archive.index(b"PK\x01\x02", in_directory(archive, 4))
    return patched(archive, second + 42, "<L", 0)


def encrypted() -> bytes:
    archive = patched(TWO_FILES, 6, "<H", 1)
    return patched(archive, in_directory(archive, 8), "<H", 1)


def linked() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        info = zipfile.ZipInfo("a.csv")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return target.getvalue()


def reaching() -> bytes:
    """The first entry says that it holds the second as well."""
    archive = zipped(("a.csv", ONE), ("b.csv", TWO), method=zipfile.ZIP_STORED)
    longer = len(ONE) + 20
    for field in (18, 22):
        archive = patched(archive, field, "<L", longer)
    for field in (20, 24):
        archive = patched(archive, in_directory(archive, field), "<L", longer)
    return archive


def lying_about(size: int) -> bytes:
    """The unpacked size is another, everywhere where it is told."""
    archive = patched(TWO_FILES, 22, "<L", size)
    return patched(archive, in_directory(archive, 24), "<L", size)


def with_more_packed() -> bytes:
    """Bytes behind the end of the deflated ones, which others do not see."""
    deflate = zlib.compressobj(wbits=-15)
    packed = deflate.compress(ONE) + deflate.flush() + b"hidden"
    archive = zipped(("a.csv", packed), method=zipfile.ZIP_STORED)
    crc = zlib.crc32(ONE)
    for at, layout, value in ((8, "<H", 8), (14, "<L", crc), (22, "<L", len(ONE))):
        archive = patched(archive, at, layout, value)
    for field, layout, value in ((10, "<H", 8), (16, "<L", crc), (24, "<L", len(ONE))):
        archive = patched(archive, in_directory(archive, field), layout, value)
    return archive


def with_gap() -> bytes:
    """An entry that the directory does not know."""
    whole = zipped(("a.csv", ONE), ("b.csv", TWO))
    alone = zipped(("a.csv", ONE))
    start, moved = whole.index(b"PK\x01\x02"), alone.index(b"PK\x01\x02")
    archive = whole[:start] + alone[moved:]
    return patched(archive, len(archive) - 6, "<L", start)


REFUSED: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "bytes that are in two entries": (overlapping, "bad_archive", "something else than the directory says"),
    "an entry that reaches into the next": (reaching, "bad_archive", "reaches into what follows"),
    "an encrypted entry": (encrypted, "encrypted_entry", "without a password"),
    "a link": (linked, "bad_archive", "is a link"),
    "fewer bytes than it says": (lambda: lying_about(len(ONE) + 1), "bad_archive", "are not the"),
    "more bytes than it says": (lambda: lying_about(len(ONE) - 1), "bad_archive", "has more than the"),
    "bytes behind the packed ones": (with_more_packed, "bad_archive", "more bytes are packed"),
    "an entry nobody tells of": (with_gap, "bad_archive", "belong to no entry"),
    "bytes before it": (lambda: b"#!/bin/sh\n" + TWO_FILES, "bad_archive", "does not begin as zip does"),
    "an archive before it": (lambda: zipped(("c.csv", ONE))[:-22] + TWO_FILES, "bad_archive", "before its first entry"),
    "bytes behind it": (lambda: TWO_FILES + b"\n", "trailing_bytes", "something follows it"),
    "bytes behind it that are no end": (lambda: TWO_FILES + b"PK\x05\x06", "truncated", "cut off"),
    "another method": (lambda: zipped(("a", ONE), method=zipfile.ZIP_LZMA), "unsupported_compression", "method 14"),
    "one of several": (lambda: patched(TWO_FILES, len(TWO_FILES) - 18, "<H", 1), "bad_archive", "belong together"),
    "another count": (
        lambda: patched(patched(TWO_FILES, len(TWO_FILES) - 14, "<H", 3), len(TWO_FILES) - 12, "<H", 3),
        "bad_archive",
        "3 entries",
    ),
    "another size in the entry": (lambda: patched(TWO_FILES, 22, "<L", 9), "bad_archive", "other sizes"),
    "another sum in the entry": (lambda: patched(TWO_FILES, 14, "<L", 9), "bad_archive", "other sizes"),
    "other sizes behind the entry": (
        lambda: zipped(("a.csv", ONE), streamed=True).replace(b"PK\x07\x08", b"PK\x07\x09"),
        "bad_archive",
        "belong to no entry",
    ),
    "a folder with content": (lambda: zipped(("a/", b"x"), ("b.csv", ONE)), "bad_archive", "is a folder"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_archive_is_refused_with(name: str) -> None:
    make, code, text = REFUSED[name]
    found = fault_of(make())
    assert (found[0], text in found[1]) == (code, True), found


def test_two_directory_lines_for_the_same_bytes_are_refused() -> None:
    archive = zipped(("a.csv", ONE))
    start, end = archive.index(b"PK\x01\x02"), archive.index(b"PK\x05\x06")
    line = archive[start:end]
    doubled = archive[:start] + line + line.replace(b"a.csv", b"b.csv") + archive[end:]
    for place, layout, value in ((14, "<H", 2), (12, "<H", 2), (10, "<L", 2 * len(line))):
        doubled = patched(doubled, len(doubled) - place, layout, value)
    assert fault_of(doubled)[0] == "bad_archive"


def test_caps_are_of_the_whole_archive() -> None:
    archive = zipped(("a.csv", bytes(600_000)), ("b.csv", bytes(600_000)))
    assert fault_of(archive, Caps(bytes_at_any_ratio=1_000_000, ratio=100))[0] == "too_much_unpacked"
    assert fault_of(archive, Caps(total_bytes=1_000_000))[0] == "too_much_unpacked"
    assert len(read(archive, Caps(total_bytes=1_200_000))) == 2
    assert fault_of(archive, Caps(entries=1))[0] == "too_many_entries"
    assert fault_of(archive, Caps(directory_bytes=50))[0] == "too_many_entries"


def test_a_directory_with_more_entries_than_its_end_says_is_refused_before_it_is_taken() -> None:
    archive = zipped(*((f"{number}.csv", b"") for number in range(5)))
    liar = patched(patched(archive, len(archive) - 14, "<H", 1), len(archive) - 12, "<H", 1)
    assert fault_of(liar, Caps(entries=3))[0] == "too_many_entries"
    assert fault_of(liar)[0] == "bad_archive"


def test_a_workbook_is_known_by_what_lies_in_it() -> None:
    workbook = zipped(("[Content_Types].xml", b"<Types/>"), ("xl/workbook.xml", b"<workbook/>"))
    source = io.BytesIO(workbook)
    assert is_workbook(source)
    assert source.read() == workbook
    for other in (TWO_FILES, workbook[:-3], b"order_id\n", b"PK\x03\x04", b""):
        assert not is_workbook(io.BytesIO(other))
