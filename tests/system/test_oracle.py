"""The oracle says what people were promised; it is small enough to be checked by hand-made cases."""

from itertools import permutations
from typing import Any

import pytest
from meaning import inferred, value
from oracle_cases import BY_NAME, COLUMNS, counted, names, numbers, oracle, rows


def test_rows_are_inserted_updated_unchanged_duplicates_or_rejects() -> None:
    it = oracle()
    it.take(rows("1,one,1", "2,two,", "2,two,"))
    it.take(rows("1,uno,1.00", "2,two,", "x,three,3", "4,four,4", "4,four,5"))
    assert counted(it, 1) == {"read": 3, "inserted": 2, "duplicate": 1}
    assert counted(it, 2) == {"read": 5, "updated": 1, "unchanged": 1, "rejected": 3}
    assert it.versions["1"][0] == ("insert", {"id": 1, "name": "one", "amount": value("1.00", "decimal(8,2)")})
    assert it.current["1"]["_version"] == 2


@pytest.mark.parametrize(("duplicates", "kept"), [("first", "a"), ("last", "b"), ("reject", None)])
def test_rows_that_contradict_each_other_are_judged_as_declared(duplicates: str, kept: str | None) -> None:
    it = oracle(duplicates=duplicates)
    it.take(rows("1,a,", "1,b,"))
    assert names(it).get("1") == kept


def test_the_same_bytes_are_skipped_unless_they_say_something_else() -> None:
    it = oracle(order_name=BY_NAME)
    for name in ("a_1.csv", "b_1.csv", "a_2.csv"):
        it.take(numbers(1), name)
    assert it.states == ["LOADED", "SKIPPED", "LOADED"]
    it = oracle(mode="append")
    it.take(numbers(1), file_id="f1")
    it.take(numbers(1), file_id="f2")
    assert it.states == ["LOADED", "LOADED"]


def test_what_is_appended_is_a_record_of_its_own_by_line_or_by_content() -> None:
    by_line = oracle(mode="append")
    by_line.take(rows("1,a,", "", "1,a,"), file_id="f")
    assert list(by_line.current) == ["f|2", "f|4"]
    by_content = oracle(mode="append", deduplicate=True)
    by_content.take(rows("1,a,", "1,a,", "2,b,"), file_id="f")
    by_content.take(rows("1,a,", "3,c,"), file_id="g")
    assert counted(by_content, 1) == {"read": 3, "inserted": 2, "duplicate": 1}
    assert counted(by_content, 2) == {"read": 2, "inserted": 1, "unchanged": 1}


def test_what_a_snapshot_lacks_is_deleted_and_comes_back_as_the_next_version() -> None:
    it = oracle(mode="snapshot")
    for content in (numbers(1, 2, 3), numbers(1), numbers(1, 2)):
        it.take(content)
    assert counted(it, 2) == {"read": 1, "unchanged": 1, "deleted": 2}
    assert [change for change, _ in it.versions["2"]] == ["insert", "delete", "insert"]
    assert it.current["2"]["_version"] == 3
    assert "3" not in it.current


def test_a_rejected_row_keeps_its_record_and_one_without_a_key_keeps_all_of_them() -> None:
    it = oracle(mode="snapshot")
    it.take(numbers(1, 2, 3))
    it.take(rows("1,a,much"))
    assert counted(it, 2) == {"read": 1, "rejected": 1, "deleted": 2}
    it.take(rows("9,i,9", "x,?,"))
    assert (it.states[2], it.files[2].codes) == ("HELD", ("keyless_rejects",))
    it.release(3)
    assert counted(it, 3) == {"read": 2, "inserted": 1, "rejected": 1}
    assert set(it.current) == {"1", "9"}


def test_a_snapshot_of_a_part_deletes_only_there() -> None:
    columns = COLUMNS | {"region": ("text", True)}
    it = oracle(columns, mode="snapshot", partition_column="region")
    header = "id,name,amount,region"
    it.take(rows("1,a,,north", "2,b,,south", "3,c,,north", header=header))
    it.take(rows("1,a,,north", header=header))
    assert set(it.current) == {"1", "2"}
    it = oracle(mode="snapshot", partition_path=True)
    it.take(numbers(1, 3), "north/a.csv")
    it.take(numbers(2), "south/a.csv")
    it.take(numbers(1), "north/b.csv")
    assert set(it.current) == {"1", "2"}


def test_too_large_a_share_of_rejects_or_deletes_waits_for_a_person() -> None:
    it = oracle(mode="snapshot", min_rows=4, max_reject_share=0.25, max_delete_share=0.25)
    it.take(numbers(1, 2, 3, 4))
    it.take(rows("1,n,1", "2,n,much", "3,n,much", "4,n,1"))
    it.take(numbers(1, 2))
    it.take(numbers(1, 2, 3))
    assert it.states == ["LOADED", "HELD", "REGISTERED", "REGISTERED"]
    it.refuse(2)
    assert (it.states, it.files[2].codes) == (["LOADED", "REFUSED", "HELD", "REGISTERED"], ("delete_share",))
    it.release(3)
    assert it.states == ["LOADED", "REFUSED", "LOADED", "LOADED"]
    assert counted(it, 4) == {"read": 3, "inserted": 1, "unchanged": 2}


def test_an_older_row_has_no_effect_and_an_unchanged_one_is_newer_all_the_same() -> None:
    it = oracle(order_name=BY_NAME)
    it.take(rows("1,a,"), "x_1.csv")
    it.take(rows("1,a,"), "x_3.csv")
    it.take(rows("1,b,", "2,b,"), "x_2.csv")
    assert counted(it, 3) == {"read": 2, "stale": 1, "inserted": 1}
    it.take(rows("1,c,"), "y_3.csv")
    assert names(it) == {"1": "c", "2": "b"}


def test_of_several_rows_of_a_record_the_newest_counts() -> None:
    columns = {"id": ("integer", True), "at": ("date", True), "name": ("text", False)}
    it = oracle(columns, order_column="at")
    it.take(rows("1,2026-01-02,b", "1,2026-01-03,c", "1,2026-01-01,a", "1,2026-01-03,c", header="id,at,name"))
    assert counted(it, 1) == {"read": 4, "inserted": 1, "stale": 2, "duplicate": 1}
    it.take(rows("1,2026-01-04,d", "1,2026-01-04,e", "2,,f", header="id,at,name"))
    assert counted(it, 2) == {"read": 3, "rejected": 3}
    assert names(it) == {"1": "c"}


def test_an_older_snapshot_brings_nothing_back_and_removes_nothing_newer() -> None:
    it = oracle(mode="snapshot", order_name=BY_NAME, late="apply")
    it.take(numbers(1, 2), "x_3.csv")
    it.take(numbers(1, 7), "x_2.csv")
    assert counted(it, 2) == {"read": 2, "stale": 2}
    assert set(it.current) == {"1", "2"}


@pytest.mark.parametrize("more", [{}, {"mode": "snapshot", "late": "apply"}])
def test_every_order_of_arrival_ends_in_the_same_rows(more: dict[str, Any]) -> None:
    files = [(f"x_{number}.csv", rows(*[f"{key},v{number},1" for key in keys])) for number, keys in enumerate(
        [(1, 2), (2, 3), (1,), (3, 4), (2, 4), (1, 4)]
    )]  # fmt: skip
    ends = set()
    for order in permutations(files):
        it = oracle(order_name=BY_NAME, **more)
        for name, content in order:
            it.take(content, name)
        ends.add(tuple(sorted(names(it).items())))
    assert len(ends) == 1


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({}, "LOADED"),
        ({"late": "hold"}, "HELD"),
        ({"late": "refuse"}, "REFUSED"),
        ({"mode": "append"}, "LOADED"),
        ({"mode": "snapshot"}, "REFUSED"),
    ],
)
def test_a_late_file_is_treated_as_declared_and_nobody_waits_for_it(more: dict[str, Any], state: str) -> None:
    it = oracle(order_name=BY_NAME, **more)
    for number in (2, 1, 3):
        it.take(numbers(number), f"x_{number}.csv", f"file {number}")
    assert it.states == ["LOADED", state, "LOADED"]
    if state == "HELD":
        it.release(2)
        assert set(it.current) == {"1", "2", "3"}


def test_columns_that_are_not_the_declared_ones_wait_and_what_waits_behind_is_read_as_decided() -> None:
    it = oracle()
    it.take(rows("1,a,1"))
    it.take(rows("2,b,1,7", header="id,name,amount,size"))
    it.take(rows("3,c,1,8", header="id,name,amount,size"))
    it.take(rows("4,d,1"))
    assert (it.states, it.files[1].codes) == (["LOADED", "HELD", "REGISTERED", "REGISTERED"], ("columns_added",))
    it.release(2, accept_columns=True)
    assert (it.states, it.files[3].codes) == (["LOADED"] * 3 + ["HELD"], ("columns_missing",))
    it.release(4, accept_columns=True)
    it.take(rows("5,e,1"))
    assert it.states == ["LOADED"] * 5
    assert it.columns["size"] == ("integer", False)
    assert [it.current[key].get("size") for key in "12345"] == [None, 7, 8, None, None]


def test_a_renamed_column_is_mapped_once_for_all() -> None:
    it = oracle()
    for number in (1, 2):
        it.take(rows(f"{number},a,1", header="id,title,amount"))
    assert (it.states, it.files[0].codes) == (["HELD", "REGISTERED"], ("columns_added", "columns_missing"))
    it.release(1, renames={"title": "name"})
    assert (it.states, names(it)) == (["LOADED"] * 2, {"1": "a", "2": "a"})


@pytest.mark.parametrize(
    ("policy", "state", "size"),
    [("accept", "LOADED", 7), ("ignore", "LOADED", None), ("reject", "REFUSED", None), ("hold", "HELD", None)],
)
def test_an_added_column_is_treated_as_declared(policy: str, state: str, size: int | None) -> None:
    it = oracle(other_columns=policy)
    it.take(rows("1,a,1,7", header="id,name,amount,size"))
    assert it.states == [state]
    assert it.current.get("1", {}).get("size") == size


def test_a_file_that_cannot_be_read_fails_and_may_be_tried_again() -> None:
    it = oracle()
    for content in (b"", None, b'id,name,amount\n1,"a,1\n', b"id,id,amount\n"):
        it.take(content)
    assert it.states == ["FAILED"] * 4
    it.take(numbers(1))
    it.retry(5)
    assert counted(it, 5) == {"read": 1, "unchanged": 1}


def test_a_type_is_found_only_where_it_renders_every_value_as_it_came() -> None:
    assert inferred(["1", "", "-20"]) == "integer"
    assert inferred(["1", "007"]) == "text"
    assert inferred(["2026-01-31"]) == "date"
    assert inferred([""]) == "text"
