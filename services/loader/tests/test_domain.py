"""Pure rules: what can never be loaded, what tables can hold, what must be found before a file counts."""

import pytest
from loader.domain.facts import find_faults
from loader.domain.faults import LogDiffers, Mismatch, named
from loader.domain.loading import Tally, check_appended, check_counts, check_sums
from loader.domain.tables import LAYOUT, Tables, fit_tables
from waybill_contracts import Batch, RowCounts

from .facts import TYPES, fact


def test_tables_of_an_earlier_layout_fit_once_they_are_of_todays():
    made = Tables(TYPES, layout=1)
    assert fit_tables(made, fact()) == Tables(TYPES, LAYOUT) != made
    assert fit_tables(Tables(TYPES, LAYOUT + 1), fact()) == Tables(TYPES, LAYOUT + 1)


@pytest.mark.parametrize(
    ("made", "wanted", "widens"),
    [
        ("integer", "integer", True),
        ("integer", "decimal(20,2)", False),
        ("decimal(12,2)", "decimal(13,3)", True),
        ("decimal(12,2)", "text", True),
        ("text", "integer", False),
    ],
)
def test_types_only_widen(made, wanted, widens):
    if widens:
        fitting = fit_tables(Tables({"id": made, "old": "date"}), fact({"id": wanted}))
        assert fitting == Tables({"id": wanted, "old": "date"})
    else:
        with pytest.raises(Mismatch, match="column id is"):
            fit_tables(Tables({"id": made}), fact({"id": wanted}))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"types": {"_version": "text"}, "key": ("_version",)}, "column '_version' is a system column"),
        ({"types": {"ctid": "text"}, "key": ("ctid",)}, "column 'ctid' is a system column"),
        ({"types": {"id": "decimal(40,2)"}}, "column 'id' has no known type"),
        ({"types": {"id": "decimal( 4,2)"}}, "column 'id' has no known type"),
        ({"key": ("id", "day")}, "key column 'day' is not a column"),
        ({"key": ()}, "records are told apart by key, and there are 0 key columns"),
        ({"identity": "line"}, "records are told apart by line, and there are 1 key columns"),
        ({"identity": "place", "key": ()}, "records are told apart by 'place', which is not known"),
        ({"order_column": "day"}, "order column 'day' is none, which gives no order"),
        (
            {"types": TYPES | {"share": "float"}, "order_column": "share"},
            "order column 'share' is float, which gives no order",
        ),
        ({"order": "1", "order_column": "id"}, "both the file and a column give the order"),
        ({"types": {}, "key": (), "identity": "line"}, "there are no columns"),
        ({"batches": (Batch(number=1, version_count=1, checksum="0" * 32),) * 2}, "two batches have the same number"),
    ],
)
def test_what_can_never_be_loaded_is_named(change, fault):
    assert find_faults(fact(**change)) == [fault]


@pytest.mark.parametrize(
    "more",
    [{}, {"order": "3"}, {"order_column": "id"}, {"key": (), "identity": "line"}, {"key": (), "identity": "content"}],
)
def test_an_ordinary_fact_has_no_faults(more):
    assert find_faults(fact(**more)) == []


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
