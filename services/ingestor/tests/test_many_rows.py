"""What is kept for every row of a file lies on the disk once rows are many, and says the same there."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingestor.files import fingerprints, ranged
from ingestor.files.fingerprints import Fingerprints
from ingestor.files.ranged import RangedRows
from ingestor.store import heads
from ingestor.store.heads import Heads

SCHEMA = {"_row": pl.UInt32, "value": pl.UInt32}


@given(st.lists(st.lists(st.integers(0, 12).map(str), max_size=6), max_size=8), st.sampled_from([1, 2, 5, 100]))
def test_every_row_whose_key_is_there_twice_is_told_wherever_the_others_are(keys: list[list[str]], most: int) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprints, "MOST_ROWS", most)
        found = Fingerprints(Path(folder) / "prints")
        for block in keys:
            found.add(pl.Series(block, dtype=pl.String))
        every = [key for block in keys for key in block]
        assert found.repeated().to_list() == [every.count(key) > 1 for key in every]


@given(st.sets(st.integers(0, 29)), st.data())
def test_heads_are_found_by_row_in_any_order_however_few_of_them_are_in_memory(
    known: set[int], data: st.DataObject
) -> None:
    replies = data.draw(st.lists(st.sampled_from(sorted(known)), unique=True, max_size=30)) if known else []
    asked = data.draw(st.lists(st.integers(0, 29), max_size=40))
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads, "RANGE_ROWS", 7)
        patch.setattr(heads, "PIECE_ROWS", 2)
        small, large = Heads(30), Heads(30, Path(folder))
        for start in range(0, len(replies), 4):
            reply = np.zeros(len(replies[start : start + 4]), heads._SPOOLED)
            reply["row"] = replies[start : start + 4]
            reply["version"] = reply["row"] + 1
            reply["hash"] = [bytes([row]) * 32 for row in reply["row"]]
            for each in (small, large):
                each.take(reply)
        for rows in (asked, sorted(asked)):
            numbers = pl.Series(rows, dtype=pl.UInt32)
            told = large.of_rows(numbers)
            assert told.sort("_row").equals(small.of_rows(numbers).sort("_row"))
            assert sorted(told["_row"]) == sorted(row for row in rows if row in replies)
            assert (told["version"] == told["_row"] + 1).all()


@given(st.lists(st.sets(st.integers(0, 40), max_size=8), max_size=6), st.integers(0, 40), st.integers(0, 8))
def test_rows_that_came_in_any_order_are_had_again_by_their_numbers(
    came: list[set[int]], first: int, count: int
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranged, "RANGE", 5)
        kept, expected = RangedRows(Path(folder) / "rows", "_row"), set[int]()
        for numbers in came:
            new = sorted(numbers - expected, reverse=True)
            kept.add(pl.DataFrame({"_row": new, "value": [number * 2 for number in new]}, schema=SCHEMA))
            expected |= numbers
        assert kept.height == len(expected)
        if not expected:
            return
        asked = pl.Series(range(first, first + count), dtype=pl.UInt32)
        told = kept.of_block(asked)
        assert sorted(told["_row"]) == [number for number in asked if number in expected]
        assert (told["value"] == told["_row"] * 2).all()
