"""Each handler keeps four promises, on a real PostgreSQL and a real bucket."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import permutations
from typing import Any

import pytest
from chassis import AlreadyHandled
from chassis.database import Pool
from registry import handlers
from registry.files import Files
from registry.handlers import (
    accept_declaration,
    note_held_file,
    note_outcome,
    note_refused_file,
    register_drops,
    request_retry,
    take_decision,
)
from registry.jobs import apply_inference
from registry.main import service
from registry.settings import Settings
from registry.store import decisions, declaring, registration, standings
from waybill_contracts import Declaration, Event

from .drops import (
    ORDERS,
    decision,
    declare,
    drop,
    everything,
    failed,
    held,
    ingested,
    loaded,
    notify,
    put,
    refused,
    registered,
    request,
    retry,
    skipped,
    states,
)

DEFAULT = Declaration(organisation="acme", table="*")

Handle = Callable[[Any], Awaitable[None]]


# The same promises of every handler


async def prepared(db: Pool, files: Files) -> list[tuple[Handle, Event]]:
    """For each event that the registry handles, a state of things in which it has something to do."""
    await declare(db)
    keys = [f"acme/orders/{number}.csv" for number in range(9)]
    one, two, three, four, five, six, seven, eight, nine = await drop(db, files, *keys)
    await note_outcome(failed(five, 7), db=db)
    for attempt, event in enumerate((seven, eight, nine), 9):
        await note_held_file(held(event, attempt), db=db)
    await drop(db, files, "acme/waiting/a.csv", "in/a.csv", "acme/other/a.csv")
    note = partial(note_outcome, db=db)
    return [
        (note, ingested(one, 1, 1)),
        (note, loaded(one, 1, 1)),
        (note, failed(two, 2)),
        (note, skipped(three, 3)),
        (note, ingested(four, 4, 2)),
        (partial(note_held_file, db=db), held(six, 8)),
        (partial(note_refused_file, db=db), refused(seven, 9)),
        (partial(request_retry, db=db), retry(five, 7)),
        (partial(take_decision, db=db), decision(eight, "refuse", 10)),
        (partial(take_decision, db=db), decision(nine, "release", 11, accept_columns=True)),
        (partial(accept_declaration, db=db), request(ORDERS.model_copy(update={"table": "waiting"}))),
        (partial(accept_declaration, db=db), request(ORDERS.model_copy(update={"table": "in", "files": ("in/*",)}))),
        (partial(accept_declaration, db=db), request(DEFAULT)),
        (partial(accept_declaration, db=db), request(DEFAULT.model_copy(update={"duplicates": "last"}))),
    ]


async def test_a_second_delivery_changes_nothing(db: Pool, files: Files) -> None:
    for handle, event in await prepared(db, files):
        await handle(event)
        before = await everything(db)
        with pytest.raises(AlreadyHandled):
            await handle(event)
        assert await everything(db) == before


PLACES: dict[str, Sequence[tuple[Any, str]]] = {
    "inbox": [
        (handlers, "_lock"),
        (registration.datasets, "lock_datasets"),
        (registration.datasets, "lock_dataset"),
    ],
    "emit": [(registration, "emit")],
    "change": [(standings, "change")],
    "register_again": [(standings, "register_again")],
    "register_released": [(standings, "register_released")],
    "register_followers": [(standings, "register_followers")],
    "decisions": [(decisions, "_insert")],
    "confirm_refusal": [(handlers, "confirm_refusal")],
    "lock_lane": [(handlers, "lock_lane")],
    "note_declaration": [(registration.datasets, "note_declaration")],
    "renew": [(declaring.routing, "renew")],
    "set_follows": [(registration.datasets, "set_follows")],
    "register_waiting": [(registration.files, "register_waiting")],
    "update_numbering": [(registration.datasets, "update_numbering")],
    "put_job": [(handlers, "put_job")],
}


@pytest.mark.parametrize("last_step", PLACES)
async def test_a_crash_inside_leaves_nothing(
    db: Pool, files: Files, monkeypatch: pytest.MonkeyPatch, last_step: str
) -> None:
    cases = await prepared(db, files)
    crashes = 0

    async def crash(*_: object, **__: object) -> None:
        nonlocal crashes
        crashes += 1
        raise RuntimeError("crash")

    for handle, event in cases:
        before = await everything(db)
        with monkeypatch.context() as patch:
            for module, name in PLACES[last_step]:
                patch.setattr(module, name, crash)
            if crashes_expected := await _runs_into(handle, event):
                assert await everything(db) == before
        if crashes_expected:
            await handle(event)
    assert crashes > 0


async def _runs_into(handle: Handle, event: Event) -> bool:
    try:
        await handle(event)
    except RuntimeError:
        return True
    return False


@pytest.mark.parametrize("step", ["insert", "emit", "update_numbering", "set_follows"])
async def test_a_crash_while_drops_are_registered_leaves_nothing_and_the_next_delivery_does_all(
    db: Pool, files: Files, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await declare(db)
    await apply_inference(db=db, infers=True)
    messages = [notify(files, key, await put(files, key)) for key in ("acme/orders/a.csv", "x", "acme/new/a.csv")]
    before = await everything(db)
    module = {"insert": registration.files, "emit": registration}.get(step, registration.datasets)
    real = getattr(module, step)

    async def crash(*arguments: Any) -> None:
        await real(*arguments)
        raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(module, step, crash)
        with pytest.raises(RuntimeError):
            await register_drops(messages, db=db, files=files)
    assert await everything(db) == before
    await register_drops(messages, db=db, files=files)
    assert (len(await registered(db)), len(await states(db))) == (2, 3)


async def test_another_order_ends_the_same(db: Pool, files: Files) -> None:
    """Every order of a file's outcomes, late ones of an ended attempt among them, ends in the same place."""
    await declare(db)
    ends = set()
    for number, order in enumerate(permutations(range(4))):
        (event,) = await drop(db, files, f"acme/orders/{number}.csv")
        position = number + 1
        events = [failed(event, 10 * position), ingested(event, 10 * position + 1, position),
                  loaded(event, 10 * position + 1, position), skipped(event, 10 * position - 1)]  # fmt: skip
        for place in order:
            await note_outcome(events[place], db=db)
        row = await db.fetchrow(
            "SELECT state, attempt - 10 * position AS attempt, position - arrival AS position, balanced, rank, reason"
            " FROM files WHERE file_id = $1",
            event.file_id,
        )
        ends.add(tuple(row or ()))
    assert ends == {("LOADED", 1, 0, True, 2, None)}


async def test_every_event_that_the_registry_handles_is_among_the_cases(db: Pool, files: Files) -> None:
    cases = {type(event) for _, event in await prepared(db, files)}
    assert cases == set(service(db, files, Settings.model_construct()).handles)
