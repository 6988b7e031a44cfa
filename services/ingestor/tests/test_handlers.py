"""What the ingestor notes of announcements, on a real PostgreSQL."""

import pytest
from chassis import AlreadyHandled, Fenced
from driven_ingestor import Ingestor, csv, declaration
from ingestor.handlers import note_registered_file

FILE = csv("1,Ada,10.00")


async def test_a_registered_file_becomes_a_job_of_its_dataset(ingestor: Ingestor) -> None:
    event = ingestor.registered(FILE)
    await ingestor.note(event)
    [job] = await ingestor.all("SELECT lane, seq, state, payload FROM jobs")
    assert (job["lane"], job["seq"], job["state"]) == ("acme/orders", 1, "QUEUED")
    assert job["payload"] == event.model_dump(mode="json")
    [lane] = await ingestor.all("SELECT owner, contiguous FROM lanes")
    assert lane == {"owner": "acme", "contiguous": 1}


async def test_a_second_delivery_changes_nothing(ingestor: Ingestor) -> None:
    event = ingestor.registered(FILE)
    await ingestor.note(event)
    await ingestor.work()
    before = await ingestor.outcome()
    with pytest.raises(AlreadyHandled):
        await note_registered_file(event, db=ingestor.db)
    assert await ingestor.work() == 0
    assert await ingestor.outcome() == before


async def test_a_missing_arrival_stops_the_walk_until_it_is_there(ingestor: Ingestor) -> None:
    first, second = ingestor.registered(FILE), ingestor.registered(csv("2,Bob,1.00"))
    await ingestor.note(second)
    assert await ingestor.work() == 0
    await ingestor.note(first)
    assert await ingestor.work() == 2
    rows = await ingestor.all("SELECT position, file_id FROM positions ORDER BY position")
    assert [row["file_id"] for row in rows] == [first.file_id, second.file_id]


async def test_a_retry_of_a_done_file_has_no_effect(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(FILE)
    await ingestor.note(event.model_copy(update={"registration": 2, "cause": "retry"}))
    assert await ingestor.states() == [(1, "DONE")]


async def test_a_held_file_is_tried_again_under_the_declaration_of_its_newest_registration(
    ingestor: Ingestor,
) -> None:
    columns = {"order_id": {"type": "integer"}, "customer": {"type": "integer"}, "amount": {"type": "decimal(12,2)"}}
    wrong = declaration(columns=columns, guards={"min_rows_for_shares": 0})
    event = await ingestor.deliver(FILE, wrong)
    assert await ingestor.states() == [(1, "HELD")]
    again = event.model_copy(update={"registration": 2, "cause": "release", "declaration": declaration()})
    await ingestor.note(again)
    # What is registered earlier may arrive later.
    await ingestor.note(event.model_copy(update={"registration": 1, "file_id": event.file_id}))
    await ingestor.work()
    assert await ingestor.states() == [(1, "DONE")]
    assert [(e["type"], e["attempt"]) for e in await ingestor.events()] == [("file-held", 1), ("records-ingested", 2)]


async def test_a_newer_registration_fences_the_runner(ingestor: Ingestor) -> None:
    event = ingestor.registered(FILE)
    await ingestor.note(event)
    job = await ingestor.claim()
    assert job is not None
    await ingestor.note(event.model_copy(update={"registration": 2, "cause": "retry"}))
    with pytest.raises(Fenced):
        await ingestor.run(job)
    assert await ingestor.all("SELECT 1 FROM positions") == []
    assert await ingestor.all("SELECT 1 FROM heads") == []
    assert await ingestor.events() == []
    assert await ingestor.work() == 1
    assert [document["version"] for document in await ingestor.stored()] == [1]
