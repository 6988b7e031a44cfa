"""Thousands of clean files with one fault each: what a reading gives is exact, or it says what it did not take.

What is not touched is there as it was written, with its line; what is touched is rejected with its line and raw text,
or the file is refused. What makes other well-formed rows is excluded by one rule (outcomes.is_well_formed_otherwise),
which knows our readers as little as the tables do that the files are made of.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import pytest

from .planted.dialects import DIALECTS
from .planted.faults import FIELDS, PLANTERS, ROWS, Edit, places
from .planted.grammar import Grammar
from .planted.outcomes import Judgement
from .planted.reading import Way, read
from .planted.tables import SHAPES, Clean, Dialect, make

SIZES = (4, 16)
LARGE_ROWS = 10_000
LARGE = [DIALECTS[0], DIALECTS[6]]
SHOWN_BYTES = 80
FILES = 2_000
"""At least so many are planted."""
MAKERS = {"integer": int, "date": date.fromisoformat, "decimal(12,2)": Decimal}
by_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)

Values = list[tuple[Any, ...]]


def texts_of(clean: Clean) -> Values:
    """The values of each row as they stand in the file."""
    return [row.values for row in clean.rows]


def typed_of(clean: Clean) -> Values:
    """The values of each row as the declared types have them."""
    makers = [MAKERS.get(kind, str) for kind in clean.types]
    rows = [zip(makers, row.values, strict=True) for row in clean.rows[1:]]
    return [clean.header.values, *(tuple(v if v is None else made(v) for made, v in row) for row in rows)]


def faults_of(clean: Clean, rng: Random) -> Iterator[tuple[str, Edit]]:
    """Faults of every kind at places of every kind."""
    for name, plant in PLANTERS.items():
        place = places(clean, rng.choice(ROWS), rng.choice(FIELDS), is_quoted=rng.random() < 0.6)
        edit = plant(place, rng)
        if edit:
            yield name, edit


def outcomes(clean: Clean, edit: Edit, rng: Random) -> dict[str, str]:
    """What the fast path, the exact path and the whole way through types make of a planted file."""
    content, texts, typed = edit.of(clean.content), texts_of(clean), typed_of(clean)
    boundary = [edit.start + rng.randint(-1, 2 + len(edit.inserted))]
    readings = {
        "fast": (read(clean, content, Way(boundary)), texts),
        "exact": (read(clean, content, Way(boundary, is_exact=True)), texts),
        "typed": (read(clean, content, Way(is_typed=True)), typed),
    }
    assert readings["fast"] == readings["exact"], "the paths differ"
    return {path: Judgement(clean, edit, *reading).outcome() for path, reading in readings.items()}


def planted(files: Iterator[tuple[Clean, Random]]) -> Counter[tuple[str, str]]:
    """How many planted files became what on which path; a test fails with all that are silently different."""
    counts: Counter[tuple[str, str]] = Counter()
    wrong = []
    for clean, rng in files:
        for name, edit in faults_of(clean, rng):
            try:
                counts.update(outcomes(clean, edit, rng).items())
            except AssertionError as error:
                around = slice(max(edit.start - SHOWN_BYTES, 0), edit.start + len(edit.inserted) + SHOWN_BYTES)
                shown = edit.of(clean.content)[around]
                wrong.append(f"{clean.dialect.name}: {name}, {edit}: {error}\n  {shown!r}")
    assert not wrong, f"{len(wrong)} files, the first of them:\n" + "\n".join(wrong[:5])
    return counts


def small_files(dialect: Dialect) -> Iterator[tuple[Clean, Random]]:
    """Files of all shapes, with texts that people write and others."""
    for shape in SHAPES:
        for size in SIZES:
            for is_hard in sorted({False, bool(dialect.quote) and shape == "orders"}):
                clean = make(dialect, shape, size, seed=size, is_hard=is_hard)
                yield clean, Random(f"{dialect.name} {shape} {size} {is_hard}")


@cache
def tally(dialect: Dialect) -> Counter[tuple[str, str]]:
    """Of the small files of a dialect."""
    return planted(small_files(dialect))


@by_dialect
def test_a_fault_in_a_small_file_is_never_silent(dialect: Dialect) -> None:
    counts = tally(dialect)
    assert counts["fast", "rejected"] > counts["fast", "excluded"]


@pytest.mark.parametrize("dialect", LARGE, ids=lambda dialect: dialect.name)
def test_a_fault_in_a_file_of_ten_thousand_rows_is_never_silent(dialect: Dialect) -> None:
    clean = make(dialect, "orders", LARGE_ROWS, seed=1)
    counts = planted(iter([(clean, Random(dialect.name))]))
    assert counts["fast", "rejected"] >= 10


def test_thousands_of_files_are_planted_and_few_of_them_are_excluded() -> None:
    counts: Counter[tuple[str, str]] = sum((tally(dialect) for dialect in DIALECTS), Counter())
    fast = Counter({outcome: count for (path, outcome), count in counts.items() if path == "fast"})
    print(f"{fast.total()} planted files: {dict(fast.most_common())}")
    assert fast.total() >= FILES
    assert fast["excluded"] < 0.25 * fast.total()
    assert fast["rejected"] > 0.4 * fast.total()
    assert set(fast) == {"exact", "refused", "rejected", "excluded"}


@by_dialect
@pytest.mark.parametrize("is_exact", [False, True], ids=["fast", "exact"])
def test_clean_files_are_read_as_they_were_written(dialect: Dialect, is_exact: bool) -> None:
    for clean, rng in small_files(dialect):
        cuts = sorted(rng.sample(range(len(clean.content)), k=min(5, len(clean.content))))
        reading = read(clean, clean.content, Way(cuts, is_exact))
        assert [values for _, _, values in reading.rows] == texts_of(clean)[1:]
        assert (reading.rejects, reading.refused) == ([], "")
        typed = read(clean, clean.content, Way((), is_exact, is_typed=True))
        assert [values for _, _, values in typed.rows] == typed_of(clean)[1:]


@by_dialect
def test_the_grammar_that_judges_reads_clean_files_as_they_were_written(dialect: Dialect) -> None:
    grammar = Grammar.of(dialect)
    for clean, _ in small_files(dialect):
        at, found = 0, []
        while record := grammar.record(clean.content, at):
            found.append(record.values)
            at = record.end
        assert found == texts_of(clean)


@pytest.mark.parametrize("dialect", [each for each in DIALECTS if each.quote and not each.escape][:8])
def test_the_files_are_what_python_reads_too(dialect: Dialect) -> None:
    for clean, _ in small_files(dialect):
        text = io.StringIO(clean.content.decode(), newline="")
        rows = csv.reader(text, delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True)
        assert [tuple(row) for row in rows] == [tuple(value or "" for value in row) for row in texts_of(clean)]
