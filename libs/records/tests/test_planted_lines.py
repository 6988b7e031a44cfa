"""Planted files whose quoted texts have lines that look like rows: none of them becomes one beside a fault."""

from collections.abc import Iterator
from random import Random

import pytest

from .planted.tables import Clean, Dialect, make
from .test_planted import by_dialect, planted


def files(dialect: Dialect) -> Iterator[tuple[Clean, Random]]:
    for shape in ("pairs", "single"):
        for size in (3, 16):
            yield make(dialect, shape, size, seed=size, is_hard=True), Random(f"{dialect.name} {shape} {size}")


STILL_DIFFERENT = {
    "comma, LF",
    "comma, CRLF of any",
    "semicolon, LF",
    "tab, LF",
    "pipe, single quotes, CR of any",
    "semicolon, single quotes, backslash, CRLF",
}
"""A known fault of ours: behind a misplaced quote reading starts again at the next line end, also where that lies in a
quoted text, so that a line of the text that looks like a row is taken for one. Whoever mends it, mends this list."""


@by_dialect
def test_no_line_of_a_quoted_text_becomes_a_row_beside_a_fault(dialect: Dialect) -> None:
    if dialect.name in STILL_DIFFERENT:
        with pytest.raises(AssertionError, match="row"):
            planted(files(dialect))
    elif dialect.quote:
        planted(files(dialect))
