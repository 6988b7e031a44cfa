"""Removes what dead attempts left in MongoDB."""

from chassis import Job, Pool
from chassis.telemetry import log

from ingestor.documents import Documents
from ingestor.domain.attempts import merge_runs
from ingestor.store.datasets import find_dead_attempts, list_datasets, settle_sweep

QUIET_DAYS = 1.0
"""A worker that slept longer than this does not wake to write."""


async def sweep_dead_attempts(_job: Job, *, db: Pool, documents: Documents) -> None:
    """Delete documents that no position names; dead is for ever, so it needs no lock."""
    async with db.acquire() as tx:
        datasets = await list_datasets(tx)
    for dataset in datasets:
        await _sweep_dataset(dataset, db, documents)


async def _sweep_dataset(dataset: str, db: Pool, documents: Documents) -> None:
    async with db.acquire() as tx:
        dead = await find_dead_attempts(tx, dataset)
    for first, last in merge_runs(dead):
        if deleted := await documents.delete_attempts(dataset, first, last):
            log.info("documents of dead attempts removed", lane=dataset, first=first, last=last, documents=deleted)
    async with db.acquire() as tx:
        await settle_sweep(tx, dataset, QUIET_DAYS)
