"""Text in other encodings as UTF-8: what Python reads strictly comes out so, all else is no UTF-8; sizes add up."""

import codecs
import io
import itertools
from functools import cache
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records.encodings import BOMS, MULTIBYTE, Utf8, as_utf8, encoding_of
from records.errors import FileFault
from waybill_contracts.format import Encoding

WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
ENCODINGS = [*WIDE, *(name for name in get_args(Encoding) if not name.startswith("utf-"))]
TEXT = "Größe,Ärger,Ελλάδα,Привет,日本語,한국어,中文,“”,€,ı,\r\nÅ,\\~,😀\n"


def as_file(data: bytes, encoding: str, block_bytes: int = 7) -> Utf8:
    return Utf8(io.BytesIO(data), encoding, block_bytes)


def characters(utf8: bytes) -> list[bytes]:
    """Cut before each byte that begins a character, or is none."""
    starts = [at for at, byte in enumerate(utf8) if byte & 0xC0 != 0x80]
    return [utf8[start:end] for start, end in itertools.pairwise([*starts, len(utf8)])]


@cache
def alphabet(encoding: str) -> list[str]:
    """The characters of an encoding that are written in one way."""
    return [sign for sign in map(chr, range(0x10000)) if is_written(sign, encoding)]


def is_written(sign: str, encoding: str) -> bool:
    try:
        return sign.encode(encoding).decode(encoding) == sign
    except UnicodeError:
        return False


def encodable(encoding: str) -> st.SearchStrategy[str]:
    """Text of this encoding."""
    samples = [sign for sign in TEXT if is_written(sign, encoding)]
    any_text = st.text(max_size=30) if encoding in WIDE else st.lists(st.sampled_from(alphabet(encoding)), max_size=30)
    return st.one_of(any_text, st.lists(st.sampled_from(samples), max_size=30)).map("".join)


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=30)
@given(data=st.data(), block_bytes=st.integers(1, 9))
def test_text_comes_out_as_utf_8_wherever_blocks_are_cut(encoding: str, data: st.DataObject, block_bytes: int) -> None:
    text = data.draw(encodable(encoding))
    sent = text.encode(encoding)
    source = as_file(sent, encoding, block_bytes)
    assert source.read() == text.encode()
    assert source.sent_size(text.encode()) == len(sent)
    source.seek(0)
    assert source.read(5) == text.encode()[:5]


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=30)
@given(data=st.data(), block_bytes=st.integers(1, 9))
def test_bytes_that_are_no_text_come_out_as_no_utf_8_and_every_byte_is_counted(
    encoding: str, data: st.DataObject, block_bytes: int
) -> None:
    pieces = st.lists(st.one_of(st.binary(max_size=6), encodable(encoding).map(lambda text: text.encode(encoding))))
    sent = b"".join(data.draw(pieces))
    source = as_file(sent, encoding, block_bytes)
    utf8 = source.read()
    try:
        text: str | None = sent.decode(encoding)
    except UnicodeDecodeError:
        text = None
    if text is None:
        assert not is_utf8(utf8)
    elif is_utf8(utf8):
        assert utf8.decode() == text
    else:
        # Only what is written in two ways is refused though Python reads it.
        assert text.encode(encoding) != sent
    assert utf8 == as_file(sent, encoding, len(sent) + 1).read()
    assert b"\xef\xbf\xbd" not in utf8 or "\ufffd" in (text or "") or "\ufffd".encode(encoding, "ignore") in sent
    sizes = [source.sent_size(character) for character in characters(utf8)]
    assert sum(sizes) == len(sent)
    cut = data.draw(st.integers(0, len(sizes)))
    assert source.sent_size(b"".join(characters(utf8)[:cut])) == sum(sizes[:cut])


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if name not in (*WIDE, *MULTIBYTE)])
def test_every_byte_of_an_encoding_of_single_bytes_is_its_character_or_invalid(encoding: str) -> None:
    for byte in range(256):
        sent = bytes([byte])
        try:
            expected = sent.decode(encoding).encode()
        except UnicodeDecodeError:
            expected = b"\xff"
        assert as_file(sent, encoding).read() == expected


@pytest.mark.parametrize("encoding", MULTIBYTE)
def test_every_pair_of_bytes_is_counted_whatever_it_is(encoding: str) -> None:
    sent = b"".join(bytes([first, second, 0x0A]) for first in range(0x80, 256) for second in range(256))
    utf8 = as_file(sent, encoding, 1 << 14).read()
    source = as_file(b"", encoding)
    # A lead byte takes a line end for its own in none of these encodings.
    lines = utf8.split(b"\n")
    assert sum(source.sent_size(line + b"\n") for line in lines) == len(sent) + 1
    assert len(lines) == sent.count(b"\n") + 1


@pytest.mark.parametrize(
    ("encoding", "sent", "expected"),
    [
        ("windows-1252", b"a\x81b", b"a\xffb"),
        ("ascii", "é".encode(), b"\xff\xff"),
        ("shift_jis", b"\x81\n1", b"\xff\n1"),
        ("shift_jis", b"\x83", b"\xff"),
        ("gb18030", b"\x81\x30\x81", b"\xff\xff\xff"),
        ("gb18030", b"\x81\x30\x81\n", b"\xff0\xff\n"),
        ("utf-16-le", b"\x00\xd8a\0", b"\xed\xa0\x80a"),
        ("utf-16-be", b"\0a\xdc\x00", b"a\xed\xb0\x80"),
        ("utf-16-le", b"a\0b", b"a\xff"),
        ("utf-16-le", b"\x00\xd8b", b"\xed\xa0\x80\xff"),
        ("utf-32-le", b"\0\0\x11\0a\0\0\0", b"\xed\xbf\xbfa"),
        ("utf-32-be", b"\0\0\xd8\0\0\0\0a", b"\xed\xa0\x80a"),
        ("utf-32-be", b"\0\0\0a\0\0\0", b"a\xff\xff\xff"),
        # Written in a way in which the character itself is not written: a fault of its length.
        ("euc-jp", b"a\x8f\xa2\xb7b\xc6\xfc", b"a\xff\xff\xffb" + "日".encode()),
        ("euc-kr", bytes.fromhex("a4d4a4a1a4bfa4d4") + b"a", b"\xff" * 8 + b"a"),
    ],
)
@pytest.mark.parametrize("block_bytes", [1, 2, 3, 100])
def test_what_is_no_text(encoding: str, sent: bytes, expected: bytes, block_bytes: int) -> None:
    source = as_file(sent, encoding, block_bytes)
    assert source.read() == expected
    assert source.sent_size(expected) == len(sent)


@pytest.mark.parametrize(("mark", "encoding"), BOMS)
@pytest.mark.parametrize("declared", [None, "utf-8", "windows-1252", "utf-16", "utf-16-be", "utf-32"])
def test_a_byte_order_mark_decides_and_stays_one(mark: bytes, encoding: str, declared: Encoding | None) -> None:
    sent = mark + "Größe,😀\n".encode(encoding)
    source = as_utf8(io.BytesIO(sent), declared)
    utf8 = source.read()
    assert utf8 == codecs.BOM_UTF8 + "Größe,😀\n".encode()
    sent_size = getattr(source, "sent_size", len)
    assert sent_size(utf8) == len(sent)
    assert sent_size(codecs.BOM_UTF8) == len(mark)


def test_utf_8_costs_nothing_and_is_left_as_it_is() -> None:
    for data in (b"", b"a", codecs.BOM_UTF8 + b"a", b"\xff\xc3(", "Größe".encode()):
        source = io.BytesIO(data)
        for declared in (None, "utf-8"):
            assert as_utf8(source, declared) is source
            assert source.tell() == 0
        assert not hasattr(source, "sent_size")


def test_an_order_of_bytes_that_nothing_tells_is_not_guessed() -> None:
    assert encoding_of(b"a\0\0\0", "utf-32") == "utf-32-le"
    assert encoding_of(b"\0\0\0a", "utf-32") == "utf-32-be"
    assert encoding_of(b"a\0b\0", "utf-16-le") == "utf-16-le"
    declared: Encoding
    for beginning, declared in ((b"a\0b\0", "utf-16"), (b"", "utf-16"), (b"abcd", "utf-32"), (b"\0\0\0", "utf-32")):
        with pytest.raises(FileFault) as caught:
            encoding_of(beginning, declared)
        assert caught.value.code == "no_byte_order_mark"


def test_a_large_file_is_read_in_blocks() -> None:
    text = TEXT * 20_000
    source = as_utf8(io.BytesIO(text.encode("gb18030")), "gb18030")
    assert source.read() == text.encode()
    assert isinstance(source, Utf8)
    assert source.sent_size(text.encode()) == len(text.encode("gb18030"))
