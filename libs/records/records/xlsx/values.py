"""Values of cells as texts, or why a cell has none.

| cell | text |
|---|---|
| number | the shortest that reads back, whole ones without a fraction; one written as whole stays as it is |
| number shown as a date | YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SS.mmm where it has a time, .uuuuuu where it is finer |
| number shown as a time | HH:MM:SS, with .ffffff where needed; elapsed ones may have more than 24 hours |
| boolean | true, false |
| text | as it is |
"""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from records.types import SHOWN_CHARACTERS
from records.xlsx.formats import Shown

DAY = 86_400_000_000
"""Microseconds."""
NOISE = 5
"""Microseconds that a number of 15 digits is off from the millisecond that it was made of."""
LAST_DAY, LAST_DAY_1904 = 2_958_465, 2_957_003
NO_DAY = 60
"""Excel has a 29 February 1900, which was not."""
EXACT_DIGITS = 17
_NUMBER = re.compile(r"([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,5})?")


class CellFault(NamedTuple):
    """Why a cell has no text, and what can be shown of it."""

    code: str
    what: str
    shown: str | None


class Moment(str):
    """The text of a day or time that is one in the file itself."""

    __slots__ = ()


def number_text(text: str) -> str | CellFault:
    """The text of a number."""
    found = _NUMBER.fullmatch(text)
    if not found:
        return CellFault("invalid_number", f'"{text[:SHOWN_CHARACTERS]}" is no number', text)
    sign, digits, power = found.groups()
    if not power and digits.isdecimal():
        digits = digits.lstrip("0")
        return f"{sign.strip('+')}{digits}" if digits else "0"
    value = float(text)
    if value in (float("inf"), float("-inf")):
        return CellFault("not_finite", f'"{text[:SHOWN_CHARACTERS]}" is beyond all numbers of Excel', text)
    shortest = repr(value + 0.0)
    if len(digits.replace(".", "").strip("0")) > EXACT_DIGITS and Decimal(text) not in (
        Decimal(shortest),
        Decimal(value),
    ):
        return CellFault("number_not_exact", f'"{text[:SHOWN_CHARACTERS]}" has more digits than Excel keeps', text)
    if value.is_integer() and abs(value) < 1 << 63:
        return f"{Decimal(shortest):.0f}"
    return shortest


def day_text(text: str, shown: Shown, *, is_1904: bool) -> str | CellFault:
    """The text of a number that counts days."""
    made = number_text(text)
    if isinstance(made, CellFault):
        return made
    serial = float(made)
    last = LAST_DAY_1904 if is_1904 else LAST_DAY
    if not 0 <= serial < last + 1:
        return CellFault("out_of_range", f"{made} is no day from 1900 to 9999", made)
    days, microseconds = _split(serial)
    if shown is Shown.ELAPSED or (shown is Shown.TIME and not days):
        return _time(days * 24, microseconds)
    if not is_1904 and days in (0, NO_DAY):
        which = "29 February 1900" if days else "0 January 1900"
        return CellFault("out_of_range", f"{made} is {which}, which is no day", made)
    first = datetime(1904, 1, 1) if is_1904 else datetime(1899, 12, 31 if days < NO_DAY else 30)
    moment = first + timedelta(days, microseconds=microseconds)
    if shown is Shown.DAY and not microseconds:
        return Moment(moment.date().isoformat())
    return Moment(moment.isoformat(timespec="microseconds" if microseconds % 1000 else "milliseconds"))


def _split(serial: float) -> tuple[int, int]:
    """Days, and microseconds of the day: of a whole millisecond where it is that but for noise."""
    days = int(serial)
    microseconds = round((serial - days) * DAY)
    whole = round(microseconds / 1000) * 1000
    if abs(microseconds - whole) <= NOISE:
        microseconds = whole
    return days + microseconds // DAY, microseconds % DAY


def _time(hours: int, microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 1_000_000)
    text = f"{hours + seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{rest:06d}" if rest else text


def plain_text(text: str) -> str | CellFault:
    """A text as it is."""
    if not text.isascii() and not _is_text(text):
        shown = text.encode(errors="backslashreplace").decode()
        return CellFault("lone_surrogate", "half of a surrogate pair without the other", shown)
    return text if "\0" not in text else CellFault("nul", "NUL in a text", text)


def moment_text(text: str) -> str | CellFault:
    """A day or time that is written as ISO 8601."""
    made = plain_text(text)
    return Moment(made) if isinstance(made, str) else made


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def boolean_text(text: str) -> str | CellFault:
    """true or false."""
    if text in ("1", "true"):
        return "true"
    return "false" if text in ("0", "false") else CellFault("invalid_boolean", f'"{text[:80]}" is no boolean', text)
