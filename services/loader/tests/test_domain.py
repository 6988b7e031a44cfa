"""Pure rules: what widens, what can never be loaded, what a batch must be."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loader.domain import (
    LogDiffers,
    Mismatch,
    MissingDocuments,
    Tally,
    check_appended,
    check_batch,
    check_counts,
    check_sums,
    find_faults,
    merge_columns,
    named,
    sample,
)
from records.checksum import format_checksum, version_checksums
from records.row_hash import add_identity
from waybill_contracts import Batch, ColumnType, RecordsIngested, RowCounts, Source, uuid7

TYPES = {"id": "integer", "name": "text"}


def fact(types=TYPES, key=("id",), **more):
    return RecordsIngested(
        organisation="acme",
        table="orders",
        file_id=uuid7(),
        arrival=1,
        registration=1,
        attempt=1,
        position=3,
        sha256="0" * 64,
        columns=tuple(ColumnType(name=name, type=kind) for name, kind in types.items()),
        key=key,
        rule_version=1,
        source=Source(
            bucket="b", object_key="k", version_id="v", size=1, registered_at=datetime(2026, 1, 1, tzinfo=UTC)
        ),
        **{"batches": (), "rows": RowCounts(), **more},
    )


def versions(names, change="insert", version=1):
    """A batch of versions with right keys and hashes."""
    frame = pl.DataFrame({"id": range(len(names)), "name": names}, schema={"id": pl.Int64, "name": pl.String})
    frame = add_identity(frame, ("id",), TYPES)
    if change == "delete":
        frame = frame.with_columns(pl.lit(None, pl.String).alias("name"), pl.lit(None, pl.Binary).alias("_hash"))
    return frame.with_columns(
        _version=pl.lit(version, pl.Int64),
        _change=pl.lit(change),
        _position=pl.lit(3, pl.Int64),
        _line=pl.int_range(2, 2 + pl.len(), dtype=pl.Int64),
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


def test_a_delete_with_a_hash_is_refused():
    frame = versions(["a"], "delete", version=2).with_columns(_hash=pl.lit(b"\0" * 32))
    with pytest.raises(Mismatch, match="wrong hash"):
        check_batch(frame, batch_of(frame), fact())


def test_an_update_of_version_one_is_refused():
    frame = versions(["a"], "update", version=1)
    with pytest.raises(Mismatch, match="wrong version"):
        check_batch(frame, batch_of(frame), fact())


def test_fewer_documents_are_missing_and_more_are_wrong():
    frame = versions(["a", "b"])
    with pytest.raises(MissingDocuments, match="1 of 2 documents"):
        check_batch(frame.head(1), batch_of(frame), fact())
    with pytest.raises(Mismatch, match="2 documents are there where the fact says 1"):
        check_batch(frame, batch_of(frame.head(1)), fact())


@pytest.mark.parametrize(
    ("made", "wanted", "widens"),
    [
        ("integer", "integer", True),
        ("integer", "decimal(19,0)", True),
        ("integer", "decimal(20,2)", False),
        ("integer", "text", True),
        ("integer", "float", False),
        ("decimal(12,2)", "decimal(12,3)", False),
        ("decimal(12,2)", "decimal(13,3)", True),
        ("decimal(12,2)", "decimal(13,1)", False),
        ("decimal(12,2)", "text", True),
        ("decimal(12,0)", "integer", False),
        ("text", "integer", False),
        ("date", "timestamp", False),
        ("date", "text", False),
        ("float", "text", False),
    ],
)
def test_types_only_widen(made, wanted, widens):
    if widens:
        assert merge_columns({"id": made, "old": "date"}, fact({"id": wanted})) == {"id": wanted, "old": "date"}
    else:
        with pytest.raises(Mismatch, match="column id is"):
            merge_columns({"id": made}, fact({"id": wanted}))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"types": {"_version": "text"}, "key": ("_version",)}, "column '_version' is a system column"),
        ({"types": {"ctid": "text"}, "key": ("ctid",)}, "column 'ctid' is a system column"),
        ({"types": {"id": "decimal(40,2)"}}, "column 'id' has no known type"),
        ({"types": {"id": "decimal( 4,2)"}}, "column 'id' has no known type"),
        ({"key": ("id", "day")}, "key column 'day' is not a column"),
        ({"batches": (Batch(number=1, version_count=1, checksum="0" * 32),) * 2}, "two batches have the same number"),
    ],
)
def test_what_can_never_be_loaded_is_named(change, fault):
    assert find_faults(fact(**change)) == [fault]


def test_an_ordinary_fact_has_no_faults():
    assert find_faults(fact()) == []


def test_sums_of_batches_wrap_at_two_to_the_128():
    half = Batch(number=1, version_count=2, checksum="8" + "0" * 31)
    said = fact(batches=(half, half.model_copy(update={"number": 2})))
    check_sums(said, Tally({"insert": 3, "update": 1}, "0" * 32))
    for tally in (Tally({"insert": 4}, "0" * 31 + "1"), Tally({"insert": 3}, "0" * 32)):
        with pytest.raises(LogDiffers):
            check_sums(said, tally)


def test_every_batch_must_be_entered():
    batch = Batch(number=1, version_count=1, checksum="0" * 32)
    said = fact(batches=(batch, batch.model_copy(update={"number": 2})))
    check_appended(said, frozenset({1, 2}))
    with pytest.raises(LogDiffers, match="1 batches are not in the log"):
        check_appended(said, frozenset({2}))


def test_counts_name_every_change_that_is_off():
    rows = RowCounts(inserted=2, updated=1)
    check_counts(fact(rows=rows), "it took", {"insert": 2, "update": 1})
    with pytest.raises(
        Mismatch, match="it took 1 inserts where the waybill says 2, 4 deletes where the waybill says 0"
    ):
        check_counts(fact(rows=rows), "it took", {"insert": 1, "update": 1, "delete": 4})


def test_faults_are_told_with_dataset_position_and_batch():
    with (
        pytest.raises(Mismatch, match=r"^acme/orders position 3 batch 7: odd$"),
        named(fact(), Batch(number=7, version_count=0, checksum="0" * 32)),
    ):
        raise Mismatch("odd")


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 20_000])
def test_a_sample_reaches_over_the_whole_batch(rows):
    picked = sample(pl.DataFrame({"n": range(rows)}))
    assert 1 <= len(picked) <= 16
    assert picked[-1][0] >= rows * 0.9 - 1
