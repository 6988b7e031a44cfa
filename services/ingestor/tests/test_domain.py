"""Rules, without a fixture."""

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingestor.domain.attempts import MAX_BATCHES, batch_size, merge_runs
from ingestor.domain.guard import GuardFault, check_drift, check_rejects, widens
from ingestor.domain.records import record_ids
from ingestor.domain.registration import Dataset, Position, is_queued, is_twin
from records.bson_encode import record_id
from records.errors import FileFault
from waybill_contracts import Declaration, Guards, RowCounts

POSITION = Position(3, 7, UUID(int=1), "ab", {"key": ["order_id"]}, 1)


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


def test_a_twin_has_the_same_bytes_declaration_and_rule_version() -> None:
    assert is_twin(POSITION, "ab", {"key": ["order_id"]}, 1)
    assert not is_twin(POSITION, "ac", {"key": ["order_id"]}, 1)
    assert not is_twin(POSITION, "ab", {"key": ["other"]}, 1)
    assert not is_twin(POSITION, "ab", {"key": ["order_id"]}, 2)
    assert not is_twin(None, "ab", {"key": ["order_id"]}, 1)


def test_a_share_of_rejects_over_the_limit_is_refused_with_the_counts() -> None:
    guards = Guards(max_reject_share=0.1, min_rows_for_shares=100)
    check_rejects(RowCounts(read=100, inserted=90, rejected=10), guards)
    with pytest.raises(GuardFault, match=r"11 of 100 rows .* \(11.0%\)") as raised:
        check_rejects(RowCounts(read=100, inserted=89, rejected=11), guards)
    assert raised.value.rows.rejected == 11


def test_few_rows_are_not_measured_by_shares() -> None:
    check_rejects(RowCounts(read=99, rejected=99), Guards(max_reject_share=0.1, min_rows_for_shares=100))
    check_rejects(RowCounts(), Guards(max_reject_share=0, min_rows_for_shares=0))


@pytest.mark.parametrize(
    ("held", "declared", "wide"),
    [
        ("integer", "integer", True),
        ("integer", "decimal(19,0)", True),
        ("integer", "decimal(20,2)", False),
        ("integer", "text", True),
        ("decimal(12,2)", "decimal(14,4)", True),
        ("decimal(12,2)", "decimal(12,4)", False),
        ("decimal(12,2)", "decimal(20,1)", False),
        ("decimal(12,2)", "text", True),
        ("decimal(12,2)", "integer", False),
        ("integer", "float", False),
        ("text", "integer", False),
        ("float", "text", False),
        ("date", "timestamp", False),
    ],
)
def test_types_only_widen(held: str, declared: str, wide: bool) -> None:
    assert widens(held, declared) is wide


def _declared(key: str = "order_id", **types: str) -> Declaration:
    columns = {name: {"type": kind} for name, kind in {"order_id": "integer", **types}.items()}
    return Declaration.model_validate({"organisation": "acme", "table": "orders", "key": [key], "columns": columns})


def test_a_dataset_without_positions_has_nothing_to_drift_from() -> None:
    check_drift(Dataset(1, "acme/orders", 0, {}), None, _declared())


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        (_declared(amount="integer"), "narrowed_type"),
        (_declared(key="amount", amount="decimal(12,2)"), "key_changed"),
        (_declared(order_id="text", amount="decimal(12,2)"), "key_changed"),
    ],
)
def test_a_declaration_that_would_lose_values_or_records_is_refused(declared: Declaration, code: str) -> None:
    dataset = Dataset(1, "acme/orders", 3, {"order_id": "integer", "amount": "decimal(12,2)"})
    with pytest.raises(FileFault) as raised:
        check_drift(dataset, POSITION, declared)
    assert raised.value.code == code


def test_a_new_column_and_a_wider_type_are_no_drift() -> None:
    dataset = Dataset(1, "acme/orders", 3, {"order_id": "integer", "amount": "decimal(12,2)"})
    check_drift(dataset, POSITION, _declared(amount="text", note="text"))


@given(st.integers(1, 10**9))
def test_a_file_never_has_more_than_1000_batches(versions: int) -> None:
    size = batch_size(versions)
    assert size >= 20_000
    assert -(-versions // size) <= MAX_BATCHES


@given(st.sets(st.integers(1, 60)))
def test_runs_hold_exactly_the_numbers_and_never_touch(numbers: set[int]) -> None:
    runs = merge_runs(sorted(numbers))
    assert [n for first, last in runs for n in range(first, last + 1)] == sorted(numbers)
    assert all(later[0] > earlier[1] + 1 for earlier, later in pairwise(runs))


@given(st.integers(1, 2**32 - 1), st.lists(st.integers(1, 5), max_size=4))
def test_record_ids_are_those_of_the_documents(attempt: int, counts: list[int]) -> None:
    batches = list(enumerate(counts, 1))
    expected = [record_id(attempt, number, place) for number, count in batches for place in range(count)]
    assert record_ids(attempt, batches).to_list() == expected
