"""Rules, without a fixture."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from chassis.messaging import MAX_BODY_BYTES
from hypothesis import given
from hypothesis import strategies as st
from ingestor.domain.attempts import MAX_BATCHES, batch_size, merge_runs
from ingestor.domain.drift import likely_renames
from ingestor.domain.guard import check_drift, judge_shares
from ingestor.domain.holds import Absent, Held
from ingestor.domain.records import RecordIds
from ingestor.domain.registration import Dataset, Position, is_queued, is_twin
from ingestor.files.parts import MAX_NAMES_BYTES, MAX_PARTS
from records.bson.encode import record_id
from records.errors import FileFault
from waybill_contracts import Batch, Declaration, FileRegistered, Guards, OrderBy, RecordsIngested, RowCounts
from waybill_contracts.declaration import MAX_COLUMNS
from waybill_contracts.records import ColumnType, PartCount


@pytest.mark.parametrize(
    ("state", "cause", "queued"),
    [
        (None, "new", True),
        ("QUEUED", "new", True),
        ("RUNNING", "retry", True),
        ("HELD", "release", True),
        ("FAILED", "retry", True),
        ("REFUSED", "retry", True),
        ("SKIPPED", "retry", True),
        ("SKIPPED", "repeat", False),
        ("DONE", "retry", False),
    ],
)
def test_a_newer_registration_queues_what_is_not_done(state: str | None, cause: str, queued: bool) -> None:
    assert is_queued(state, 1, 2, cause) is queued


@pytest.mark.parametrize("state", ["QUEUED", "RUNNING", "FAILED", "SKIPPED", "DONE"])
def test_a_registration_that_is_not_newer_is_ignored(state: str) -> None:
    assert not is_queued(state, 2, 2, "retry")
    assert not is_queued(state, 2, 1, "retry")


def test_a_twin_has_the_same_bytes_declaration_rule_version_order_and_scope() -> None:
    file = _registered(_declared())
    assert is_twin(POSITION, "ab", file, 1)
    assert not is_twin(POSITION, "ac", file, 1)
    assert not is_twin(POSITION, "ab", _registered(_declared(amount="integer")), 1)
    assert not is_twin(POSITION, "ab", file, 2)
    assert not is_twin(POSITION, "ab", file.model_copy(update={"order": "0"}), 1)
    assert not is_twin(POSITION, "ab", file.model_copy(update={"partition": "north"}), 1)
    assert not is_twin(None, "ab", file, 1)


def _codes(rows: RowCounts, guards: Guards, **found: Any) -> list[str]:
    facts = {"absent": Absent(), "keyless": 0, "mistyped": {}} | found
    return [reason.code for reason in judge_shares(rows, guards=guards, **facts)]


def test_a_share_of_rejects_over_the_limit_is_a_reason_to_wait() -> None:
    guards = Guards(max_reject_share=0.1, min_rows_for_shares=100)
    assert _codes(RowCounts(read=100, inserted=90, rejected=10), guards) == []
    rows = RowCounts(read=100, inserted=89, rejected=11)
    (reason,) = judge_shares(rows, Absent(), 0, guards, {})
    assert reason.text == "11 of 100 rows were rejected (11.0%); at most 10.0% may be"
    assert _codes(rows, guards, mistyped={"amount": 50}) == ["reject_share"]
    assert _codes(rows, guards, mistyped={"amount": 51}) == ["reject_share", "type_changed"]


def test_a_share_of_deletes_over_the_limit_is_a_reason_to_wait() -> None:
    guards = Guards(max_delete_share=0.2, min_rows_for_shares=100)
    assert _codes(RowCounts(), guards, absent=Absent(100, 20)) == []
    assert _codes(RowCounts(), guards, absent=Absent(100, 21)) == ["delete_share"]
    assert _codes(RowCounts(), guards, absent=Absent(99, 99)) == []
    assert _codes(RowCounts(), guards, keyless=1) == ["keyless_rejects"]


def test_few_rows_are_not_measured_by_shares() -> None:
    assert _codes(RowCounts(read=99, rejected=99), Guards(max_reject_share=0.1, min_rows_for_shares=100)) == []
    assert _codes(RowCounts(), Guards(max_reject_share=0, min_rows_for_shares=0)) == []


@pytest.mark.parametrize(
    ("missing", "unknown", "likely"),
    [
        (["amount"], ["amounts", "colour"], {"amounts": "amount"}),
        (["amount"], ["betrag"], {"betrag": "amount"}),
        (["amount"], ["x", "y"], {}),
        (["net", "gross"], ["gross_sum", "net_sum"], {"net_sum": "net", "gross_sum": "gross"}),
        ([], ["x"], {}),
    ],
)
def test_a_new_name_is_taken_for_the_missing_one_that_it_is_like(
    missing: list[str], unknown: list[str], likely: dict[str, str]
) -> None:
    assert likely_renames(missing, unknown) == likely


def _declared(key: str = "order_id", **types: str) -> Declaration:
    columns = {name: {"type": kind} for name, kind in {"order_id": "integer", **types}.items()}
    return Declaration.model_validate({"organisation": "acme", "table": "orders", "key": [key], "columns": columns})


def _registered(declared: Declaration) -> FileRegistered:
    return FileRegistered(
        organisation="acme",
        table="orders",
        file_id=UUID(int=1),
        arrival=1,
        registration=1,
        cause="new",
        bucket="b",
        object_key="k",
        version_id="v",
        size=1,
        etag="e",
        last_modified=datetime(2026, 11, 21, tzinfo=UTC),
        found_by="sweep",
        declaration=declared,
    )


POSITION = Position(3, 7, UUID(int=1), "ab", _declared().model_dump(mode="json"), 1, None, None)


def test_a_dataset_without_positions_has_nothing_to_drift_from() -> None:
    check_drift(Dataset(1, "acme/orders", 0, {}), None, _declared())


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        (_declared(key="amount", amount="decimal(12,2)"), "key_changed"),
        (_declared(order_id="text", amount="decimal(12,2)"), "key_changed"),
    ],
)
def test_a_declaration_that_would_lose_values_or_records_is_refused(declared: Declaration, code: str) -> None:
    dataset = Dataset(1, "acme/orders", 3, {"order_id": "integer", "amount": "decimal(12,2)"})
    with pytest.raises(FileFault) as raised:
        check_drift(dataset, POSITION, declared)
    assert raised.value.code == code


def test_a_column_that_orders_records_keeps_its_type() -> None:
    dataset = Dataset(1, "acme/orders", 3, {"order_id": "integer", "stamp": "integer"})
    ordered = _declared(stamp="text").model_copy(update={"order_by": OrderBy(column="stamp")})
    with pytest.raises(FileFault, match="column stamp orders or divides the records as integer"):
        check_drift(dataset, POSITION, ordered)
    check_drift(dataset, POSITION, _declared(stamp="text"))


def test_a_narrower_type_waits_for_a_declaration_that_loses_nothing() -> None:
    dataset = Dataset(1, "acme/orders", 3, {"order_id": "integer", "amount": "decimal(12,2)"})
    with pytest.raises(Held, match="column amount holds values of type decimal"):
        check_drift(dataset, POSITION, _declared(amount="integer"))


def test_a_new_column_and_a_wider_type_are_no_drift() -> None:
    dataset = Dataset(1, "acme/orders", 3, {"order_id": "integer", "amount": "decimal(12,2)"})
    check_drift(dataset, POSITION, _declared(amount="text", note="text"))


@given(st.integers(1, 10**9))
def test_a_file_never_has_more_than_2500_batches(versions: int) -> None:
    size = batch_size(versions)
    assert size >= 20_000
    assert -(-versions // size) <= MAX_BATCHES


def test_one_message_can_tell_of_the_most_batches_columns_and_parts_that_a_file_can_have() -> None:
    name = "n" * (MAX_NAMES_BYTES // MAX_PARTS)
    part = PartCount(file_id=UUID(int=1), entry=name, first_line=10**9, rows=10**9)
    fact = RecordsIngested.model_construct(
        columns=(ColumnType(name="n" * 63, type="decimal(38,18)"),) * MAX_COLUMNS,
        batches=(Batch(number=MAX_BATCHES, version_count=10**6, checksum="f" * 32),) * MAX_BATCHES,
        parts=(part,) * MAX_PARTS,
    )
    assert len(fact.model_dump_json()) < MAX_BODY_BYTES


@given(st.sets(st.integers(1, 60)))
def test_runs_hold_exactly_the_numbers_and_never_touch(numbers: set[int]) -> None:
    runs = merge_runs(sorted(numbers))
    assert [n for first, last in runs for n in range(first, last + 1)] == sorted(numbers)
    assert all(later[0] > earlier[1] + 1 for earlier, later in pairwise(runs))


@given(st.integers(1, 2**32 - 1), st.lists(st.integers(1, 5), max_size=4), st.integers(1, 7))
def test_record_ids_are_those_of_the_documents_in_whatever_pieces_they_are_asked_for(
    attempt: int, counts: list[int], step: int
) -> None:
    batches = list(enumerate(counts, 1))
    expected = [record_id(attempt, number, place) for number, count in batches for place in range(count)]
    ids = RecordIds(attempt, batches)
    pieces = [ids.piece(first, min(step, len(ids) - first)).to_list() for first in range(0, len(ids), step)]
    assert [each for piece in pieces for each in piece] == expected
