"""Which encoding the beginning of a file is in, and which it might be."""

import codecs
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast, get_args

from waybill_contracts.format import Encoding, Format

from records.encodings import BOMS, MULTIBYTE

FEW_INVALID_ROWS = 3
"""So many rows of a sample may be no UTF-8 and are rejects; where more are, the file is in another encoding."""
MOST_ENCODINGS = 5
NUL_SHARE = 0.3
"""Of every second byte: what text of UTF-16 has, where it is of a language that is written in Latin letters."""
PREFERRED: tuple[Encoding, ...] = ("windows-1252", "iso-8859-15", "windows-1250", "cp850", "mac-roman")
EASTERN = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "HANGUL")


@dataclass(frozen=True)
class Guess:
    """An encoding, and how much of what is not ASCII makes words in it, from 0 to 1."""

    encoding: Encoding
    score: float = 1.0


def bom_of(head: bytes) -> Encoding | None:
    """The encoding that a byte-order mark tells."""
    found = next((encoding for mark, encoding in BOMS if head.startswith(mark)), None)
    return None if found is None else cast("Encoding", found.removesuffix("-le").removesuffix("-be"))


def guess_encodings(head: bytes, declared: Format) -> list[Guess]:
    """The encoding, if that is certain; else those that it might be, the likeliest first, always two or more.

    A byte-order mark goes first, then what is declared, then strict UTF-8.
    """
    if mark := bom_of(head):
        return [Guess(mark)]
    if declared.encoding:
        return [Guess(declared.encoding)]
    if wide := _without_mark(head):
        return [Guess(wide, 0.9), Guess("utf-8", 0.1)]
    if count_invalid_rows(head) <= FEW_INVALID_ROWS:
        return [Guess("utf-8")]
    found = sorted(_plausible(head), key=lambda guess: -guess.score)[:MOST_ENCODINGS]
    return [*found, Guess("utf-8", 0.0)]


def count_invalid_rows(head: bytes) -> int:
    """Lines that are no UTF-8."""
    if head.isascii() or is_utf8(head):
        return 0
    return sum(not is_utf8(line) for line in head.split(b"\n"))


def is_utf8(data: bytes) -> bool:
    """Whether it is, but for a character that the end cuts off."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def shown_text(data: bytes, encoding: Encoding) -> bytes:
    """The same text as UTF-8, to look at: what is no text, or is cut off, becomes U+FFFD."""
    return data.decode(encoding, errors="replace").encode(errors="replace")


def _without_mark(head: bytes) -> Encoding | None:
    """UTF-16 without a byte-order mark has a NUL in nearly every second byte, and in few others."""
    if len(head) < 4:
        return None
    half = len(head) // 2
    even, odd = head[0::2].count(0) / half, head[1::2].count(0) / half
    if odd > NUL_SHARE > 10 * even:
        return "utf-16-le"
    return "utf-16-be" if even > NUL_SHARE > 10 * odd else None


def _plausible(head: bytes) -> Iterator[Guess]:
    """Encodings in which the bytes are text; of those that give the same text, the one that is preferred."""
    known = [*PREFERRED, *(each for each in get_args(Encoding) if each not in PREFERRED)]
    seen: set[str] = set()
    for encoding in known:
        if encoding.startswith(("utf", "ascii")):
            continue
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head)
        except UnicodeDecodeError:
            continue
        if text in seen or any(unicodedata.category(sign) == "Cc" for sign in set(text) - set("\t\r\n")):
            continue
        seen.add(text)
        yield Guess(encoding, round(_likely(text, encoding), 3))


def _likely(text: str, encoding: Encoding) -> float:
    """The share of signs beyond ASCII that are letters in a word of their own script and case."""
    places = [at for at, sign in enumerate(text) if not sign.isascii()]
    if encoding in MULTIBYTE:
        fits = sum(unicodedata.name(text[at], "").startswith(EASTERN) for at in places)
        return 0.9 * fits / max(1, len(places))
    preference = 1 - 0.01 * (PREFERRED.index(encoding) if encoding in PREFERRED else len(PREFERRED))
    return preference * sum(_fits(text, at) for at in places) / max(1, len(places))


def _fits(text: str, at: int) -> bool:
    """Whether a letter stands beside letters of its script, as upper or lower case as in words."""
    sign = text[at]
    if not sign.isalpha():
        return sign in "€£§°–—’“”„«»…"
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if before.isalpha() and sign.isupper() and before.islower():
        return False
    beside = [each for each in (before, after) if each.isalpha()]
    return all(_script(each) == _script(sign) for each in beside)


def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").split(" ")[0]
