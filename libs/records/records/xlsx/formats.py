"""What a number format shows a number as: only it tells dates and times of day from other numbers."""

import re
from enum import Enum


class Shown(Enum):
    """A number is a number, or counts days."""

    NUMBER = "number"
    DAY = "day"
    TIME = "time"
    ELAPSED = "elapsed"


_BUILT_IN = (
    dict.fromkeys([*range(14, 18), 22, *range(27, 32), 34, 35, 36, *range(50, 59)], Shown.DAY)
    | dict.fromkeys([*range(18, 22), 32, 33, 45, 47], Shown.TIME)
    | {46: Shown.ELAPSED}
)
_LITERAL = re.compile(r'"[^"]*"?|\\.|_.|\*.', re.DOTALL)
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]")
_BRACKETS = re.compile(r"\[[^\]]*\]?")
_CLOCK = re.compile(r"[hs]|am/pm|a/p")


def shown_as(number: int, codes: dict[int, str]) -> Shown:
    """Of a format by its number, and the codes of those that the workbook has itself."""
    if number not in codes:
        return _BUILT_IN.get(number, Shown.NUMBER)
    code = _LITERAL.sub("", codes[number].lower().partition(";")[0] if ";" in codes[number] else codes[number].lower())
    if "general" in code:
        return Shown.NUMBER
    if _ELAPSED.search(code):
        return Shown.ELAPSED
    code = _BRACKETS.sub("", code)
    if re.search("[yd]", code):
        return Shown.DAY
    if _CLOCK.search(code):
        return Shown.TIME
    return Shown.DAY if "m" in code else Shown.NUMBER
