"""Whatever is delivered, held and decided, and whoever dies meanwhile: the stores end as the oracle says."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
from dataset import Dataset
from deliveries import MEANINGS, STORIES, Correction, Drop, Removal, Round
from hypothesis import HealthCheck, Phase, given, settings
from installation import Installation

pytestmark = pytest.mark.timeout(300)
MIDST_SECONDS = 0.3


@asynccontextmanager
async def dying(installation: Installation, name: str | None) -> AsyncIterator[None]:
    """In the midst of the block the service dies, and is started again."""

    async def die(name: str) -> None:
        await asyncio.sleep(MIDST_SECONDS)
        installation.processes[name].kill()
        await installation.start(name)

    death = asyncio.create_task(die(name)) if name else None
    try:
        yield
    finally:
        if death:
            await death


async def drop_all(dataset: Dataset, story: Round) -> None:
    for each in story.drops:
        match each:
            case Drop():
                for _ in range(each.times):
                    await drop(dataset, each)
            case Correction():
                for content in each.contents:
                    await dataset.drop(content, each.name(len(dataset.contents), dataset.oracle.files))
            case Removal():
                if name := each.name(dataset.oracle.files, dataset.removed):
                    await dataset.remove(name)


async def drop(dataset: Dataset, each: Drop) -> None:
    number = len(dataset.contents)
    if dataset.oracle.meaning.in_parts:
        await dataset.drop_delivery(each.parts(number), each.marker(number))
    else:
        await dataset.drop(each.content, each.name(number))


async def decide(dataset: Dataset, decisions: Iterable[str]) -> None:
    """The next decisions about whatever waits, in the order of arrival."""
    for decision in decisions:
        held = [number for number, file in enumerate(dataset.oracle.files, 1) if file.state == "HELD"]
        if not held:
            return
        codes = set(dataset.oracle.files[held[0] - 1].codes)
        if decision == "refuse":
            await dataset.refuse(held[0])
        elif decision == "map" and codes == {"columns_added", "columns_missing"}:
            await dataset.release(held[0], {"title": "name"})
        else:
            is_drift = bool(codes & {"columns_added", "columns_missing"})
            await dataset.release(held[0], accept_columns=decision == "accept" and is_drift)
        await dataset.tell_oracle()


@given(story=STORIES)
@settings(
    max_examples=3,
    deadline=None,
    # An example takes too long to be made smaller; what failed is printed whole.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
async def test_any_sequence_of_files_decisions_and_deaths_ends_as_the_oracle_says(
    running: Installation, story: list[Round]
) -> None:
    datasets = await asyncio.gather(*[Dataset.declared(running, meaning=meaning) for meaning in MEANINGS.values()])
    for round_ in story:
        async with dying(running, round_.killed_at_drops):
            await asyncio.gather(*[drop_all(dataset, round_) for dataset in datasets])
            await asyncio.gather(*[dataset.tell_oracle() for dataset in datasets])
        async with dying(running, round_.killed_at_decisions):
            await asyncio.gather(*[decide(dataset, round_.decisions) for dataset in datasets])
    for name, dataset in zip(MEANINGS, datasets, strict=True):
        try:
            await dataset.check()
        except AssertionError as error:
            error.add_note(f"{name} ({dataset.name})")
            raise
