"""From the bytes of a file to what a reader reads, whatever is in what."""

import gzip
import io
import zipfile

import pytest
from records.archives import open_entry, read_archive
from records.contents import compression, is_binary, readable, unpacked
from records.errors import FileFault
from waybill_contracts.format import Format

ROWS = "order_id,customer\n1,Größe\n"
PARQUET = b"PAR1" + bytes(20) + b"PAR1"


def zipped(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


WORKBOOK = zipped(**{"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"})


def content(data: bytes, declared: Format | None = None, copies: list[io.BytesIO] | None = None) -> bytes:
    """What a reader is given."""
    declared, source = declared or Format(), io.BytesIO(data)

    def scratch() -> io.BytesIO:
        copy = io.BytesIO()
        if copies is not None:
            copies.append(copy)
        return copy

    return readable(unpacked(source, compression(source, declared), scratch), declared).read()


@pytest.mark.parametrize("declared", [Format(), Format(type="csv"), Format(type="jsonl", compression="gzip")])
def test_text_is_unpacked_and_then_read_in_its_encoding(declared: Format) -> None:
    in_latin = Format.model_validate(declared.model_dump(exclude_unset=True) | {"encoding": "iso-8859-1"})
    assert content(gzip.compress(ROWS.encode()), declared) == ROWS.encode()
    assert content(gzip.compress(ROWS.encode("iso-8859-1")), in_latin) == ROWS.encode()
    with_mark = "\ufeff" + ROWS
    assert content(gzip.compress(with_mark.encode("utf-16-le")), in_latin) == with_mark.encode()


@pytest.mark.parametrize("data", [PARQUET, WORKBOOK, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(9)])
def test_what_is_no_text_is_given_as_it_is_and_on_the_disk_where_it_was_packed(data: bytes) -> None:
    for declared in (Format(), Format(encoding="windows-1252")):
        assert content(data, declared) == data
        copies: list[io.BytesIO] = []
        assert content(gzip.compress(data), declared, copies) == data
        assert len(copies) == (not data.startswith(b"\xd0"))
    assert is_binary(io.BytesIO(data))


def test_a_column_may_be_called_as_parquet_begins() -> None:
    text = "PAR1,Größe\n1,2\n"
    assert content(text.encode("iso-8859-1"), Format(encoding="iso-8859-1")) == text.encode()
    assert content(gzip.compress(text.encode("iso-8859-1")), Format(encoding="iso-8859-1")) == text.encode()
    assert not is_binary(io.BytesIO(b"PAR1"[:3]))


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zipped(a=data)])
@pytest.mark.parametrize("inner", [gzip.compress(b"x"), zipped(a=b"x"), b"\xfd7zXZ\0", bytes(257) + b"ustar"])
def test_what_is_packed_twice_is_refused(pack: object, inner: bytes) -> None:
    packed = pack(inner)  # type: ignore[operator]
    source = io.BytesIO(packed)
    found = compression(source, Format())
    with pytest.raises(FileFault, match="once more") as caught:
        unpacked(source, read_archive(source).entries[0] if found == "zip" else found, io.BytesIO)
    assert caught.value.code == "nested_archive"


def test_an_archive_is_read_by_its_entries_and_a_workbook_in_it_is_one_of_them() -> None:
    source = io.BytesIO(zipped(a=WORKBOOK))
    (entry,) = read_archive(source).entries
    assert unpacked(source, entry, io.BytesIO).read() == WORKBOOK == open_entry(source, entry).read()
    with pytest.raises(FileFault, match="entry by entry"):
        unpacked(source, "zip", io.BytesIO)


def test_what_is_declared_of_the_packing_goes_first() -> None:
    assert content(gzip.compress(b"x"), Format(compression="none", encoding="iso-8859-1")).startswith(b"\x1f\xc2\x8b")
    for declared in ("gzip", "zstd"):
        with pytest.raises(FileFault, match=f"does not begin as {declared}"):
            content(b"a,b\n", Format(compression=declared))
    assert compression(io.BytesIO(WORKBOOK), Format(compression="none")) == "none"
    with pytest.raises(FileFault, match="is a workbook"):
        compression(io.BytesIO(WORKBOOK), Format(compression="zip"))
