"""Where a file stands, whatever order its events come in."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registry.domain.deciding import release
from registry.domain.declaring import refusal
from registry.domain.standing import Outcome, Standing, note, retry
from waybill_contracts import (
    Column,
    Declaration,
    FileFailed,
    FileHeld,
    FileLoaded,
    FileRefused,
    FileSkipped,
    Format,
    RecordsIngested,
    RepairCount,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FILE, TWIN = uuid4(), uuid4()


def ingested(attempt: int, position: int = 1) -> RecordsIngested:
    return RecordsIngested.model_validate(
        {
            "organisation": "acme",
            "table": "orders",
            "file_id": FILE,
            "arrival": 1,
            "registration": 1,
            "attempt": attempt,
            "position": position,
            "sha256": "0" * 64,
            "columns": [{"name": "id", "type": "integer"}],
            "key": ["id"],
            "rule_version": 1,
            "batches": [
                {"number": 1, "version_count": 2, "checksum": "f" * 32},
                {"number": 2, "version_count": 1, "checksum": f"{3:032x}"},
            ],
            "rows": {"read": 5, "inserted": 2, "updated": 1, "unchanged": 1, "rejected": 1},
            "source": {
                "bucket": "landing",
                "object_key": "acme/orders/a.csv",
                "version_id": "v",
                "size": 1,
                "registered_at": NOON,
            },
        }
    )


def loaded(attempt: int, position: int = 1, **rows: int) -> FileLoaded:
    return FileLoaded.model_validate(
        {
            "organisation": "acme",
            "table": "orders",
            "file_id": FILE,
            "attempt": attempt,
            "position": position,
            "rows": {"inserted": 2, "updated": 1, **rows},
            "checksum": f"{2:032x}",  # modulo 2^128
        }
    )


def failed(attempt: int) -> FileFailed:
    return FileFailed(
        organisation="acme", table="orders", file_id=FILE, attempt=attempt, code="empty_file", reason="it is empty"
    )


def skipped(attempt: int) -> FileSkipped:
    return FileSkipped(organisation="acme", table="orders", file_id=FILE, attempt=attempt, twin_file_id=TWIN)


def held(attempt: int) -> FileHeld:
    return FileHeld.model_validate(
        {
            "organisation": "acme",
            "table": "orders",
            "file_id": FILE,
            "attempt": attempt,
            "registration": 1,
            "holds": [{"code": "late", "reason": "it is late"}, {"code": "delete_share", "reason": "too many"}],
            "rows": {"read": 1, "inserted": 1},
            "proposal": {"optional": ["day"]},
        }
    )


def refused(attempt: int) -> FileRefused:
    return FileRefused(
        organisation="acme", table="orders", file_id=FILE, attempt=attempt, code="refused", reason="no", user="zoe"
    )


REGISTERED = Standing(state="REGISTERED")


def after(*events: Outcome, start: Standing = REGISTERED) -> Standing:
    for event in events:
        start = note(start, event)
    return start


@pytest.mark.parametrize("events", [[ingested(3), loaded(3)], [loaded(3), ingested(3)]])
def test_a_file_is_loaded_once_both_halves_are_here_in_any_order(events: list[Outcome]) -> None:
    assert after(events[0]).state != "LOADED"
    standing = after(*events)
    assert (standing.state, standing.attempt, standing.rank, standing.balanced) == ("LOADED", 3, 2, True)


@pytest.mark.parametrize(
    ("second_half", "reason"),
    [
        (loaded(3, inserted=3), "inserted: 2 in MongoDB, 3 in PostgreSQL"),
        (loaded(3, updated=0), "updated"),
        (loaded(3, deleted=1), "deleted"),
        (loaded(3, position=2), "position"),
        (loaded(3).model_copy(update={"checksum": "0" * 32}), "checksums"),
    ],
)
def test_a_file_that_does_not_balance_stays_ingested_and_says_why(second_half: FileLoaded, reason: str) -> None:
    standing = after(ingested(3), second_half)
    assert (standing.state, standing.balanced) == ("INGESTED", False)
    assert reason in (standing.reason or "")


def test_rows_that_are_not_accounted_for_do_not_balance() -> None:
    event = ingested(3)
    short = event.model_copy(update={"rows": event.rows.model_copy(update={"read": 6})})
    assert after(short, loaded(3)).balanced is False


STATES: dict[Any, str] = {
    ingested: "LOADED",
    failed: "FAILED",
    skipped: "SKIPPED",
    held: "HELD",
    refused: "REFUSED",
}


@settings(max_examples=400)
@given(st.data())
def test_any_order_and_repetition_of_outcomes_ends_in_the_same_state(data: st.DataObject) -> None:
    ends = [[ingested], [failed], [skipped], [held], [refused], [held, refused]]
    kinds = data.draw(st.lists(st.sampled_from(ends), min_size=1, max_size=4))
    base = data.draw(st.integers(0, 3))
    events: list[Outcome] = [make(attempt) for attempt, makes in enumerate(kinds, 1) for make in makes]
    events += [loaded(event.attempt) for event in events if isinstance(event, RecordsIngested)]
    start = Standing(state="REGISTERED", attempt=base, base_attempt=base)
    shuffled = data.draw(st.permutations(events + data.draw(st.lists(st.sampled_from(events), max_size=6))))
    expected = after(*events, start=start)
    assert after(*shuffled, start=start) == expected
    if len(kinds) > base:
        assert expected.state == STATES[kinds[-1][-1]]
    else:
        assert expected == start


def test_a_file_is_held_for_every_reason_and_named_by_the_first() -> None:
    standing = after(held(3))
    assert (standing.state, standing.code, standing.reason) == ("HELD", "late", "it is late; too many")
    assert standing.proposal == held(3).proposal


@pytest.mark.parametrize("events", [[held(3), refused(3)], [refused(3), held(3)]])
def test_a_refused_file_keeps_what_it_was_held_for(events: list[Outcome]) -> None:
    standing = after(*events)
    assert (standing.state, standing.code, standing.reason) == ("REFUSED", "refused", "no")
    assert (standing.holds, standing.rows, standing.proposal) == (held(3).holds, held(3).rows, None)


def test_a_released_file_is_registered_and_old_outcomes_do_not_undo_that() -> None:
    again = release(after(held(3)))
    assert (again.state, again.base_attempt, again.holds, again.proposal) == ("REGISTERED", 3, (), None)
    assert after(refused(3), held(3), ingested(2), start=again) == again
    assert after(ingested(4), loaded(4), start=again).state == "LOADED"


@pytest.mark.parametrize("event", [failed(3), skipped(3), refused(3)])
def test_a_file_that_took_no_effect_can_be_tried_again_and_old_outcomes_do_not_undo_that(event: Outcome) -> None:
    again = retry(after(event), 3)
    assert isinstance(again, Standing)
    assert (again.state, again.base_attempt, again.reason, again.twin_file_id) == ("REGISTERED", 3, None, None)
    assert after(event, ingested(2), start=again) == again
    assert after(ingested(4), loaded(4), start=again).state == "LOADED"


@pytest.mark.parametrize(
    ("standing", "attempt", "why"),
    [
        (REGISTERED, 0, "this one is REGISTERED"),
        (after(held(3)), 3, "this one is HELD"),
        (after(ingested(3)), 3, "this one is INGESTED"),
        (after(ingested(3), loaded(3)), 3, "this one is LOADED"),
        (after(failed(3)), 2, "answers attempt 2, but the newest is 3"),
        (after(failed(3)), 4, "answers attempt 4, but the newest is 3"),
    ],
)
def test_a_retry_answers_a_failed_refused_or_skipped_attempt_only(standing: Standing, attempt: int, why: str) -> None:
    refused = retry(standing, attempt)
    assert isinstance(refused, str)
    assert why in refused


def declaration(*key: str) -> Declaration:
    columns = {"id": Column(type="integer"), "day": Column(type="date")}
    return Declaration(organisation="acme", table="orders", key=key, columns=columns)


def test_the_key_of_a_dataset_whose_files_took_effect_stays() -> None:
    assert refusal(None, declaration("id"), has_taken_effect=True) is None
    assert refusal(declaration("id"), declaration("day"), has_taken_effect=False) is None
    assert refusal(declaration("id"), declaration("id"), has_taken_effect=True) is None
    for other in (declaration("day"), declaration("id", "day")):
        assert "the key of acme/orders is id" in (refusal(declaration("id"), other, has_taken_effect=True) or "")


def test_a_declaration_that_no_file_could_be_read_by_or_no_message_could_carry_is_refused() -> None:
    broken = declaration("id").model_copy(update={"columns": {"id": Column(pattern="(")}})
    assert "pattern" in (refusal(None, broken, has_taken_effect=False) or "")
    words = tuple(f"{number:0500d}" for number in range(1000))
    large = declaration("id").model_copy(update={"columns": {"id": Column(one_of=words)}})
    assert "at most 400000 bytes" in (refusal(None, large, has_taken_effect=False) or "")


def test_everything_of_an_ended_attempt_is_forgotten_by_the_next() -> None:
    again = retry(after(failed(1)), 1)
    assert again == replace(Standing(state="REGISTERED"), attempt=1, base_attempt=1)


def test_how_the_file_was_read_is_kept_with_the_first_half_of_its_waybill() -> None:
    event = ingested(1).model_copy(update={"format": Format(type="csv", delimiter=";", quote="", header=True)})
    noted = note(Standing(state="REGISTERED"), event).ingested
    assert noted
    assert noted.format == {"type": "csv", "delimiter": ";", "quote": "", "header": True}


def test_how_many_rows_were_mended_is_kept_with_it_too() -> None:
    mended = (RepairCount(repair="missing_fields", rows=12), RepairCount(repair="stray_quotes", rows=3))
    noted = note(Standing(state="REGISTERED"), ingested(1).model_copy(update={"repairs": mended})).ingested
    assert noted
    assert noted.repairs == {"missing_fields": 12, "stray_quotes": 3}
