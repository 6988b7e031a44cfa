"""The oracle says what was promised of files that speak of other files."""

from oracle import Oracle
from oracle_cases import BY_NAME, counted, names, numbers, oracle, rows

WITH_REJECTS = rows("1,a,1", "2,b,much", "x,c,1", "3,d,1,4", "4,e,1", "4,e,2")


def correct(it: Oracle, content: bytes, file_id: str = "f1", name: str = "c.csv") -> dict[str, int]:
    it.take(content, f"_corrections/{file_id}/{name}", f"c{len(it.files)}")
    return counted(it, len(it.files))


def test_a_correction_gives_rows_back_and_closes_their_rejects_by_line_or_by_key() -> None:
    it = oracle(max_reject_share=1)
    it.take(WITH_REJECTS, "a.csv", "f1")
    assert it.files[0].open == {3: "2", 4: None, 5: None, 6: "4", 7: "4"}
    header = "waybill_line,waybill_codes,id,name,amount"
    mended = rows("4,wrong_type,5,'=c,1", "5,,3,d,much", header=header)
    assert correct(it, mended) == {"read": 2, "inserted": 1, "rejected": 1}
    assert correct(it, rows("4,e,2"), "c1") == {"read": 1, "inserted": 1}  # of the same file
    assert names(it) == {"1": "a", "4": "e", "5": "=c"}
    assert it.files[0].open == {3: "2", 5: None}
    assert [file.open for file in it.files[1:]] == [{}, {}]


def test_a_correction_says_what_its_file_should_have_said_at_its_moment() -> None:
    it = oracle()
    it.take(rows("1,a,1", "2,b,much"), "a.csv", "f1")
    it.take(rows("2,new,1"), "b.csv", "f2")
    assert correct(it, rows("2,b,1", "3,c,1")) == {"read": 2, "inserted": 1, "stale": 1}
    assert correct(it, rows("2,b,1", "3,d,1")) == {"read": 2, "updated": 1, "stale": 1}
    by_name = oracle(order_name=BY_NAME)
    by_name.take(rows("1,a,much"), "x_2.csv", "f1")
    by_name.take(rows("2,new,1"), "x_3.csv", "f2")
    by_name.take(rows("1,old,1"), "x_1.csv", "f3")
    assert correct(by_name, rows("1,b,1", "2,b,1")) == {"read": 2, "updated": 1, "stale": 1}


def test_a_correction_of_a_snapshot_deletes_nothing_and_comes_only_while_it_is_the_newest() -> None:
    it = oracle(mode="snapshot")
    it.take(rows("1,a,1", "2,b,much"), "a.csv", "f1")
    assert correct(it, rows("2,b,1")) == {"read": 1, "inserted": 1}
    assert correct(it, rows("2,c,1")) == {"read": 1, "updated": 1}
    it.take(rows("1,a,2"), "b.csv", "f2")
    correct(it, rows("2,c,1"))
    assert (it.states[-1], it.files[-1].codes) == ("REFUSED", ("not_newest",))
    parts = oracle(mode="snapshot", partition_path=True)
    parts.take(numbers(1), "north/a.csv", "f1")
    parts.take(numbers(2), "south/a.csv", "f2")
    correct(parts, numbers(3))
    parts.take(numbers(1), "north/b.csv", "f3")
    assert set(parts.current) == {"1", "2"}


def test_a_correction_of_what_took_no_effect_here_is_refused() -> None:
    it = oracle()
    it.take(b"", "a.csv", "f1")
    for file_id in ("f1", "f2"):
        correct(it, numbers(1), file_id)
        assert (it.states[-1], it.files[-1].codes) == ("REFUSED", ("not_its_file",))


def test_rows_of_a_correction_are_appended_as_its_own_and_the_same_correction_is_skipped() -> None:
    it = oracle(mode="append")
    it.take(rows("1,a,1"), "a.csv", "f1")
    correct(it, rows("1,a,1"))
    assert list(it.current) == ["f1|2", "c1|2"]
    it = oracle()
    it.take(numbers(1), "a.csv", "f1")
    for _ in range(2):
        correct(it, numbers(2))
    assert it.states == ["LOADED", "LOADED", "SKIPPED"]


def test_a_removed_object_takes_what_its_file_said_last_and_others_keep_what_they_said() -> None:
    it = oracle()
    it.take(numbers(1, 2, 3), "a.csv", "f1")
    it.take(rows("2,new,1", "3,n,1"), "b.csv", "f2")
    correct(it, rows("4,d,1"), name="d.csv")
    it.remove("a.csv")
    assert counted(it, 4) == {"deleted": 2}
    assert names(it) == {"2": "new", "4": "d"}
    assert correct(it, numbers(1, 5)) == {"read": 2, "inserted": 1, "stale": 1}
    it.remove("_corrections/f1/d.csv")
    it.take(numbers(1), "a.csv", "f3")
    assert set(it.current) == {"1", "2", "5"}
    assert it.current["1"]["_version"] == 3


def test_what_is_removed_keeps_its_moment_and_is_no_statement_by_itself() -> None:
    it = oracle(order_name=BY_NAME)
    it.take(rows("1,a,1"), "x_2.csv", "f1")
    it.remove("x_2.csv")
    it.take(rows("1,b,1"), "x_1.csv", "f2")
    assert counted(it, 3) == {"read": 1, "stale": 1}
    it = oracle(mode="snapshot")
    it.take(numbers(1), "a.csv", "f1")
    it.take(numbers(1, 2), "b.csv", "f2")
    it.remove("a.csv")
    assert correct(it, numbers(1, 3), "f2") == {"read": 2, "inserted": 1, "stale": 1}


def test_a_removed_object_of_too_many_records_waits_and_one_that_never_took_effect_takes_nothing() -> None:
    it = oracle(min_rows=2, max_delete_share=0.5)
    it.take(numbers(1, 2), "a.csv", "f1")
    it.take(b"", "b.csv", "f2")
    it.remove("b.csv")
    it.remove("a.csv")
    assert (it.states, it.files[3].codes) == (["LOADED", "FAILED", "LOADED", "HELD"], ("delete_share",))
    it.release(4)
    assert (it.states[3], it.current) == ("LOADED", {})


def test_the_files_of_a_delivery_are_one_file_whose_lines_go_on() -> None:
    it = oracle(mode="append")
    parts = {"b.csv": rows("3,c,1", "", "4,d,1"), "B.csv": rows("1,a,1"), "a.csv": b"name,id,amount\nb,2,1"}
    it.take(parts, "1/_", "f1")
    assert {key: row["id"] for key, row in it.current.items()} == {"f1|2": 1, "f1|4": 2, "f1|6": 3, "f1|8": 4}
    it.take({"a.csv": numbers(1), "b.csv": b""}, "2/_", "f2")
    assert it.states == ["LOADED", "FAILED"]


def test_a_snapshot_in_several_files_deletes_what_is_in_none_of_them_and_twins_are_skipped() -> None:
    it = oracle(mode="snapshot")
    newer = {"a": numbers(1), "b": rows("3,x,1", "1,n,1")}
    for parts in ({"a": numbers(1, 2), "b": numbers(3)}, newer, newer):
        it.take(parts)
    assert it.states == ["LOADED", "LOADED", "SKIPPED"]
    assert counted(it, 2) == {"read": 3, "updated": 1, "unchanged": 1, "duplicate": 1, "deleted": 1}


def test_other_columns_in_one_file_of_a_delivery_are_those_of_the_delivery() -> None:
    it = oracle()
    it.take({"a": numbers(1), "b": rows("2,7", header="id,size")})
    assert (it.states, it.files[0].codes) == (["HELD"], ("columns_added", "columns_missing"))
    it.release(1, accept_columns=True)
    assert [it.current[key].get("size") for key in "12"] == [None, 7]
