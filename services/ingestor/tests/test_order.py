"""Files that say of which moment they are: whatever the order they come in, the newest word counts."""

from itertools import permutations
from typing import Any

import pytest
from driven_ingestor import COLUMNS, Ingestor, csv, declaration
from waybill_contracts import Declaration

BY_NAME = declaration(order_by={"file_name": r"(\d+)"})
STAMPED = COLUMNS | {"stamp": {"type": "integer"}}
BY_COLUMN = declaration(order_by={"column": "stamp"}, columns=STAMPED)
SNAPSHOT = declaration(mode="snapshot", order_by={"file_name": r"(\d+)"}, late="apply")


def counts(said: dict[str, Any]) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: count for name, count in said["rows"].items() if count}


async def current(ingestor: Ingestor) -> dict[str, Any]:
    """Key -> content of the live records, as their heads point to them."""
    documents = {bytes(document["_id"].binary): document["data"] for document in await ingestor.stored()}
    rows = await ingestor.all("SELECT key, record FROM heads WHERE NOT deleted")
    return {row["key"]: documents[row["record"]] for row in rows}


async def test_a_row_that_is_older_than_its_record_is_stale_and_changes_nothing(ingestor: Ingestor) -> None:
    await ingestor.deliver(csv("1,Ada,1", "2,Bob,2"), BY_NAME, order="002")
    await ingestor.deliver(csv("1,Eva,1", "3,Cem,3"), BY_NAME, order="001")
    said = await ingestor.last_event()
    assert (counts(said), said["order"]) == ({"read": 2, "inserted": 1, "stale": 1}, "001")
    assert (await current(ingestor))["1"]["customer"] == "Ada"
    rows = await ingestor.all("SELECT key, order_value FROM heads ORDER BY key")
    assert [row["order_value"] for row in rows] == ["002", "002", "001"]


async def test_the_same_content_said_again_later_stands_against_what_was_said_between(ingestor: Ingestor) -> None:
    await ingestor.deliver(csv("1,Ada,1"), BY_NAME, order="001")
    await ingestor.deliver(csv("1,Ada,1"), BY_NAME, order="003")
    assert counts(await ingestor.last_event()) == {"read": 1, "unchanged": 1}
    await ingestor.deliver(csv("1,Eva,2"), BY_NAME, order="002")
    assert counts(await ingestor.last_event()) == {"read": 1, "stale": 1}


async def test_of_two_words_of_the_same_moment_the_one_that_came_later_counts(ingestor: Ingestor) -> None:
    await ingestor.deliver(csv("1,Ada,1"), BY_NAME, order="001")
    await ingestor.deliver(csv("1,Eva,1"), BY_NAME, order="001")
    assert counts(await ingestor.last_event()) == {"read": 1, "updated": 1}


async def test_a_column_orders_rows_between_files_and_within_one(ingestor: Ingestor) -> None:
    header = b"order_id,customer,amount,stamp\n"
    await ingestor.deliver(header + b"1,A,1,10\n1,B,1,9\n2,C,1,-5\n", BY_COLUMN)
    said = await ingestor.last_event()
    assert (counts(said), said["order"], said["order_column"]) == (
        {"read": 3, "inserted": 2, "stale": 1},
        None,
        "stamp",
    )
    await ingestor.deliver(header + b"1,B,1,9\n2,D,1,-4\n3,E,1,\n", BY_COLUMN)
    assert counts(await ingestor.last_event()) == {"read": 3, "updated": 1, "stale": 1, "rejected": 1}
    assert {key: row["customer"] for key, row in (await current(ingestor)).items()} == {"1": "A", "2": "D"}


async def test_a_record_made_before_there_was_an_order_is_older_than_everything(ingestor: Ingestor) -> None:
    await ingestor.deliver(csv("1,Ada,1"))
    await ingestor.deliver(csv("1,Eva,1"), BY_NAME, order="001")
    assert counts(await ingestor.last_event()) == {"read": 1, "updated": 1}


async def test_a_late_snapshot_brings_nothing_back_and_deletes_nothing_that_is_newer(ingestor: Ingestor) -> None:
    await ingestor.deliver(csv("1,Ada,1", "2,Bob,2", "3,Cem,3"), SNAPSHOT, order="001")
    await ingestor.deliver(csv("1,Ada,1", "4,Dan,4"), SNAPSHOT, order="003")
    await ingestor.deliver(csv("2,Bob,9", "5,Eva,5"), SNAPSHOT, order="002", late=True)
    assert counts(await ingestor.last_event()) == {"read": 2, "stale": 2}
    assert sorted(await current(ingestor)) == ["1", "4"]


async def test_the_same_bytes_of_a_later_moment_are_not_skipped(ingestor: Ingestor) -> None:
    await ingestor.deliver(csv("1,Ada,1"), BY_NAME, order="001")
    await ingestor.deliver(csv("1,Ada,1"), BY_NAME, order="002")
    await ingestor.deliver(csv("1,Ada,1"), BY_NAME, order="002")
    assert await ingestor.states() == [(1, "DONE"), (2, "DONE"), (3, "SKIPPED")]


async def test_a_file_whose_name_lacks_the_order_value_fails_and_says_so(ingestor: Ingestor) -> None:
    await ingestor.deliver(csv("1,Ada,1"), BY_NAME)
    said = await ingestor.last_event()
    assert (said["type"], said["code"]) == ("file-failed", "no_order_value")


@pytest.mark.parametrize(
    ("late", "state", "kind"),
    [("hold", "LATE", "file-held"), ("refuse", "REFUSED", "file-refused"), (None, "DONE", "")],
)
async def test_a_late_file_waits_is_refused_or_taken_as_declared_and_never_holds_up_others(
    ingestor: Ingestor, late: str | None, state: str, kind: str
) -> None:
    declared = declaration(order_by={"file_name": r"(\d+)"}, late=late)
    await ingestor.deliver(csv("1,Ada,1"), declared, order="002")
    await ingestor.deliver(csv("1,Eva,1"), declared, order="001", late=True)
    said = await ingestor.last_event()
    assert said["type"] == (kind or "records-ingested")
    if kind:
        assert (
            [said["code"]] == ["late"] if state == "REFUSED" else [hold["code"] for hold in said["holds"]] == ["late"]
        )
    await ingestor.deliver(csv("2,Bob,2"), declared, order="003")
    assert [found for _, found in await ingestor.states()] == ["DONE", state, "DONE"]


async def test_without_an_order_a_late_file_waits_and_released_it_is_taken(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(csv("1,Ada,1"), late=True)
    assert await ingestor.states() == [(1, "LATE")]
    await ingestor.note(event.model_copy(update={"registration": 2, "cause": "release", "accepted": ("late",)}))
    await ingestor.work()
    assert counts(await ingestor.last_event()) == {"read": 1, "inserted": 1}


FILES = {"001": ("1,A,1", "2,A,1"), "002": ("1,B,1", "3,B,1"), "003": ("2,A,1", "3,C,1"), "004": ("1,B,1",)}


@pytest.mark.parametrize("declared", [BY_NAME, SNAPSHOT], ids=["upsert", "snapshot"])
async def test_every_order_of_arrival_ends_in_the_same_current_rows(ingestor: Ingestor, declared: Declaration) -> None:
    """Each permutation in a dataset of its own; six files are permuted in the system tests."""
    results = set()
    for number, order in enumerate(permutations(FILES)):
        here = declared.model_copy(update={"table": f"orders_{number}"})
        for value in order:
            await ingestor.deliver(csv(*FILES[value]), here, order=value)
        rows = await ingestor.all(
            "SELECT key, encode(hash, 'hex') AS hash FROM heads JOIN datasets USING (dataset_id)"
            " WHERE dataset = $1 AND NOT deleted ORDER BY key",
            here.dataset,
        )
        results.add(tuple((row["key"], row["hash"]) for row in rows))
    assert len(results) == 1
