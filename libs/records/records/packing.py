"""Compressed files, unpacked while they are read: what comes out is bounded, and proven to be all that was packed."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol, cast

from backports import zstd
from waybill_contracts.format import Compression

from records.errors import FileFault
from records.streams import made

INPUT_BYTES = 1 << 16
OUTPUT_BYTES = 1 << 18


@dataclass(frozen=True)
class Caps:
    """What a packed file may unpack to, and cost on the way."""

    total_bytes: int = 20 << 30
    ratio: int = 1100
    """Above what deflate can do (1032): only the other kinds can be stopped by it."""
    bytes_at_any_ratio: int = 64 << 20
    """Rows that are all the same make 10,000 of one with zstd."""
    window_bytes: int = 32 << 20
    """What zstd may have to remember; only its `--ultra` and `--long` ask for more than 8 MiB."""
    entries: int = 1000
    directory_bytes: int = 1 << 20

    def most(self, packed: int) -> int:
        """How many bytes may come out of so many."""
        return min(self.total_bytes, max(self.bytes_at_any_ratio, self.ratio * packed))


CAPS = Caps()
GZIP, ZIP, EMPTY_ZIP, ZSTD = b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06", b"\x28\xb5\x2f\xfd"
UNSUPPORTED = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x1f\x9d": "compress",
}
BZIP2_BLOCK = b"1AY&SY"
TAR_AT, TAR = 257, b"ustar"
BEGINNING_BYTES = TAR_AT + len(TAR)


def compression_of(beginning: bytes) -> str | None:
    """What packed the file that begins so: gzip, zip or zstd, or something that is not read; None: nothing did."""
    if beginning.startswith(GZIP):
        return "gzip"
    if beginning.startswith((ZIP, EMPTY_ZIP)):
        return "zip"
    if _is_zstd(beginning):
        return "zstd"
    if beginning[TAR_AT:BEGINNING_BYTES] == TAR:
        return "tar"
    name = next((name for magic, name in UNSUPPORTED.items() if beginning.startswith(magic)), None)
    return None if name == "bzip2" and beginning[4:10] != BZIP2_BLOCK else name


def found_compression(source: BinaryIO) -> Compression:
    """What packed the file, by how it begins; FileFault where that is known, and not read."""
    name = compression_of(peek(source)) or "none"
    if name in ("none", "gzip", "zip", "zstd"):
        return cast("Compression", name)
    raise FileFault("unsupported_compression", f"the file is packed with {name}: send it packed with gzip, zip or zstd")


def _is_zstd(beginning: bytes) -> bool:
    # A frame that says nothing may stand before the others.
    return beginning.startswith(ZSTD) or (beginning[1:4] == b"\x2a\x4d\x18" and beginning[0] >> 4 == 5)


def peek(source: BinaryIO, size: int = BEGINNING_BYTES) -> bytes:
    """How the file begins; it is read from its beginning afterwards."""
    source.seek(0)
    beginning = source.read(size)
    source.seek(0)
    return beginning


def size_of(source: BinaryIO) -> int:
    """Bytes of the file; it is read from its beginning afterwards."""
    size = source.seek(0, 2)
    source.seek(0)
    return size


def unpack(source: BinaryIO, compression: Compression, caps: Caps = CAPS) -> BinaryIO:
    """What was packed, as a file that is unpacked while it is read, each time anew.

    Reading it to its end has read all of the source; FileFault where that is damaged, cut off, or unpacks to too much.
    """
    if compression == "none":
        return source
    kind = KINDS[compression]
    if not kind.begins(peek(source)):
        text = f"the file does not begin as {compression} does: declare what it is packed with, or compression: none"
        raise FileFault(kind.code, text)
    packed = size_of(source)
    return made(lambda: capped(_members(source, kind, caps), packed, caps))


def capped(chunks: Iterator[bytes], packed: int, caps: Caps) -> Iterator[bytes]:
    """The chunks, as long as they are not too much."""
    most, size = caps.most(packed), 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise too_much_unpacked(packed, most)
        yield chunk


def too_much_unpacked(packed: int, most: int) -> FileFault:
    """The fault of a file that unpacks to too much."""
    text = f"the {packed} packed bytes unpack to more than {most}, which is the most that is taken of so many"
    return FileFault("too_much_unpacked", f"{text}: send the file in parts, or not packed")


class Decoder(Protocol):
    """Unpacks one member: what was packed at once."""

    @property
    def is_done(self) -> bool:
        """The member ended."""

    @property
    def is_hungry(self) -> bool:
        """It needs more bytes to go on."""

    @property
    def unused(self) -> bytes:
        """What follows the member in the bytes that were given."""

    def give(self, data: bytes) -> bytes:
        """What is known with these bytes; at most OUTPUT_BYTES."""


class Inflater:
    """Deflated bytes, bare or as gzip wraps them."""

    def __init__(self, wbits: int = zlib.MAX_WBITS | 16) -> None:
        self._inflate = zlib.decompressobj(wbits)
        self._is_full = False

    @property
    def is_done(self) -> bool:
        """The member ended."""
        return self._inflate.eof

    @property
    def is_hungry(self) -> bool:
        """It needs more bytes to go on."""
        return not self._is_full and not self._inflate.unconsumed_tail

    @property
    def unused(self) -> bytes:
        """What follows the member in the bytes that were given."""
        return self._inflate.unused_data

    def give(self, data: bytes) -> bytes:
        """What is known with these bytes; at most OUTPUT_BYTES."""
        given = self._inflate.decompress(self._inflate.unconsumed_tail + data, OUTPUT_BYTES)
        self._is_full = len(given) == OUTPUT_BYTES
        return given


class ZstdDecoder:
    """A frame of zstd."""

    def __init__(self, window_bytes: int) -> None:
        # Unlike others, this module bounds what one call gives, and tells a frame that was cut off.
        limit = {int(zstd.DecompressionParameter.window_log_max): window_bytes.bit_length() - 1}
        self._frame = zstd.ZstdDecompressor(options=limit)

    @property
    def is_done(self) -> bool:
        """The frame ended."""
        return self._frame.eof

    @property
    def is_hungry(self) -> bool:
        """It needs more bytes to go on."""
        return self._frame.needs_input

    @property
    def unused(self) -> bytes:
        """What follows the frame in the bytes that were given."""
        return self._frame.unused_data

    def give(self, data: bytes) -> bytes:
        """What is known with these bytes; at most OUTPUT_BYTES."""
        return self._frame.decompress(data, OUTPUT_BYTES)


@dataclass(frozen=True)
class Kind:
    """A way to pack one file: members one after the other, each beginning in its own way."""

    name: str
    code: str
    begins: Callable[[bytes], bool]
    decoder: Callable[[Caps], Decoder]


KINDS: dict[Compression, Kind] = {
    "gzip": Kind("gzip", "bad_gzip", lambda data: data.startswith(GZIP), lambda _: Inflater()),
    "zstd": Kind("zstd", "bad_zstd", _is_zstd, lambda caps: ZstdDecoder(caps.window_bytes)),
}


def _members(source: BinaryIO, kind: Kind, caps: Caps) -> Iterator[bytes]:
    source.seek(0)
    rest = source.read(INPUT_BYTES)
    while rest:
        rest += source.read(INPUT_BYTES) if len(rest) < len(ZSTD) else b""
        if not kind.begins(rest):
            at = source.tell() - len(rest)
            raise FileFault("trailing_bytes", f"what is packed with {kind.name} ends at byte {at}, the file goes on")
        decoder = kind.decoder(caps)
        yield from inflated(decoder, rest, source.read, kind)
        rest = decoder.unused or source.read(INPUT_BYTES)


def inflated(decoder: Decoder, data: bytes, read: Callable[[int], bytes], kind: Kind) -> Iterator[bytes]:
    """What the member gives that begins with these bytes and goes on with what can be read."""
    try:
        while True:
            yield decoder.give(data)
            if decoder.is_done:
                return
            data = read(INPUT_BYTES) if decoder.is_hungry else b""
            if decoder.is_hungry and not data:
                raise FileFault("truncated", f"the file ends inside what is packed with {kind.name}: send it again")
    except (zlib.error, zstd.ZstdError) as error:
        if "too much memory" in str(error):
            text = "unpacking takes more memory than there is for one file: pack it without --long or --ultra"
            raise FileFault("too_much_unpacked", text) from error
        raise FileFault(kind.code, f"what is packed with {kind.name} is damaged: {error}") from error
