"""Declarations are accepted: from then on files mean something else, and what waited comes in."""

from chassis import Tx
from records.order import file_order
from waybill_contracts.declaration import Declaration, DeclarationError

from registry.domain.arrivals import newest_order
from registry.domain.declaring import bare, copied, followed, refusal, with_found
from registry.domain.routes import Route
from registry.store import datasets, routing
from registry.store.registration import INFERENCE, register_waiting

ROUTED_BY = ("files", "since", "group")
"""What of a declaration says which keys it takes."""


async def declare(tx: Tx, declaration: Declaration, who: str, why: str | None) -> str | None:
    """From now on the dataset's files mean this, and those that waited are registered; else why it is refused."""
    await routing.take(tx)
    dataset = declaration.dataset
    await datasets.lock_datasets(tx, [Route(declaration.organisation, declaration.table)])
    current = await datasets.newest_declaration(tx, dataset)
    has_taken_effect = await datasets.has_taken_effect(tx, dataset)
    try:
        declaration = with_found(current, declaration, has_taken_effect=has_taken_effect)
        problem = refusal(current, declaration, has_taken_effect=has_taken_effect)
    except DeclarationError as error:
        problem = "; ".join(error.problems)
    if problem:
        await datasets.note_declaration(tx, dataset, "REFUSED", who, problem)
        return problem
    await datasets.set_follows(tx, dataset, None)
    if current == declaration:
        await datasets.note_declaration(tx, dataset, "UNCHANGED", who, why)
        return None
    version = await _accept(tx, current, declaration, who, why)
    if declaration.is_for_any_table:
        await _pass_on(tx, declaration, version, who)
    if current is None or any(getattr(current, name) != getattr(declaration, name) for name in ROUTED_BY):
        await register_waiting(tx, await routing.renew(tx), who)
    return None


async def set_inference(tx: Tx, infers: bool) -> None:
    """Whether datasets that nobody declared are taken in from now on, and with them what waited."""
    await routing.take(tx)
    if await routing.set_inference(tx, infers) and infers:
        await register_waiting(tx, await routing.renew(tx), INFERENCE)


async def _accept(tx: Tx, current: Declaration | None, declaration: Declaration, who: str, why: str | None) -> int:
    version = await datasets.add_declaration(tx, declaration, who, why)
    if current and current.order_by != declaration.order_by:
        keys = await datasets.registered_keys(tx, declaration.dataset)
        newest = newest_order(file_order(declaration.order_by, key) for key in keys)
        await datasets.set_newest_order(tx, declaration.dataset, newest)
    return version


async def _pass_on(tx: Tx, default: Declaration, version: int, who: str) -> None:
    """What the organisation's default changed changes for the tables that follow it."""
    why = f"version {version} of {default.dataset}"
    for dataset, base_version in (await datasets.followers(tx, default.organisation)).items():
        current = await datasets.newest_declaration(tx, dataset)
        assert current, "who follows has a declaration"
        base = await datasets.declaration_at(tx, default.dataset, base_version) if base_version else None
        base = copied(base, current.table) if base else bare(current.organisation, current.table)
        try:
            declaration = followed(base, current, default)
            has_taken_effect = await datasets.has_taken_effect(tx, dataset)
            problem = refusal(current, declaration, has_taken_effect=has_taken_effect)
        except DeclarationError as error:
            problem = "; ".join(error.problems)
        if problem:
            await datasets.note_declaration(tx, dataset, "REFUSED", who, f"{why}: {problem}")
            continue
        if declaration != current:
            await _accept(tx, current, declaration, who, why)
        await datasets.set_follows(tx, dataset, version)
