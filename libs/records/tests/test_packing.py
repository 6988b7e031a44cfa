"""Compressed files: whatever was packed comes back, or the file is refused; never something else, never too much."""

import gzip
import io
import random
import zlib
from collections.abc import Callable
from typing import BinaryIO

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st
from records.errors import FileFault
from records.packing import CAPS, OUTPUT_BYTES, Caps, compression_of, found_compression, size_of, unpack
from waybill_contracts.format import Compression

ROWS = b"".join(b"%d,Ada,%d\n" % (number, number * 7919) for number in range(3000))
WITH_CHECKSUM = {zstd.CompressionParameter.checksum_flag: 1}


def zstandard(data: bytes) -> bytes:
    """As the command packs it."""
    return zstd.compress(data, options=WITH_CHECKSUM)


PACKERS: dict[Compression, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstandard}
KINDS = pytest.mark.parametrize("kind", PACKERS)


def read(packed: bytes, kind: Compression, caps: Caps = CAPS) -> bytes:
    return unpack(io.BytesIO(packed), kind, caps).read()


def fault_of(packed: bytes, kind: Compression, caps: Caps = CAPS) -> str:
    with pytest.raises(FileFault) as caught:
        read(packed, kind, caps)
    return caught.value.code


@KINDS
@given(
    members=st.lists(st.binary(max_size=300), min_size=1, max_size=5), at=st.integers(0, 1500), size=st.integers(0, 99)
)
def test_members_one_after_the_other_are_one_file_that_can_be_read_from_anywhere(
    kind: Compression, members: list[bytes], at: int, size: int
) -> None:
    source = unpack(io.BytesIO(b"".join(map(PACKERS[kind], members))), kind)
    whole = b"".join(members)
    assert source.read() == whole
    assert source.seek(at) == min(at, len(whole))
    assert source.read(size) == whole[at : at + size]
    assert source.tell() == min(at, len(whole)) + len(whole[at : at + size])
    assert source.seek(-1, 2) == max(0, len(whole) - 1)
    assert source.read() == whole[-1:]
    source.seek(0)
    assert io.BufferedReader(source).read() == whole  # type: ignore[type-var]


@KINDS
def test_a_file_is_recognised_by_how_it_begins(kind: Compression) -> None:
    assert found_compression(io.BytesIO(PACKERS[kind](b"x"))) == kind
    assert found_compression(io.BytesIO(b"order_id,customer\n")) == "none"
    assert found_compression(io.BytesIO()) == "none"
    skippable = b"\x5f\x2a\x4d\x18\x03\0\0\0abc"
    assert compression_of(skippable + zstandard(ROWS)) == "zstd"
    assert read(skippable + zstandard(ROWS) + skippable, "zstd") == ROWS


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"BZh91AY&SY\x01", "bzip2"),
        (b"\xfd7zXZ\0\0", "xz"),
        (b"7z\xbc\xaf\x27\x1c\0", "7z"),
        (b"Rar!\x1a\x07\0", "rar"),
        (b"orders.csv" + bytes(247) + b"ustar\0", "tar"),
    ],
)
def test_other_ways_to_pack_are_named(beginning: bytes, name: str) -> None:
    with pytest.raises(FileFault, match=f"packed with {name}: send it packed with gzip, zip or zstd") as caught:
        found_compression(io.BytesIO(beginning))
    assert caught.value.code == "unsupported_compression"
    assert compression_of(b"BZhang,Li\n1,2\n") is None


@KINDS
def test_a_file_that_was_cut_off_anywhere_is_refused(kind: Compression) -> None:
    packed = PACKERS[kind](ROWS[:2000])
    codes = {fault_of(packed[:end], kind) for end in range(len(packed))}
    assert codes == {"truncated", f"bad_{kind}"}
    assert {fault_of(packed + packed[:end], kind) for end in range(4, len(packed))} == {"truncated"}


@KINDS
def test_no_damaged_byte_changes_what_comes_out(kind: Compression) -> None:
    packed, codes = PACKERS[kind](ROWS[:1500]), set()
    for place in range(len(packed)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(packed)
            damaged[place] ^= flip
            try:
                assert read(bytes(damaged), kind) == ROWS[:1500]
            except FileFault as fault:
                codes.add(fault.code)
    assert f"bad_{kind}" in codes
    assert codes <= {f"bad_{kind}", "truncated", "trailing_bytes", "too_much_unpacked"}


@KINDS
@pytest.mark.parametrize("garbage", [b"\0", b"1,2\n", b"\0" * 512, b"\x1f", b"PK\x03\x04"])
def test_what_follows_a_packed_file_is_not_overlooked(kind: Compression, garbage: bytes) -> None:
    packed = PACKERS[kind](ROWS)
    with pytest.raises(FileFault, match=f"ends at byte {len(packed)}, the file goes on") as caught:
        read(packed + garbage, kind)
    assert caught.value.code == "trailing_bytes"


@KINDS
def test_a_file_that_is_not_what_it_is_declared_to_be_is_refused(kind: Compression) -> None:
    assert {fault_of(data, kind) for data in (b"", b"order_id\n1\n")} == {f"bad_{kind}"}
    assert unpack(io.BytesIO(b"order_id\n"), "none").read() == b"order_id\n"


@KINDS
def test_a_fault_stays_one_however_often_the_file_is_read(kind: Compression) -> None:
    source = unpack(io.BytesIO(PACKERS[kind](ROWS)[:-3]), kind)
    for _ in range(2):
        with pytest.raises(FileFault, match="send it again"):
            source.read()
        with pytest.raises(FileFault):
            source.read(1)
        source.seek(0)


def test_rows_that_are_all_the_same_are_no_bomb() -> None:
    rows = b"1,Ada,10.00\n" * 2_000_000
    for kind, pack in PACKERS.items():
        assert read(pack(rows), kind) == rows
    assert CAPS.most(1 << 20) == CAPS.ratio << 20
    assert CAPS.most(1 << 40) == CAPS.total_bytes


@KINDS
def test_a_bomb_is_refused_once_it_has_given_as_much_as_is_taken(kind: Compression) -> None:
    caps = Caps(bytes_at_any_ratio=1 << 20, ratio=100)
    source = io.BytesIO(PACKERS[kind](bytes(64 << 20)))
    given = 0

    def read_on() -> None:
        nonlocal given
        unpacked = unpack(source, kind, caps)
        while chunk := unpacked.read(4096):
            given += len(chunk)

    with pytest.raises(FileFault, match=r"unpack to more than \d+, which is the most") as caught:
        read_on()
    assert caught.value.code == "too_much_unpacked"
    assert given <= caps.most(size_of(source))
    assert fault_of(PACKERS[kind](ROWS), kind, Caps(total_bytes=len(ROWS) - 1)) == "too_much_unpacked"
    assert read(PACKERS[kind](ROWS), kind, Caps(total_bytes=len(ROWS))) == ROWS


@KINDS
def test_what_is_held_of_a_bomb_is_a_chunk(kind: Compression) -> None:
    bomb, held = PACKERS[kind](bytes(64 << 20)), []
    caps = Caps(bytes_at_any_ratio=32 << 20, ratio=10)
    source = unpack(io.BytesIO(bomb), kind, caps)

    def read_on() -> None:
        while source.read(1):
            held.append(len(source._chunk))  # type: ignore[attr-defined]
            source.seek(held[-1] - 1, io.SEEK_CUR)

    with pytest.raises(FileFault):
        read_on()
    assert max(held) <= OUTPUT_BYTES
    assert sum(held) <= caps.most(len(bomb))


def test_zstd_that_would_need_a_lot_of_memory_is_refused() -> None:
    data = random.Random(5).randbytes(1000)

    def packed(window_log: int) -> bytes:
        # Streamed, so that the frame does not say that it is small.
        packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: window_log})
        return packer.compress(data) + packer.flush()

    with pytest.raises(FileFault, match="pack it without --long or --ultra") as caught:
        read(packed(27), "zstd")
    assert caught.value.code == "too_much_unpacked"
    assert read(packed(25), "zstd") == data


def test_a_gzip_with_everything_in_its_header_is_read() -> None:
    bare = zlib.compressobj(wbits=-15)
    body = bare.compress(ROWS) + bare.flush()
    trailer = zlib.crc32(ROWS).to_bytes(4, "little") + len(ROWS).to_bytes(4, "little")
    header = b"\x1f\x8b\x08\x1c" + bytes(6) + b"\x02\0ab" + b"orders.csv\0" + b"of today\0"
    assert read(header + body + trailer, "gzip") == ROWS


def test_seeking_is_as_in_a_file() -> None:
    source: BinaryIO = unpack(io.BytesIO(gzip.compress(ROWS * 40)), "gzip")
    plain = io.BytesIO(ROWS * 40)
    choose = random.Random(7)
    for _ in range(50):
        at, size = choose.randrange(len(ROWS) * 40), choose.randrange(300_000)
        assert source.seek(at) == plain.seek(at)
        assert source.read(size) == plain.read(size)
    assert source.readable()
    assert source.seekable()
