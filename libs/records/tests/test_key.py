import re
from hashlib import sha256
from uuid import UUID

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records.key import content_keys, keys, line_keys

from .reference import NAMES, VALUES, Row, frame_of, key

SIGNS = st.text(alphabet="a|\\x0sh256:\x00\x1f\x7f", max_size=6) | st.text(max_size=8)
TUPLES = st.integers(1, 3).flatmap(lambda width: st.lists(st.tuples(*[SIGNS] * width), min_size=1, max_size=8))


def written(rows: list[tuple[str, ...]]) -> list[str]:
    names = tuple(f"part_{number}" for number in range(len(rows[0])))
    return keys(pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row"), names).to_list()


@given(TUPLES)
def test_two_rows_have_one_key_only_if_all_their_parts_are_the_same(rows: list[tuple[str, ...]]) -> None:
    assert len(set(written(rows))) == len(set(rows))


@given(TUPLES)
def test_keys_are_what_plain_python_makes_of_the_rows(rows: list[tuple[str, ...]]) -> None:
    assert written(rows) == [key(row) for row in rows]


@given(st.data())
def test_parts_of_every_type_enter_with_their_canonical_text(data: st.DataObject) -> None:
    types: dict[str, str] = data.draw(st.dictionaries(NAMES, st.sampled_from(sorted(VALUES)), min_size=1, max_size=4))
    rows: list[Row] = data.draw(st.lists(st.fixed_dictionaries({name: VALUES[kind] for name, kind in types.items()})))
    found = keys(frame_of(types, rows), tuple(types)).to_list()
    assert found == [key(tuple(row[name] for name in types), tuple(types.values())) for row in rows]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("a", "b"), "a|b"),
        (("a|b", ""), r"a\|b|"),
        (("a\\", "|b"), r"a\\|\|b"),
        (("a\tb\x00", "\x7f"), r"a\x09b\x00|\x7f"),
        (("é\U0001f69a", "x"), "é\U0001f69a|x"),
        (("", ""), "|"),
    ],
)
def test_separators_escapes_and_control_characters_are_written_as_escapes(
    parts: tuple[str, ...], expected: str
) -> None:
    assert written([parts]) == [expected]


@pytest.mark.parametrize("part", ["x" * 513, "é" * 257, "sha256:", "sha256:" + "0" * 64, "\x01" * 129])
def test_a_long_key_and_one_that_looks_like_a_digest_become_a_digest(part: str) -> None:
    found = written([(part,)])[0]
    assert re.fullmatch("sha256:[0-9a-f]{64}", found)
    assert found == key((part,)) != part


@pytest.mark.parametrize("part", ["x" * 512, "é" * 256, "SHA256:", "sha256", "a sha256:"])
def test_other_keys_stay_readable(part: str) -> None:
    assert written([(part,)]) == [part]


def test_the_digest_of_a_key_is_never_the_key_of_another_row() -> None:
    long = "x" * 600
    digest = written([(long,)])[0]
    assert written([(digest,)]) != [digest]


def test_a_null_part_is_refused_naming_the_column() -> None:
    with pytest.raises(ValueError, match="key column b is null in 1 rows"):
        keys(pl.DataFrame({"a": [1, 2], "b": ["x", None]}), ("a", "b"))


def test_no_rows_have_no_keys() -> None:
    assert keys(pl.DataFrame(schema={"a": pl.String, "b": pl.Int64}), ("a", "b")).to_list() == []


FILE = UUID("01A1FD7D-BF76-73ED-8000-00000000002A")


def test_a_row_without_key_columns_is_named_by_its_file_and_line() -> None:
    found = line_keys(pl.Series("_line", [2, 10_000_000_000]), FILE)
    assert (found.name, found.dtype) == ("_key", pl.String)
    name = "01a1fd7d-bf76-73ed-8000-00000000002a"
    assert found.to_list() == [f"{name}|2", f"{name}|10000000000"]
    assert found.to_list() == [key((name, line)) for line in (2, 10_000_000_000)]


def test_a_row_that_is_known_by_its_content_is_named_by_its_hash() -> None:
    hashes = [sha256(content).digest() for content in (b"one", b"two", b"one")]
    found = content_keys(pl.Series("_hash", hashes))
    assert (found.name, found.dtype) == ("_key", pl.String)
    assert found.to_list() == [f"row:{digest.hex()}" for digest in hashes]


def test_rows_without_line_or_hash_have_no_key() -> None:
    with pytest.raises(ValueError, match="1 rows have no line"):
        line_keys(pl.Series("_line", [2, None]), FILE)
    with pytest.raises(ValueError, match="2 rows have no hash"):
        content_keys(pl.Series("_hash", [None, b"x" * 32, None]))


def test_no_rows_have_neither_lines_nor_hashes() -> None:
    assert line_keys(pl.Series("_line", [], pl.Int64), FILE).to_list() == []
    assert content_keys(pl.Series("_hash", [], pl.Binary)).to_list() == []


def test_keys_that_only_look_alike_are_of_different_records() -> None:
    alike = [("\u00e9",), ("e\u0301",), ("É",), ("\u00e9 ",), (" \u00e9",), ("\u00e9\u200b",), ("\uff45",)]
    assert len(set(written(alike))) == len(alike)
