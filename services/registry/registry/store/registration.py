"""Registering: versions become files with an arrival, in one transaction under their datasets' locks."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from chassis import Tx, emit
from waybill_contracts.declaration import Declaration

from registry.domain.arrivals import DatasetStanding, Entry, Found, number, number_waiting
from registry.domain.declaring import refusal
from registry.domain.routes import Route
from registry.store import datasets, files


async def register(tx: Tx, bucket: str, found: Sequence[Found]) -> list[Entry]:
    """Write down, in this order, the versions that are not known yet, and announce those that have a declaration."""
    routes = [each.route for each in found if isinstance(each.route, Route)]
    standings = await datasets.lock_datasets(tx, routes)
    # Asked under the locks: whoever registers a key of these datasets holds them too.
    known = await files.find_known(tx, bucket, [(each.version.key, each.version.version_id) for each in found])
    new = [each for each in found if (each.version.key, each.version.version_id) not in known]
    entries = number(new, standings)
    await datasets.update_numbering(tx, standings)
    declared = {dataset: standing.declaration_version for dataset, standing in standings.items()}
    await announce(tx, await files.insert(tx, bucket, entries, declared))
    return entries


async def announce(tx: Tx, ids: Sequence[UUID]) -> None:
    """Say of each file that it is registered; once more does no harm."""
    for event in await files.announcements(tx, ids):
        await emit(tx, event)


async def declare(tx: Tx, declaration: Declaration, who: str, why: str | None) -> str | None:
    """From now on the dataset's files mean this, and those that waited are registered; else why it is refused."""
    dataset = declaration.dataset
    standings = await datasets.lock_datasets(tx, [Route(declaration.organisation, declaration.table)])
    current = await datasets.newest_declaration(tx, dataset)
    if current == declaration:
        await datasets.note_declaration(tx, dataset, "UNCHANGED", who, why)
        return None
    problem = refusal(current, declaration, has_taken_effect=await datasets.has_taken_effect(tx, dataset))
    if problem:
        await datasets.note_declaration(tx, dataset, "REFUSED", who, problem)
        return problem
    version = await datasets.add_declaration(tx, declaration, who, why)
    await _register_waiting(tx, dataset, replace(standings[dataset], declaration_version=version), who)
    return None


async def _register_waiting(tx: Tx, dataset: str, standing: DatasetStanding, who: str) -> None:
    standing, arrivals = number_waiting(await files.lock_waiting(tx, dataset), standing)
    await files.register_waiting(tx, arrivals, standing.declaration_version, who)
    await datasets.update_numbering(tx, {dataset: standing})
    await announce(tx, [each.file_id for each in arrivals])
