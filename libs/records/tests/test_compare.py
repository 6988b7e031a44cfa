from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records.compare import OUTCOMES, Duplicates, changed_fields, compare

ROWS = {"_row": pl.UInt32, "_line": pl.Int64, "_key": pl.String, "_hash": pl.Binary}
HEADS = {
    "_row": pl.UInt32,
    "version": pl.Int64,
    "hash": pl.Binary,
    "deleted": pl.Boolean,
    "record": pl.Binary,
    "newer": pl.Boolean,
    "restated": pl.Boolean,
}
MODES: list[Duplicates] = ["reject", "last", "first"]

Head = tuple[int, bytes | None, bool, bytes]


def judge(rows: list[tuple[str, bytes]], heads: dict[str, Head], duplicates: Duplicates) -> list[dict[str, Any]]:
    frame = pl.DataFrame([(i, i + 2, *row) for i, row in enumerate(rows)], schema=ROWS, orient="row")
    known = [(i, *heads[key], False, False) for i, (key, _) in enumerate(rows) if key in heads]
    compared = compare(frame, pl.DataFrame(known, schema=HEADS, orient="row"), duplicates)
    assert sum(compared.counts.values()) == len(rows)
    assert compared.rows["_row"].to_list() == list(range(len(rows)))
    return compared.rows.to_dicts()


def fold(rows: list[tuple[str, bytes]], heads: dict[str, Head], duplicates: Duplicates) -> list[tuple[Any, ...]]:
    """The same by a plain loop: outcome, change, version, previous hash, previous record."""
    by_key: dict[str, list[bytes]] = {}
    for key, content in rows:
        by_key.setdefault(key, []).append(content)
    seen: set[str] = set()
    found: list[tuple[Any, ...]] = []
    for key, content in rows:
        all_of_key = by_key[key]
        if duplicates == "reject" and len(set(all_of_key)) > 1:
            found.append(("rejected", None, None, None, None))
        elif key in seen or content != all_of_key[-1 if duplicates == "last" else 0]:
            found.append(("duplicate", None, None, None, None))
        else:
            seen.add(key)
            found.append(against_head(content, heads.get(key)))
    return found


def against_head(content: bytes, head: Head | None) -> tuple[Any, ...]:
    if head is None:
        return ("inserted", "insert", 1, None, None)
    version, before, deleted, record = head
    if deleted:
        return ("inserted", "insert", version + 1, None, record)
    if before == content:
        return ("unchanged", None, None, None, None)
    return ("updated", "update", version + 1, before, record)


KEYS = st.sampled_from("abcd")
CONTENTS = st.sampled_from([b"1" * 32, b"2" * 32, b"3" * 32])
LIVE = st.tuples(st.integers(1, 9), CONTENTS, st.just(value=False), st.just(b"r" * 12))
DELETED = st.tuples(st.integers(1, 9), CONTENTS, st.just(value=True), st.just(b"d" * 12))


@given(
    st.lists(st.tuples(KEYS, CONTENTS), max_size=10),
    st.dictionaries(KEYS, LIVE | DELETED),
    st.sampled_from(MODES),
)
def test_comparison_is_what_a_plain_loop_finds(
    rows: list[tuple[str, bytes]], heads: dict[str, Head], duplicates: Duplicates
) -> None:
    found = judge(rows, heads, duplicates)
    plain = [
        tuple(row[f"_{name}"] for name in ("outcome", "change", "version", "previous_hash", "prev")) for row in found
    ]
    assert plain == fold(rows, heads, duplicates)


A, B = b"a" * 32, b"b" * 32


@pytest.mark.parametrize(
    ("rows", "duplicates", "expected"),
    [
        ([("k", A), ("k", A)], "reject", ["inserted", "duplicate"]),
        ([("k", A), ("k", B)], "reject", ["rejected", "rejected"]),
        ([("k", A), ("k", B), ("k", A)], "reject", ["rejected"] * 3),
        ([("k", A), ("k", B)], "first", ["inserted", "duplicate"]),
        ([("k", A), ("k", B)], "last", ["duplicate", "inserted"]),
        ([("k", A), ("k", B), ("k", A)], "last", ["inserted", "duplicate", "duplicate"]),
        ([("k", A), ("l", B), ("k", A)], "reject", ["inserted", "inserted", "duplicate"]),
    ],
)
def test_rows_of_one_key_in_one_file(
    rows: list[tuple[str, bytes]], duplicates: Duplicates, expected: list[str]
) -> None:
    assert [row["_outcome"] for row in judge(rows, {}, duplicates)] == expected


def test_a_conflict_names_the_first_lines_that_hold_the_key() -> None:
    rows = [("k", A), ("l", A), *[("k", B)] * 8]
    first, other, *_ = judge(rows, {}, "reject")
    assert first["_conflict"] == [2, 4, 5, 6, 7]
    assert other["_conflict"] is None


def test_the_winner_of_a_key_is_compared_with_its_head() -> None:
    heads: dict[str, Head] = {"k": (3, B, False, b"r" * 12)}
    assert [row["_outcome"] for row in judge([("k", A), ("k", B)], heads, "last")] == ["duplicate", "unchanged"]
    assert [row["_version"] for row in judge([("k", A), ("k", B)], heads, "first")] == [4, None]


def test_a_row_that_is_older_than_its_head_or_than_a_snapshot_without_it_is_stale() -> None:
    rows = pl.DataFrame({"_row": range(5), "_line": range(5), "_key": list("abcde"), "_hash": [A] * 5}).cast(ROWS)  # type: ignore[arg-type]
    known = [(0, 2, B, False, b"r" * 12, True, False), (1, 2, B, True, b"r" * 12, True, False)]
    known += [(2, 2, B, True, b"r" * 12, False, True), (3, 2, B, False, b"r" * 12, False, True)]
    heads = pl.DataFrame(known, schema=HEADS, orient="row")
    outdated = rows.with_columns(_outdated=pl.lit(value=True))
    assert compare(rows, heads, "reject").rows["_outcome"].to_list() == [
        "stale",
        "stale",
        "inserted",
        "updated",
        "inserted",
    ]
    expected = ["stale", "stale", "stale", "updated", "stale"]
    assert compare(outdated, heads, "reject").rows["_outcome"].to_list() == expected


def test_of_several_rows_of_a_key_the_newest_counts_and_the_others_are_stale() -> None:
    keys, orders = list("aaabbb"), ["2", "1", "2", "1", "3", "3"]
    hashes = [A, B, A, A, A, B]
    rows = pl.DataFrame(
        {"_row": range(6), "_line": range(6), "_key": keys, "_hash": hashes, "_order": orders}, schema_overrides=ROWS
    )
    found = compare(rows, pl.DataFrame(schema=HEADS), "reject").rows["_outcome"].to_list()
    assert found == ["inserted", "stale", "duplicate", "stale", "rejected", "rejected"]


def test_the_same_content_said_with_a_newer_order_is_unchanged_and_said_again() -> None:
    rows = pl.DataFrame({"_row": [0, 1], "_line": [2, 3], "_key": ["a", "b"], "_hash": [A, A]}, schema_overrides=ROWS)
    known = [(0, 2, A, False, b"r" * 12, False, True), (1, 2, B, False, b"r" * 12, False, True)]
    found = compare(rows, pl.DataFrame(known, schema=HEADS, orient="row"), "reject").rows
    assert found["_outcome"].to_list() == ["unchanged", "updated"]
    assert found["_restated"].to_list() == [True, False]


def test_no_rows_have_no_outcomes() -> None:
    compared = compare(pl.DataFrame(schema=ROWS), pl.DataFrame(schema=HEADS), "reject")
    assert compared.counts == dict.fromkeys(OUTCOMES, 0)


def test_changed_fields_are_those_with_another_text_in_byte_order() -> None:
    types = {"b": "float", "a": "text", "c": "integer"}
    old = pl.DataFrame({"b": [0.0, 1.0, None], "a": ["x", "y", None], "c": [1, 2, None]})
    new = pl.DataFrame({"b": [-0.0, 2.0, 3.0], "a": ["x", None, None], "c": [1, 2, 4]})
    assert changed_fields(new, old, types).to_list() == [[], ["a", "b"], ["b", "c"]]


def test_a_field_that_did_not_exist_or_had_another_type_is_compared_by_text() -> None:
    old = pl.DataFrame({"a": [1, 2], "gone": ["x", "y"]})
    new = pl.DataFrame({"a": ["1", "02"], "n": [None, True]}, schema={"a": pl.String, "n": pl.Boolean})
    assert changed_fields(new, old, {"n": "boolean", "a": "text"}).to_list() == [[], ["a", "n"]]


def test_nothing_changed_is_an_empty_list() -> None:
    frame = pl.DataFrame({"a": ["x", None]})
    assert changed_fields(frame, frame, {"a": "text"}).to_list() == [[], []]
    assert changed_fields(frame[:0], frame[:0], {"a": "text"}).to_list() == []
