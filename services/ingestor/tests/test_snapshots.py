"""What snapshots and appended files leave, as small files and as large ones."""

from typing import Any

import pytest
from driven_ingestor import COLUMNS, Ingestor, csv, declaration

SNAPSHOT = declaration(mode="snapshot", guards={"max_reject_share": 0.5})
BY_DAY = {"day": {"type": "date"}}


def counts(said: dict[str, Any]) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: count for name, count in said["rows"].items() if count}


async def heads(ingestor: Ingestor) -> dict[str, tuple[int, bool]]:
    rows = await ingestor.all("SELECT key, version, deleted FROM heads ORDER BY key")
    return {row["key"]: (row["version"], row["deleted"]) for row in rows}


async def test_a_record_that_a_snapshot_lacks_is_deleted_and_comes_back_as_an_insert(ingestor: Ingestor) -> None:
    await ingestor.deliver(csv("1,Ada,10.00", "2,Bob,20.50", "3,Cem,"), SNAPSHOT)
    await ingestor.deliver(csv("1,Ada,10.00", "3,Cem,1"), SNAPSHOT)
    said = await ingestor.last_event()
    assert counts(said) == {"read": 2, "updated": 1, "unchanged": 1, "deleted": 1}
    assert [batch["version_count"] for batch in said["batches"]] == [2]
    assert await heads(ingestor) == {"1": (1, False), "2": (2, True), "3": (2, False)}
    before, gone = [document for document in await ingestor.stored() if document["key"] == "2"]
    assert {name: gone[name] for name in ("change", "version", "prev", "previous_hash", "data")} == {
        "change": "delete",
        "version": 2,
        "prev": before["_id"],
        "previous_hash": before["hash"],
        "data": {},
    }
    assert not {"hash", "line", "changed"} & gone.keys()
    await ingestor.deliver(csv("1,Ada,10.00", "2,Bob,20.50", "3,Cem,1"), SNAPSHOT)
    assert counts(await ingestor.last_event()) == {"read": 3, "inserted": 1, "unchanged": 2}
    back = (await ingestor.stored())[-1]
    assert (back["key"], back["version"], back["change"], back["prev"]) == ("2", 3, "insert", gone["_id"])
    assert "previous_hash" not in back


async def test_a_snapshot_without_rows_deletes_everything_and_the_next_one_nothing(ingestor: Ingestor) -> None:
    await ingestor.deliver(csv("1,Ada,10.00", "2,Bob,20.50"), SNAPSHOT)
    await ingestor.deliver(csv(), SNAPSHOT)
    assert counts(await ingestor.last_event()) == {"deleted": 2}
    await ingestor.deliver(csv("3,Cem,1"), SNAPSHOT)
    assert counts(await ingestor.last_event()) == {"read": 1, "inserted": 1}


async def test_a_rejected_row_a_conflict_and_a_duplicate_keep_their_records(ingestor: Ingestor) -> None:
    await ingestor.deliver(csv("1,Ada,1", "2,Bob,2", "3,Cem,3", "4,Dan,4"), SNAPSHOT)
    await ingestor.deliver(csv("1,Ada,oops", "2,Bob,2", "2,Bob,9", "3,Cem,3", "3,Cem,3"), SNAPSHOT)
    said = await ingestor.last_event()
    assert counts(said) == {"read": 5, "unchanged": 1, "duplicate": 1, "rejected": 3, "deleted": 1}
    assert await heads(ingestor) == {"1": (1, False), "2": (1, False), "3": (1, False), "4": (2, True)}


@pytest.mark.parametrize("unreadable", ["x,Ada,1", ",Ada,1", "1,Ada,1,more"])
async def test_a_reject_without_a_key_holds_a_snapshot_and_released_it_deletes_nothing(
    ingestor: Ingestor, unreadable: str
) -> None:
    await ingestor.deliver(csv("1,Ada,1", "2,Bob,2"), SNAPSHOT)
    event = await ingestor.deliver(csv("2,Bob,3", unreadable), SNAPSHOT)
    said = await ingestor.last_event()
    assert (said["type"], said["blocks"], [hold["code"] for hold in said["holds"]]) == (
        "file-held",
        True,
        ["keyless_rejects"],
    )
    assert await ingestor.states() == [(1, "DONE"), (2, "HELD")]
    assert await heads(ingestor) == {"1": (1, False), "2": (1, False)}
    released = {"registration": 2, "cause": "release", "accepted": ("keyless_rejects",)}
    await ingestor.note(event.model_copy(update=released))
    await ingestor.work()
    assert counts(await ingestor.last_event()) == {"read": 2, "updated": 1, "rejected": 1}


async def test_too_large_a_share_of_deletes_holds_the_file_and_released_it_deletes(ingestor: Ingestor) -> None:
    guarded = declaration(mode="snapshot", guards={"max_delete_share": 0.5, "min_rows_for_shares": 3})
    await ingestor.deliver(csv("1,Ada,1", "2,Bob,2", "3,Cem,3"), guarded)
    event = await ingestor.deliver(csv("1,Ada,2"), guarded)
    said = await ingestor.last_event()
    assert (said["type"], said["rows"]["updated"], said["rows"]["deleted"]) == ("file-held", 1, 0)
    (hold,) = await ingestor.all("SELECT attempt, code, facts FROM holds")
    assert hold == {"attempt": 2, "code": "delete_share", "facts": {"deletes": 2, "of": 3, "keys": ["2", "3"]}}
    await ingestor.note(event.model_copy(update={"registration": 2, "accepted": ("delete_share",)}))
    await ingestor.work()
    assert counts(await ingestor.last_event()) == {"read": 1, "updated": 1, "deleted": 2}


async def test_a_snapshot_of_a_partition_by_column_deletes_only_in_the_days_it_has(ingestor: Ingestor) -> None:
    by_day = declaration(mode="snapshot", partition={"column": "day"}, columns=COLUMNS | BY_DAY)
    await ingestor.deliver(
        b"order_id,customer,amount,day\n1,A,1,2026-01-01\n2,B,2,2026-01-01\n3,C,3,2026-01-02\n", by_day
    )
    await ingestor.deliver(b"order_id,customer,amount,day\n1,A,1,2026-01-01\n", by_day)
    assert counts(await ingestor.last_event()) == {"read": 1, "unchanged": 1, "deleted": 1}
    # A record that moves to another day is not missed in the one it left.
    await ingestor.deliver(b"order_id,customer,amount,day\n1,A,1,2026-01-02\n3,C,3,2026-01-02\n", by_day)
    await ingestor.deliver(b"order_id,customer,amount,day\n4,D,4,2026-01-01\n", by_day)
    assert counts(await ingestor.last_event()) == {"read": 1, "inserted": 1}
    await ingestor.deliver(b"order_id,customer,amount,day\n", by_day)
    assert counts(await ingestor.last_event()) == {}
    assert await heads(ingestor) == {"1": (2, False), "2": (2, True), "3": (1, False), "4": (1, False)}


async def test_a_snapshot_of_a_partition_by_path_deletes_only_what_was_last_said_there(ingestor: Ingestor) -> None:
    by_shop = declaration(mode="snapshot", partition={"path": "shop"}, files=["{organisation}/{table}/{shop}/*"])
    await ingestor.deliver(csv("1,Ada,1", "2,Bob,2"), by_shop, partition="north")
    await ingestor.deliver(csv("3,Cem,3"), by_shop, partition="south")
    # The same content said by another shop: the record is that one's from now on.
    await ingestor.deliver(csv("2,Bob,2", "3,Cem,3"), by_shop, partition="south")
    assert counts(await ingestor.last_event()) == {"read": 2, "unchanged": 2}
    await ingestor.deliver(csv(), by_shop, partition="north")
    assert counts(await ingestor.last_event()) == {"deleted": 1}
    await ingestor.deliver(csv(), by_shop, partition="south")
    assert await heads(ingestor) == {"1": (2, True), "2": (2, True), "3": (2, True)}


async def test_a_file_whose_key_lacks_the_partition_fails_and_says_so(ingestor: Ingestor) -> None:
    by_shop = declaration(mode="snapshot", partition={"path": "shop"}, files=["{organisation}/{table}/{shop}/*"])
    await ingestor.deliver(csv("1,Ada,1"), by_shop)
    said = await ingestor.last_event()
    assert (said["type"], said["code"]) == ("file-failed", "no_partition")


async def test_appended_rows_are_records_of_their_own_also_when_they_come_again(ingestor: Ingestor) -> None:
    appended = declaration(mode="append", key=[])
    first = await ingestor.deliver(csv("1,Ada,1", "1,Ada,1"), appended)
    second = await ingestor.deliver(csv("1,Ada,1", "1,Ada,1"), appended)
    said = await ingestor.last_event()
    assert (counts(said), said["identity"], said["key"]) == ({"read": 2, "inserted": 2}, "line", [])
    expected = sorted(f"{event.file_id}|{line}" for event in (first, second) for line in (2, 3))
    assert sorted(await heads(ingestor)) == expected


async def test_appended_rows_with_content_that_is_there_are_not_taken_again(ingestor: Ingestor) -> None:
    once = declaration(mode="append", key=[], deduplicate=True)
    await ingestor.deliver(csv("1,Ada,1", "1,Ada,1", "2,Bob,2"), once)
    assert counts(await ingestor.last_event()) == {"read": 3, "inserted": 2, "duplicate": 1}
    await ingestor.deliver(csv("1,Ada,1.00", "3,Cem,3"), once)
    said = await ingestor.last_event()
    assert (counts(said), said["identity"]) == ({"read": 2, "inserted": 1, "unchanged": 1}, "content")
