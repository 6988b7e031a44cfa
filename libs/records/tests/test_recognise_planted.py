"""Where the dialect of a file with a planted fault is recognised, that is what the clean file was written in.

Else it is in doubt, or the columns are not the declared ones any more, for which it is held or refused.
"""

import io
from collections import Counter
from collections.abc import Iterator
from itertools import product
from random import Random

import pytest
from records.errors import FileFault
from records.formats import open_reader
from records.header import match
from records.recognise.recognition import recognise
from waybill_contracts import Declaration, Format

from .planted.dialects import DIALECTS
from .planted.faults import FIELDS, PLANTERS, ROWS, places
from .planted.tables import Clean, Dialect, make

BARE = Declaration(organisation="acme", table="planted", mode="append")
SIZES = (12,)
NOT_TOLD = ("tab, no quotes, backslash, LF", "pipe, caret, CR")
"""Two backslashes in a field without quotes are two, unless others stand before what ends it; `^` is no escape."""
COMMON = [dialect for dialect in DIALECTS if dialect.name not in NOT_TOLD]
by_dialect = pytest.mark.parametrize("dialect", COMMON, ids=lambda dialect: dialect.name)


def reading(content: bytes, file_format: Format) -> tuple[list[str], Counter[object]] | None:
    """Header and rows; None where the file is refused."""
    try:
        reader = open_reader(io.BytesIO(content), file_format)
        names = [f"c{number}" for number in range(len(reader.header))]
        rows = Counter(row[:-1] for block in reader.blocks(names) for row in block.frame.rows())
    except FileFault:
        return None
    return list(reader.header), rows


def outcome(content: bytes, clean: Clean, declaration: Declaration) -> str:
    """What becomes of the file before its rows are typed."""
    found = recognise(io.BytesIO(content), declaration, "planted.csv")
    if not found.is_certain:
        return "held"
    ours = reading(content, found.format)
    if ours is None or not _has_columns(ours[0], declaration):
        return "refused, or held for its columns"
    if not ours[1]:
        return "no rows"
    theirs = reading(content, clean.dialect.format)
    if ours == theirs:
        return "same"
    return "fewer rows" if theirs and ours[0] == theirs[0] and ours[1] <= theirs[1] else "different"


def _has_columns(header: list[str], declaration: Declaration) -> bool:
    try:
        return not declaration.columns or match(header, declaration).is_exact
    except FileFault:
        return False


def planted(dialect: Dialect, *, is_declared: bool) -> Iterator[tuple[str, Clean, bytes, Declaration]]:
    """Clean files and such with faults of every kind; where all fields are one, nothing tells what separates them."""
    shapes = ("orders", "pairs", "single") if dialect.name in ("comma, LF", "comma, CRLF") else ("orders", "pairs")
    for shape, size in product(shapes, SIZES):
        clean = make(dialect, shape, size, seed=size)
        declaration = clean.declaration if is_declared else BARE
        yield "clean", clean, clean.content, declaration
        rng = Random(f"{dialect.name} {shape} {size}")
        for name, plant in PLANTERS.items():
            edit = plant(places(clean, rng.choice(ROWS), rng.choice(FIELDS), is_quoted=rng.random() < 0.6), rng)
            if edit:
                yield name, clean, edit.of(clean.content), declaration


@by_dialect
@pytest.mark.parametrize("is_declared", [True, False], ids=["declared", "not declared"])
def test_a_fault_never_makes_another_dialect_of_a_file(dialect: Dialect, is_declared: bool) -> None:
    counts: Counter[str] = Counter()
    wrong = []
    for name, clean, content, declaration in planted(dialect, is_declared=is_declared):
        what = outcome(content, clean, declaration)
        counts[what] += 1
        if what == "different":
            wrong.append(f"{name}, {len(clean.types)} columns: {content[:400]!r}")
    print(dialect.name, is_declared, dict(counts))
    assert not wrong, f"{len(wrong)} files:\n" + "\n".join(wrong[:4])
    assert counts["same"] + counts["held"] + counts["fewer rows"] > 0.7 * counts.total()
