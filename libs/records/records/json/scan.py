"""How the brackets, strings and commas of JSON lie in bytes, found with arithmetic over many of them at once.

All of it is right up to the first byte that JSON does not allow where it stands.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from records.text_views import Bytes, Mask, Positions

QUOTE, COMMA = b'",'
OPENING_BY_CLOSING = {b"]"[0]: b"["[0], b"}"[0]: b"{"[0]}
CHUNK_BYTES = 1 << 18
_STEPS = np.zeros(256, np.int8)
_STEPS[[*b"[{"]] = 1
_STEPS[[*b"]}"]] = -1
_IS_STRUCTURE: Mask = _STEPS != 0
_IS_STRUCTURE[[QUOTE, COMMA]] = True
_SPACE, _STRING = rb"[ \t\r\n]*+", rb'"(?:[^"\\]++|\\.)*+"'
# A comma or colon may be missing between a string and another value, but then there is space between them.
_BEFORE = rb'(?:(?:[{\[,:]|(?<=")|\A)' + _SPACE + rb"|(?<=[0-9el\]}])[ \t\r\n]++)"
_BEHIND = rb"(?=" + _SPACE + rb'(?:[,:\]}"]|\Z)|[ \t\r\n]++[-0-9tfn\[{])'
_WELL_QUOTED = re.compile(
    rb"(?:" + _BEFORE + _STRING + _BEHIND + rb'|[{\[,:]|[ \t\r\n]++|[^"\\{\[,: \t\r\n]++)*+', re.DOTALL
)


class Structure(NamedTuple):
    """Brackets and commas outside strings, and how deep each leaves one in; the beginning has depth 0."""

    positions: Positions
    kinds: Bytes
    depths: Positions


class Separators(NamedTuple):
    """Where the elements of an array end: at a comma each, and at the bracket that closes the array."""

    positions: Positions
    is_closed: bool


def structures(data: bytes) -> Iterator[Structure]:
    """Of bytes that begin outside a string, a chunk at a time."""
    if b"\\" in data:
        # Pairs from the left, so what is left of a run of backslashes escapes the quote behind it.
        data = data.replace(b"\\\\", b"  ").replace(b'\\"', b"  ")
    is_inside, depth = 0, 0
    for start in range(0, len(data), CHUNK_BYTES):
        signs = np.frombuffer(data, np.uint8, min(CHUNK_BYTES, len(data) - start), start)
        positions: Positions = np.flatnonzero(_IS_STRUCTURE[signs])
        kinds = signs[positions]
        is_quote = kinds == QUOTE
        inside = np.cumsum(is_quote) + is_inside & 1
        is_outside = ~is_quote & (inside == 0)
        kinds = kinds[is_outside]
        depths = np.cumsum(_STEPS[kinds], dtype=np.int64) + depth
        yield Structure(positions[is_outside] + start, kinds, depths)
        is_inside = int(inside[-1]) if inside.size else is_inside
        depth = int(depths[-1]) if depths.size else depth


def first_deeper(data: bytes, most: int) -> int | None:
    """Where arrays and objects are first in each other more than `most` times."""
    for found in structures(data):
        deeper = np.flatnonzero(found.depths > most)
        if deeper.size:
            return int(found.positions[deeper[0]])
    return None


def count_structure(data: bytes) -> int:
    """How many commas and brackets there are outside strings."""
    return sum(len(found.positions) for found in structures(data))


def separators(data: bytes) -> Separators:
    """Of bytes that begin at an element of an array."""
    parts = []
    for found in structures(data):
        is_separator = (found.kinds == COMMA) & (found.depths == 0)
        closing = np.flatnonzero(found.depths < 0)[:1]
        if closing.size:
            is_separator[closing[0] :] = False
            is_separator[closing] = True
        parts.append(found.positions[is_separator])
        if closing.size:
            return Separators(np.concatenate(parts), True)
    return Separators(np.concatenate(parts) if parts else np.empty(0, np.int64), False)


def is_whole(element: bytes) -> bool:
    """Whether an element of an array, wrong as it is, surely ends where `separators` found it to.

    Its quotes stand where strings begin and end, and its brackets are closed by their like, the outermost at its end.
    """
    return bool(_WELL_QUOTED.fullmatch(element)) and _is_nested(element)


def _is_nested(element: bytes) -> bool:
    opened, last = bytearray(), -1
    for found in structures(element):
        is_bracket = _STEPS[found.kinds] != 0
        for position, kind in zip(found.positions[is_bracket].tolist(), found.kinds[is_bracket].tolist(), strict=True):
            if not opened and position:
                return False
            if kind not in OPENING_BY_CLOSING:
                opened.append(kind)
            elif not opened or opened.pop() != OPENING_BY_CLOSING[kind]:
                return False
            last = position
    return not opened and last in (-1, len(element) - 1)
