"""A loader that dies anywhere between two transactions, or within one, ends as if it had not."""

from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from chassis import Job

STEPS = 9
"""Of the files below: new tables, a step for each batch, apply; batches and apply; one step for all."""


class Crash(BaseException):
    """The process is gone."""


class DyingSteps:
    """Counts the steps of all jobs, and dies before or at the end of one of them."""

    def __init__(self, monkeypatch, fatal, at_the_end):
        self.count = 0
        step = Job.step

        @asynccontextmanager
        async def dying(job, db):
            self.count += 1
            dies = self.count == fatal
            if dies and not at_the_end:
                raise Crash
            async with step(job, db) as tx:
                yield tx
                if dies:
                    raise Crash

        monkeypatch.setattr(Job, "step", dying)


async def deliver(sender):
    """Three files, of three batches, two and one."""
    await sender.send(*[sender.row(n) for n in range(1, 6)])
    await sender.send(sender.row(2, amount=Decimal("1.00")), sender.row(6), deletes=("4",))
    await sender.send(sender.row(2, amount=Decimal("2.00")), sender.row(7))


async def work_through_crashes(warehouse):
    while True:
        try:
            if not await warehouse.work():
                return
        except Crash:
            await warehouse.db.execute("UPDATE jobs SET lease = now() - interval '1 second' WHERE state = 'RUNNING'")


@pytest.mark.parametrize("at_the_end", [False, True], ids=["before", "within"])
async def test_a_crash_at_any_step_changes_nothing_about_the_end(warehouse, make_sender, monkeypatch, at_the_end):
    expected = await undisturbed(warehouse, make_sender("undisturbed"))
    for fatal in range(1, STEPS + 1):
        organisation = f"crash{fatal}"
        await deliver(make_sender(organisation))
        with monkeypatch.context() as patched:
            steps = DyingSteps(patched, fatal, at_the_end)
            await work_through_crashes(warehouse)
        assert steps.count > STEPS
        assert await end_state(warehouse, organisation) == expected


async def test_the_crashes_are_all_there_are(warehouse, sender, monkeypatch):
    await deliver(sender)
    steps = DyingSteps(monkeypatch, None, False)
    await work_through_crashes(warehouse)
    assert steps.count == STEPS


async def undisturbed(warehouse, sender):
    await deliver(sender)
    await warehouse.work()
    state = await end_state(warehouse, sender.organisation)
    assert [len(state["current"]), len(state["log"])] == [6, 10]
    return state


async def end_state(warehouse, organisation):
    dataset, current, log = f"{organisation}/orders", warehouse.current(organisation), warehouse.log(organisation)
    loaded = await warehouse.all(
        "SELECT type, convert_from(payload, 'UTF8')::jsonb - 'organisation' - 'file_id' AS event FROM outbox"
        " WHERE aggregateid = $1 ORDER BY seq",
        dataset,
    )
    return {
        "current": await warehouse.all(f"SELECT *, NULL AS _loaded_at FROM {current} ORDER BY _key"),
        "log": await warehouse.all(f"SELECT *, NULL AS _loaded_at FROM {log} ORDER BY _key, _version"),
        "ledger": await warehouse.all(
            "SELECT position, number, checksum FROM batches WHERE dataset = $1 ORDER BY 1, 2", dataset
        ),
        "applied": await warehouse.db.fetchval("SELECT applied FROM datasets WHERE dataset = $1", dataset),
        "jobs": await warehouse.jobs(dataset),
        "events": loaded,
    }
