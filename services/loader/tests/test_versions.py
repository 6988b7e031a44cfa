"""What the versions of a batch must be, whatever is stored beside them."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loader.domain.faults import Mismatch, MissingDocuments
from loader.domain.versions import check_batch, orders, sample
from records.checksum import format_checksum, version_checksums
from records.key import content_keys, line_keys
from records.order import row_orders
from records.row_hash import add_identity
from waybill_contracts import Batch

from .facts import TYPES, fact


def versions(names, change="insert", version=1):
    """A batch of versions with right keys and hashes."""
    frame = pl.DataFrame({"id": range(len(names)), "name": names}, schema={"id": pl.Int64, "name": pl.String})
    frame = add_identity(frame, ("id",), TYPES)
    if change == "delete":
        nothing = {"id": pl.Int64, "name": pl.String, "_hash": pl.Binary}
        frame = frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in nothing.items())
    return frame.with_columns(
        _version=pl.lit(version, pl.Int64),
        _change=pl.lit(change),
        _position=pl.lit(3, pl.Int64),
        _line=pl.lit(None, pl.Int64) if change == "delete" else pl.int_range(2, 2 + pl.len(), dtype=pl.Int64),
        _previous_hash=pl.lit(None if change == "insert" else b"p" * 32, pl.Binary),
    )


def batch_of(frame):
    return Batch(number=1, version_count=frame.height, checksum=format_checksum(version_checksums(frame)))


@given(st.lists(st.none() | st.text(), min_size=1), st.sampled_from(["insert", "update", "delete"]))
def test_a_batch_that_is_what_the_fact_says_passes(names, change):
    frame = versions(names, change, version=2)
    check_batch(frame, batch_of(frame), fact())


@given(st.lists(st.none() | st.text(), min_size=1), st.none() | st.text(), st.data())
def test_any_other_value_is_found(names, other, data):
    frame = versions(names)
    at = data.draw(st.integers(0, len(names) - 1))
    altered = frame.with_columns(pl.Series("name", [*names[:at], other, *names[at + 1 :]], pl.String))
    if other == names[at]:
        check_batch(altered, batch_of(frame), fact())
    else:
        with pytest.raises(Mismatch, match=f"1 documents with a wrong hash, the first from line {at + 2}"):
            check_batch(altered, batch_of(frame), fact())


@pytest.mark.parametrize(
    ("column", "value", "wrong"),
    [
        ("_hash", b"\0" * 32, "hash"),
        ("_line", 7, "line"),
        ("name", "", "data"),
        ("id", 0, "data"),
        ("_previous_hash", None, "previous_hash"),
    ],
)
def test_a_delete_with_anything_but_what_was_there_before_is_refused(column, value, wrong):
    frame = pl.concat([versions(["a"]), versions(["b"], "delete", version=2)])
    check_batch(frame, batch_of(frame), fact())
    frame = frame.with_columns(pl.Series(column, [frame[column][0], value], frame[column].dtype))
    with pytest.raises(Mismatch, match=f"1 documents with a wrong {wrong}, the first (with key '0'|from line 7)"):
        check_batch(frame, batch_of(frame), fact())


def test_an_insert_follows_nothing_or_a_delete_so_it_has_no_hash_before_it():
    frame = versions(["a"], "insert", version=3)
    check_batch(frame, batch_of(frame), fact())
    frame = frame.with_columns(_previous_hash=pl.lit(b"p" * 32))
    with pytest.raises(Mismatch, match="wrong previous_hash"):
        check_batch(frame, batch_of(frame), fact())


def test_an_update_without_the_hash_before_it_is_refused():
    frame = versions(["a"], "update", version=2).with_columns(_previous_hash=pl.lit(None, pl.Binary))
    with pytest.raises(Mismatch, match="wrong previous_hash"):
        check_batch(frame, batch_of(frame), fact())


def named_anew(frame, said):
    """The versions with the keys that their lines or contents give."""
    return frame.with_columns(
        line_keys(frame["_line"], said.file_id) if said.identity == "line" else content_keys(frame["_hash"])
    )


@pytest.mark.parametrize("identity", ["line", "content"])
def test_records_without_key_columns_are_named_by_line_or_content(identity):
    said = fact(key=(), identity=identity)
    frame = named_anew(versions(["a", "b"]), said)
    check_batch(frame, batch_of(frame), said)
    ended = frame.tail(1).with_columns(
        pl.lit(None, frame[name].dtype).alias(name) for name in ("id", "name", "_hash", "_line")
    )
    ended = ended.with_columns(_change=pl.lit("delete"), _version=pl.lit(2, pl.Int64), _previous_hash=pl.lit(b"p" * 32))
    frame = pl.concat([frame.head(1), ended])
    check_batch(frame, batch_of(frame), said)


@pytest.mark.parametrize("identity", ["line", "content"])
@pytest.mark.parametrize("key", ["1", "", "01a1fd7d-bf76-73ed-8000-00000000002a|3", "row:" + "0" * 64])
def test_a_key_that_is_not_made_of_line_or_content_is_refused(identity, key):
    said = fact(key=(), identity=identity)
    frame = named_anew(versions(["a", "b"]), said)
    frame = frame.with_columns(_key=pl.Series([frame["_key"][0], key]))
    with pytest.raises(Mismatch, match="1 documents with a wrong key, the first from line 3"):
        check_batch(frame, batch_of(frame), said)


def test_lines_that_were_swapped_are_not_the_lines_of_their_keys():
    said = fact(key=(), identity="line")
    frame = named_anew(versions(["a", "b"]), said).with_columns(_line=pl.Series([3, 2]))
    with pytest.raises(Mismatch, match="2 documents with a wrong key"):
        check_batch(frame, batch_of(frame), said)


def test_a_record_of_a_line_that_has_none_is_refused():
    said = fact(key=(), identity="line")
    frame = named_anew(versions(["a", "b"]), said).with_columns(_line=pl.Series([2, None], dtype=pl.Int64))
    with pytest.raises(Mismatch, match="1 documents with a wrong key, the first with key "):
        check_batch(frame, batch_of(frame), said)


def test_a_content_key_is_made_of_the_values_not_of_the_stored_hash():
    said = fact(key=(), identity="content")
    frame = named_anew(versions(["a"]).with_columns(_hash=pl.lit(b"\0" * 32)), said)
    with pytest.raises(Mismatch, match="wrong key"):
        check_batch(frame, batch_of(frame), said)


def test_the_files_order_is_that_of_every_version():
    frame = pl.concat([versions(["a"]), versions(["b"], "delete", version=2)])
    assert orders(frame, fact(order="003|7")).to_list() == ["003|7"] * 2
    assert orders(frame, fact(order="")).to_list() == [""] * 2
    assert orders(frame, fact()) is None


def test_a_columns_order_is_that_of_its_row_and_a_delete_has_none():
    frame = pl.concat([versions(["a", None]), versions(["b"], "delete", version=2)])
    assert orders(frame, fact(order_column="name")).to_list() == ["a", None, None]
    numbers = orders(frame, fact(order_column="id"))
    assert numbers.to_list() == [*row_orders(frame["id"].head(2)), None]
    assert numbers[0] < numbers[1]


def test_fewer_documents_are_missing_and_more_are_wrong():
    frame = versions(["a", "b"])
    with pytest.raises(MissingDocuments, match="1 of 2 documents"):
        check_batch(frame.head(1), batch_of(frame), fact())
    with pytest.raises(Mismatch, match="2 documents are there where the fact says 1"):
        check_batch(frame, batch_of(frame.head(1)), fact())


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 20_000])
def test_a_sample_reaches_over_the_whole_batch(rows):
    picked = sample(pl.DataFrame({"n": range(rows)}))
    assert 1 <= len(picked) <= 16
    assert picked[-1][0] >= rows * 0.9 - 1


def test_an_update_of_version_one_is_refused():
    frame = versions(["a"], "update", version=1)
    with pytest.raises(Mismatch, match="wrong version"):
        check_batch(frame, batch_of(frame), fact())
