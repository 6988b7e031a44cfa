"""Planted files whose quoted texts have lines that look like rows: none of them becomes one beside a fault."""

from collections.abc import Iterator
from random import Random

from .planted.tables import Clean, Dialect, make
from .test_planted import by_dialect, planted


def files(dialect: Dialect) -> Iterator[tuple[Clean, Random]]:
    for shape in ("pairs", "single"):
        for size in (3, 16):
            yield make(dialect, shape, size, seed=size, is_hard=True), Random(f"{dialect.name} {shape} {size}")


@by_dialect
def test_no_line_of_a_quoted_text_becomes_a_row_beside_a_fault(dialect: Dialect) -> None:
    if dialect.quote:
        planted(files(dialect))
