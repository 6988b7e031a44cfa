"""Decisions to refuse a file that waits, on a real PostgreSQL."""

from typing import Any

import pytest
from chassis import AlreadyHandled
from driven_ingestor import Ingestor, csv
from ingestor import handlers
from ingestor.handlers import refuse_held_file
from waybill_contracts import DecisionRequested, FileRegistered

FILE = csv("1,Ada,10.00")


async def waiting(ingestor: Ingestor, state: str = "HELD") -> FileRegistered:
    """A file whose first attempt ended in waiting, and one behind it."""
    event = ingestor.registered(FILE)
    await ingestor.note(event)
    await ingestor.note(ingestor.registered(csv("2,Bob,1.00")))
    job = await ingestor.claim()
    assert job
    async with job.step(ingestor.db) as tx:
        await job.end(tx, state)
    return event


def decision(event: FileRegistered, **changes: Any) -> DecisionRequested:
    fields = {"organisation": event.organisation, "table": event.table, "file_id": event.file_id, "attempt": 1}
    return DecisionRequested.model_validate(fields | {"decision": "refuse", "user": "zoe"} | changes)


@pytest.mark.parametrize("state", ["HELD", "LATE"])
async def test_a_file_that_waits_is_refused_and_the_next_one_goes_on(ingestor: Ingestor, state: str) -> None:
    event = await waiting(ingestor, state)
    await refuse_held_file(decision(event, reason="not ours"), db=ingestor.db)
    assert await ingestor.states() == [(1, "REFUSED"), (2, "QUEUED")]
    [said] = await ingestor.events()
    assert (said["type"], said["attempt"], said["code"]) == ("file-refused", 1, "refused")
    assert (said["file_id"], said["reason"], said["user"]) == (str(event.file_id), "not ours", "zoe")
    assert await ingestor.work() == 1
    assert await ingestor.states() == [(1, "REFUSED"), (2, "DONE")]


@pytest.mark.parametrize("changes", [{"attempt": 2}, {"decision": "release"}, {"table": "others"}])
async def test_a_decision_about_something_else_refuses_nothing(ingestor: Ingestor, changes: dict[str, Any]) -> None:
    event = await waiting(ingestor)
    await refuse_held_file(decision(event, **changes), db=ingestor.db)
    assert await ingestor.states() == [(1, "HELD"), (2, "QUEUED")]
    assert await ingestor.events() == []


async def test_a_file_that_was_released_meanwhile_is_not_refused(ingestor: Ingestor) -> None:
    event = await waiting(ingestor)
    await ingestor.note(event.model_copy(update={"registration": 2, "cause": "release"}))
    await refuse_held_file(decision(event), db=ingestor.db)
    assert await ingestor.work() == 2
    await refuse_held_file(decision(event), db=ingestor.db)
    assert await ingestor.states() == [(1, "DONE"), (2, "DONE")]


async def test_a_release_wins_over_a_refusal_that_was_carried_out(ingestor: Ingestor) -> None:
    event = await waiting(ingestor)
    await refuse_held_file(decision(event), db=ingestor.db)
    await ingestor.note(event.model_copy(update={"registration": 2, "cause": "release"}))
    assert await ingestor.work() == 2
    assert await ingestor.states() == [(1, "DONE"), (2, "DONE")]


async def test_a_second_delivery_changes_nothing(ingestor: Ingestor) -> None:
    event = decision(await waiting(ingestor))
    await refuse_held_file(event, db=ingestor.db)
    with pytest.raises(AlreadyHandled):
        await refuse_held_file(event, db=ingestor.db)
    assert len(await ingestor.events()) == 1


@pytest.mark.parametrize("step", ["_find_held", "emit", "end_waiting"])
async def test_a_crash_inside_leaves_nothing_and_the_next_delivery_does_all(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    event = decision(await waiting(ingestor))
    real = getattr(handlers, step)

    async def crash(*arguments: Any) -> None:
        await real(*arguments)
        raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(handlers, step, crash)
        with pytest.raises(RuntimeError):
            await refuse_held_file(event, db=ingestor.db)
    assert await ingestor.events() == []
    assert await ingestor.states() == [(1, "HELD"), (2, "QUEUED")]
    await refuse_held_file(event, db=ingestor.db)
    assert await ingestor.states() == [(1, "REFUSED"), (2, "QUEUED")]
