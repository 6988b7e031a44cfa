"""Text in other encodings as UTF-8, block by block; what is no text in them is no UTF-8 either."""

import codecs
from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal, cast

import numpy as np
from waybill_contracts.format import Encoding

from records.errors import FileFault
from records.streams import MadeBytes

BLOCK_BYTES = 1 << 18
BOMS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""In this order: the mark of UTF-32 begins with that of UTF-16."""
MULTIBYTE = ("shift_jis", "euc-jp", "gb18030", "big5", "euc-kr")
AMBIGUOUS = ("euc-jp", "euc-kr")
"""Some of their characters can be written in two lengths; only the one that Python writes is taken."""
MOST_OF_ALL = 0x10FFFF
"""The last character."""

_INVALID = "\udcff"
_INVALID_UTF_8 = _INVALID.encode("utf-8", "surrogatepass")


def _mark_invalid(error: UnicodeError) -> tuple[str, int]:
    """A mark for each byte that is no text."""
    fault = cast("UnicodeDecodeError", error)
    return _INVALID * (fault.end - fault.start), fault.end


def _keep_unit(error: UnicodeError) -> tuple[str, int]:
    """A surrogate for each unit of UTF-16 or UTF-32 that is no text: the one that it is, where it is one."""
    fault = cast("UnicodeDecodeError", error)
    size = 2 if fault.encoding.startswith("utf-16") else 4
    order: Literal["little", "big"] = "little" if fault.encoding.endswith("le") else "big"
    unit = int.from_bytes(fault.object[fault.start : fault.start + size], order)
    return chr(unit if 0xD800 <= unit < 0xE000 else 0xDFFF), fault.start + size


codecs.register_error("waybill.mark", _mark_invalid)
codecs.register_error("waybill.unit", _keep_unit)


def encoding_of(beginning: bytes, declared: Encoding | None) -> str:
    """The encoding of text that begins so: as its byte-order mark says, else as declared, else UTF-8."""
    for mark, encoding in BOMS:
        if beginning.startswith(mark):
            return encoding
    if declared == "utf-16":
        text = "encoding utf-16 needs a byte-order mark, and there is none: declare utf-16-le or utf-16-be"
        raise FileFault("no_byte_order_mark", text)
    return _utf_32_of(beginning) if declared == "utf-32" else declared or "utf-8"


def _utf_32_of(beginning: bytes) -> str:
    """Characters are below 2^21: the other order has none of them."""
    little, big = int.from_bytes(beginning[:4], "little"), int.from_bytes(beginning[:4], "big")
    if len(beginning) < 4 or (little <= MOST_OF_ALL) == (big <= MOST_OF_ALL):
        raise FileFault("no_byte_order_mark", "the file has no byte-order mark, and does not begin as UTF-32 does")
    return "utf-32-le" if little <= MOST_OF_ALL else "utf-32-be"


def as_utf8(source: BinaryIO, declared: Encoding | None) -> BinaryIO:
    """The text as UTF-8, from its beginning; the source itself where it is UTF-8 already, mark and faults and all."""
    source.seek(0)
    beginning = source.read(4)
    source.seek(0)
    encoding = encoding_of(beginning, declared)
    return source if encoding == "utf-8" else cast("BinaryIO", Utf8(source, encoding))


class Utf8(MadeBytes):
    """Text in another encoding as UTF-8; a byte-order mark stays one.

    A byte that is no text becomes 0xFF, half a pair of UTF-16 the same in UTF-8, which forbids both. Reading it to its
    end has read all of the source.
    """

    def __init__(self, source: BinaryIO, encoding: str, block_bytes: int = BLOCK_BYTES) -> None:
        super().__init__(lambda: _utf8(source, encoding, block_bytes))
        self.encoding = encoding
        self._size = _sizes(encoding)

    def sent_size(self, utf8: bytes) -> int:
        """How many bytes of the file these bytes stand for; cut between characters."""
        return self._size(utf8)


def _utf8(source: BinaryIO, encoding: str, block_bytes: int) -> Iterator[bytes]:
    source.seek(0)
    decode = UnitDecoder(encoding) if encoding.startswith("utf-") else ByteDecoder(encoding)
    while block := source.read(block_bytes):
        yield decode.give(block)
    yield decode.end()


class UnitDecoder:
    """UTF-16 and UTF-32."""

    def __init__(self, encoding: str) -> None:
        self._unit = 2 if encoding.startswith("utf-16") else 4
        self._decoder = codecs.getincrementaldecoder(encoding)("waybill.unit")

    def give(self, block: bytes) -> bytes:
        """What is known with these bytes."""
        return self._decoder.decode(block).encode("utf-8", "surrogatepass")

    def end(self) -> bytes:
        """The rest; bytes at the end that are no unit are none of the text."""
        pending, _ = self._decoder.getstate()
        whole = len(pending) - len(pending) % self._unit
        self._decoder.reset()
        text = self._decoder.decode(pending[:whole], final=True)
        return text.encode("utf-8", "surrogatepass") + b"\xff" * (len(pending) - whole)


class ByteDecoder:
    """Encodings whose characters are one byte or several; ASCII is the same in all of them."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("waybill.mark")
        self._is_ambiguous = encoding in AMBIGUOUS

    def give(self, block: bytes) -> bytes:
        """What is known with these bytes."""
        pending, _ = self._decoder.getstate()
        return block if not pending and block.isascii() else self._give(block, final=False)

    def end(self) -> bytes:
        """The rest."""
        return self._give(b"", final=True)

    def _give(self, block: bytes, *, final: bool) -> bytes:
        before = self._decoder.getstate()
        text = self._decoder.decode(block, final)
        if self._is_ambiguous and self._length(text) != self._taken(before, block):
            self._decoder.setstate(before)
            text = self._one_by_one(block, final=final)
        utf8 = text.encode("utf-8", "surrogatepass")
        return utf8.replace(_INVALID_UTF_8, b"\xff") if _INVALID in text else utf8

    def _length(self, text: str) -> int:
        invalid = text.count(_INVALID)
        return len(text.replace(_INVALID, "").encode(self._encoding)) + invalid

    def _taken(self, before: tuple[bytes, int], block: bytes) -> int:
        return len(before[0]) + len(block) - len(self._decoder.getstate()[0])

    def _one_by_one(self, block: bytes, *, final: bool) -> str:
        """The same, where a character that is not written as it should be is no text."""
        texts = []
        for number in range(len(block) + 1):
            is_end = number == len(block)
            before = self._decoder.getstate()
            data = block[number : number + 1]
            text = self._decoder.decode(data, final and is_end)
            taken = self._taken(before, data)
            texts.append(text if self._length(text) == taken else _INVALID * taken)
        return "".join(texts)


def _sizes(encoding: str) -> Callable[[bytes], int]:
    """How many bytes text that came out took in the file."""
    if encoding in MULTIBYTE:
        return lambda utf8: _encoded_size(utf8, encoding)
    unit = {"utf-16": 2, "utf-32": 4}.get(encoding[:6], 1)
    return lambda utf8: _counted_size(utf8, unit)


def _encoded_size(utf8: bytes, encoding: str) -> int:
    if utf8.isascii():
        return len(utf8)
    return utf8.count(b"\xff") + len(utf8.replace(b"\xff", b"").decode().encode(encoding))


def _counted_size(utf8: bytes, unit: int) -> int:
    """By the first byte of each character; what is beyond the first plane is a pair of UTF-16."""
    if utf8.isascii():
        return len(utf8) * unit
    data = np.frombuffer(utf8, np.uint8)
    characters = int(np.count_nonzero((data & 0xC0) != 0x80))
    invalid = int(np.count_nonzero(data == 0xFF))
    pairs = int(np.count_nonzero(data >= 0xF0)) - invalid if unit == 2 else 0
    return (characters - invalid + pairs) * unit + invalid
