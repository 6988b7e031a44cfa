"""Deliveries with several registries at once, and with one that dies, on a real PostgreSQL and a real bucket."""

import asyncio
from typing import Any

import pytest
from chassis.claim import claim, complete
from chassis.database import Pool
from registry import jobs
from registry.files import Files
from registry.handlers import register_drops
from registry.jobs import take_delivery
from registry.store import deliveries, registration

from .delivering import DONE, A, B, C, kind, marked, take_all, told
from .drops import (
    declare,
    everything,
    notify,
    put,
)
from .test_jobs import run_sweep


async def test_registries_at_once_make_one_delivery(db: Pool, files: Files) -> None:
    await declare(db, marked())
    versions = {key: await put(files, key) for key in (A, B, C, DONE)}
    messages = [notify(files, key, version) for key, version in versions.items()]

    async def registry(order: list[int]) -> None:
        for number in order:
            await register_drops([messages[number]], db=db, files=files)
            await run_safely(db, files)

    await asyncio.gather(registry([3, 0, 1, 2]), registry([0, 3, 2, 1]), registry([2, 1, 3, 0]))
    await take_all(db, files)
    assert await told(db) == [(DONE, 1, [(key, versions[key]) for key in (A, B, C)])]


async def run_safely(db: Pool, files: Files) -> None:
    """As the job loop does where an attempt was fenced."""
    job = await claim(db, kind(db, files), 30)
    if job:
        try:
            await kind(db, files).run(job)
        except Exception:
            await db.execute("UPDATE jobs SET state = 'QUEUED', lease = NULL WHERE kind = 'delivery'")
            raise
        await complete(db, kind(db, files), job)


@pytest.mark.parametrize(
    ("room", "step"),
    [
        (jobs, "_look"),
        (jobs, "_find_unknown"),
        (jobs, "register_delivery"),
        (registration, "register"),
        (deliveries, "lock_parts"),
        (deliveries, "take"),
        (registration.files, "register_waiting"),
        (registration, "announce"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_crash_on_the_way_leaves_the_delivery_open_and_the_next_try_takes_it(
    db: Pool, files: Files, monkeypatch: pytest.MonkeyPatch, room: Any, step: str
) -> None:
    await declare(db, marked())
    versions = {key: await put(files, key) for key in (A, B, DONE)}
    await register_drops([notify(files, key, versions[key]) for key in (DONE, B)], db=db, files=files)

    class Died(Exception):
        pass

    def die(*_arguments: object, **_named: object) -> Any:
        raise Died

    job = await claim(db, kind(db, files), 30)
    assert job
    before = await everything(db)
    with monkeypatch.context() as patch:
        patch.setattr(room, step, die)
        with pytest.raises(Died):
            await take_delivery(job, db=db, files=files)
    assert await everything(db) == before
    await db.execute("UPDATE jobs SET lease = now() - interval '1 second'")
    assert await take_all(db, files) == 1
    assert await told(db) == [(DONE, 1, [(A, versions[A]), (B, versions[B])])]


async def test_a_delivery_whose_wake_up_was_lost_is_taken_after_the_sweep(
    db: Pool, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await declare(db, marked())
    versions = {key: await put(files, key) for key in (A, DONE)}

    class Died(Exception):
        pass

    async def die(*_arguments: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr("registry.store.deliveries.wake_completed", die)
        with pytest.raises(Died):
            await register_drops([notify(files, key, versions[key]) for key in (A, DONE)], db=db, files=files)
    assert await take_all(db, files) == 0
    await run_sweep(db, files)
    assert await take_all(db, files) == 1
    assert await told(db) == [(DONE, 1, [(A, versions[A])])]
