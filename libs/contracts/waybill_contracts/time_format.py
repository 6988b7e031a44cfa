"""How dates and timestamps are written in files: those directives of strptime that leave nothing open."""

import re
from collections import Counter
from itertools import pairwise

DIRECTIVES = "YmbBdHIpMSfz"
MONTHS = "mbB"
HOURS = "HI"
OF_DAY = "HIpMSfz"
"""Directives that a date has none of."""
DIGITS = "YmdHIMS"
"""Directives of a fixed number of digits."""
TIMESTAMPS = ("timestamp", "timestamp(6)")
_PIECE = re.compile(r"%%|%.?|[^%]+", re.DOTALL)


def pieces_of(text: str) -> list[str]:
    """A format's directives, each `%` and a letter, and the texts between them, with `%%` for a percent sign."""
    return _PIECE.findall(text)


def check_time_format(text: str, kind: str) -> None:
    """Raise ValueError unless each value of this format is one day, or one moment but for its zone."""
    if kind != "date" and kind not in TIMESTAMPS:
        raise ValueError(f"expected only for types date and timestamp, not {kind}")
    pieces = pieces_of(text)
    letters = [piece[1:] for piece in pieces if piece.startswith("%") and piece != "%%"]
    _check_directives(letters)
    if kind == "date":
        _check_day_alone(letters)
    else:
        _check_time_of_day(letters)
    for piece, after in pairwise(pieces):
        if piece == "%f" and (after[0] in "0123456789" or (after[0] == "%" and after[1] in DIGITS)):
            raise ValueError(f"expected no digits behind %f, which has 1 to 6 of them, found {after}")


def _check_directives(letters: list[str]) -> None:
    """Known ones, each once, and a whole day among them."""
    if "y" in letters:
        raise ValueError("expected %Y, found %y: two digits of a year do not tell the century")
    if unknown := [letter for letter in letters if letter not in DIRECTIVES or not letter]:
        known = ", ".join(f"%{letter}" for letter in DIRECTIVES)
        raise ValueError(f"expected of directives only {known} (and %% for a percent sign), found %{unknown[0]}")
    if doubled := [letter for letter, count in Counter(letters).items() if count > 1]:
        raise ValueError(f"expected %{doubled[0]} once")
    if sum(letter in MONTHS for letter in letters) != 1:
        raise ValueError("expected one month: %m, %b or %B")
    if missing := [f"%{letter}" for letter in "Yd" if letter not in letters]:
        raise ValueError(f"expected {' and '.join(missing)}: without, no day is told")


def _check_day_alone(letters: list[str]) -> None:
    if found := [f"%{letter}" for letter in letters if letter in OF_DAY]:
        raise ValueError(f"expected no {', '.join(found)}: a date has no time of day")


def _check_time_of_day(letters: list[str]) -> None:
    if sum(letter in HOURS for letter in letters) != 1:
        raise ValueError("expected one hour, %H or %I with %p: days without a time are of type date")
    if ("I" in letters) != ("p" in letters):
        raise ValueError("expected %I and %p together: hours from 1 to 12 need AM or PM, others have none")
    for smaller, larger in (("S", "M"), ("f", "S")):
        if smaller in letters and larger not in letters:
            raise ValueError(f"expected %{larger} beside %{smaller}")
