"""Where records end: vectorised where all quotes are well formed, exact and one by one where they are not."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from records.text_views import Bytes, Positions

QUOTE, COMMA, LF, CR = b'",\n\r'

TEXT_AFTER_QUOTE = "text_after_quote"
QUOTE_IN_FIELD = "quote_in_field"

_QUOTED = rb'"[^"]*+(?:""[^"]*+)*"(?!")'
_FIELD = rb"(?:" + _QUOTED + rb'|[^",\n]*+)'
FIELD = re.compile(rb"(" + _QUOTED + rb'|[^",\n]*+)(,|\r?\n)')
GOOD_FIELDS = re.compile(rb"(?:" + _FIELD + rb",)*")
GOOD_RECORD = re.compile(rb"(?:" + _FIELD + rb",)*" + _FIELD + rb"\r?\n")
# What follows a closing quote belongs to the field, and a quote inside an unquoted field opens nothing.
_LAX_FIELD = rb"(?:" + _QUOTED + rb'[^,\n]*+|(?!")[^,\n]*+)'
LAST_FIELD = re.compile(_FIELD + rb"\r?\n")
LAX_RECORD = re.compile(rb"(?:" + _LAX_FIELD + rb",)*" + _LAX_FIELD + rb"\n")


class QuoteFault(NamedTuple):
    """A record whose quotes break the grammar; `end` lies behind its line end."""

    start: int
    end: int
    code: str


@dataclass
class Scan:
    """Whole records fill the buffer up to `end`; `faults` are those with a quote fault, in order."""

    end: int
    faults: list[QuoteFault] = field(default_factory=list)


def scan(buffer: bytes, *, exact: bool = False) -> Scan:
    """Find the whole records at the beginning of a buffer that starts outside quotes."""
    data = np.frombuffer(buffer, np.uint8)
    quotes = np.flatnonzero(data == QUOTE)
    if not exact and not quotes.size:
        return Scan(buffer.rfind(b"\n") + 1)
    if exact or not _are_well_formed(data, quotes):
        return _walk(buffer)
    end = buffer.rfind(b"\n") + 1
    if np.searchsorted(quotes, end) & 1 == 0:
        return Scan(end)
    line_ends = np.flatnonzero(data == LF)
    outside = line_ends[np.searchsorted(quotes, line_ends) & 1 == 0]
    return Scan(int(outside[-1]) + 1 if outside.size else 0)


def _are_well_formed(data: Bytes, quotes: Positions) -> bool:
    """Whether each quote opens a field, closes one, or is half of a doubled quote."""
    # A quote at the very end may still turn out to be anything: the next scan sees it again.
    padded = np.concatenate(([LF], data, [LF, LF]))
    before = padded.take(quotes[0::2])
    closing = quotes[1::2] + 1
    after, behind = padded.take(closing + 1), padded.take(closing + 2)
    is_end = (after == COMMA) | (after == LF) | (after == QUOTE)
    is_end |= (after == CR) & ((behind == LF) | (closing + 1 >= len(data)))
    return bool(((before == COMMA) | (before == LF) | (before == QUOTE)).all() and is_end.all())


def _walk(buffer: bytes) -> Scan:
    """Go from quote to quote; whole lines between records with quotes are passed at once."""
    found = Scan(0)
    while (quote := buffer.find(b'"', found.end)) >= 0:
        start = max(buffer.rfind(b"\n", found.end, quote) + 1, found.end)
        prefix = GOOD_FIELDS.match(buffer, start)
        at = prefix.end() if prefix else start
        rest = LAST_FIELD.match(buffer, at)
        if not rest:
            rest = LAX_RECORD.match(buffer, at)
            if not rest:
                found.end = start
                return found
            found.faults.append(
                QuoteFault(start, rest.end(), TEXT_AFTER_QUOTE if buffer[at] == QUOTE else QUOTE_IN_FIELD)
            )
        found.end = rest.end()
    found.end = max(buffer.rfind(b"\n") + 1, found.end)
    return found
