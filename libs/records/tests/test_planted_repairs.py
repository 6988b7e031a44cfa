"""Planted files where one repair is allowed: only rows with its fault differ, and each of them is told."""

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any, get_args

import pytest
from waybill_contracts.format import Repair

from .planted.dialects import DIALECTS
from .planted.faults import FIELDS, PLANTERS, ROWS, Edit, places
from .planted.reading import Way, read
from .planted.tables import Clean, Row, make

REPAIRS: tuple[Repair, ...] = get_args(Repair)
CODES = {
    "missing_fields": {"too_few_fields"},
    "empty_extra_fields": {"too_many_fields"},
    "stray_quotes": {"text_after_quote", "quote_in_field"},
    "invalid_bytes": {"invalid_utf8"},
    "control_characters": {"nul", "bare_carriage_return"},
}
FAULTS = {
    "missing_fields": "a field is dropped",
    "empty_extra_fields": "a field is added",
    "invalid_bytes": "a byte of no text is inserted",
    "control_characters": "a NUL is inserted",
}
"""Those that a repair may take back."""
CHOSEN = [DIALECTS[0], DIALECTS[4], DIALECTS[6], DIALECTS[9], DIALECTS[11]]
by_repair = pytest.mark.parametrize("repair", REPAIRS)


def files() -> Iterator[tuple[Clean, Random]]:
    for dialect in CHOSEN:
        for shape in ("orders", "pairs"):
            yield make(dialect, shape, 6, seed=3), Random(f"{dialect.name} {shape}")


def faults_of(clean: Clean, rng: Random, names: Iterator[str]) -> Iterator[Edit]:
    for name in names:
        place = places(clean, rng.choice(ROWS[1:]), rng.choice(FIELDS), is_quoted=rng.random() < 0.5)
        edit = PLANTERS[name](place, rng)
        if edit:
            yield edit


@by_repair
@pytest.mark.parametrize("is_exact", [False, True], ids=["fast", "exact"])
def test_rows_that_need_no_repair_are_what_they_are_without_it(repair: Repair, is_exact: bool) -> None:
    counts: Counter[str] = Counter()
    for clean, rng in files():
        for edit in faults_of(clean, rng, iter([*PLANTERS, *FAULTS.values()])):
            content, cuts = edit.of(clean.content), [edit.start]
            plain = read(clean, content, Way(cuts, is_exact))
            mended = read(clean, content, Way(cuts, is_exact, repair=(repair,)))
            if plain.refused == "quotes_in_doubt" and repair == "stray_quotes":
                continue  # it says what a quote is that stands anywhere
            assert mended.refused == plain.refused
            told = {line for line, _ in mended.repairs}
            assert {name for _, name in mended.repairs} <= {repair}
            assert [row for row in mended.rows if row[1] not in told] == plain.rows
            assert [each for each in plain.rejects if each.line not in told] == mended.rejects
            rejected = {each.line: {*each.codes} for each in plain.rejects}
            assert all(rejected[line] <= CODES[repair] for line in told)
            counts["mended"] += len(told)
            counts["left"] += len(mended.rejects)
    assert min(counts["mended"], counts["left"]) >= 10


def touched(clean: Clean, edit: Edit) -> Row:
    """The row that the edit lies in."""
    return next(row for row in clean.rows[1:] if row.start <= edit.start <= row.fields[-1][1])


def is_taken_back(clean: Clean, edit: Edit, repair: Repair) -> bool:
    """Whether the repair gives what was written: at the end of a row, and between characters."""
    if repair in ("missing_fields", "empty_extra_fields"):
        is_last = edit.end == touched(clean, edit).fields[-1][1]
        return is_last and edit.inserted in (b"", clean.dialect.delimiter.encode())
    return edit.start == len(clean.content) or clean.content[edit.start] & 0xC0 != 0x80


@pytest.mark.parametrize("repair", FAULTS)
def test_a_mended_row_is_what_was_written_but_for_what_is_lost(repair: Repair) -> None:
    count = 0
    for clean, rng in files():
        for edit in faults_of(clean, rng, iter([FAULTS[repair]] * 12)):
            reading = read(clean, edit.of(clean.content), Way(repair=(repair,)))
            mended = [values for _, line, values in reading.rows if (line, repair) in reading.repairs]
            if mended and is_taken_back(clean, edit, repair):
                wanted = [*touched(clean, edit).values]
                wanted[-1] = None if repair == "missing_fields" else wanted[-1]
                assert [without_mark(value) for value in mended[0]] == wanted
                count += 1
    assert count >= 5


def without_mark(value: Any) -> Any:
    """The text without what stands for bytes that were none; alone it stands for nothing."""
    return value.replace("\ufffd", "") or None if value and "\ufffd" in value else value
