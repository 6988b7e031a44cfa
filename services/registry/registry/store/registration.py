"""Registering: versions become files with an arrival, in one transaction under their datasets' locks.

Locks are taken in one order: the routing, datasets, files, lanes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from chassis import Tx, emit

from registry.domain.arrivals import DatasetStanding, Entry, Found, ObjectVersion, Waiting, in_order, number
from registry.domain.declaring import bare, copied
from registry.domain.deliveries import Delivery, can_be_part
from registry.domain.routes import Ignored, Route
from registry.store import datasets, deliveries, files, routing
from registry.store.routing import Routing

INFERENCE = "inference"


async def register(tx: Tx, found: Sequence[Found]) -> list[Entry]:
    """Write down, in this order, the versions that are not known yet, and announce those that have a declaration."""
    if not found:
        return []
    shared = await routing.share(tx)
    routed = shared.routes.route([each.version for each in found])
    standings = await datasets.lock_datasets(tx, _datasets(routed))
    # Asked under the locks: whoever registers a key of these datasets holds them too.
    known = await files.find_known(tx, [each.version.name for each in found])
    new = [(each, route) for each, route in zip(found, routed, strict=True) if each.version.name not in known]
    routes = [route for _, route in new]
    await _declare_others(tx, _datasets(routes), standings, shared)
    places = number([each.version for each, _ in new], routes, standings)
    entries = [Entry(each, place) for (each, _), place in zip(new, places, strict=True)]
    await datasets.update_numbering(tx, standings)
    await announce(tx, await files.insert(tx, entries))
    telling = [entry for entry in entries if entry.is_ignored and entry.place.route and entry.place.route.tells]
    await deliveries.open_new(tx, [entry.found.version.name for entry in telling])
    return entries


async def register_waiting(tx: Tx, now: Routing, who: str) -> None:
    """Register what was ignored and fits a declared dataset now, oldest first; what does not fit stays as it is."""
    fitting: list[tuple[Waiting, Route]] = []
    async for versions in files.waiting(tx):
        routed = zip(versions, now.routes.route(versions), strict=True)
        fitting += [(version, route) for version, route in routed if isinstance(route, Route)]
    standings = await datasets.lock_datasets(tx, [route for _, route in fitting])
    await _declare_others(tx, [route for _, route in fitting], standings, now)
    declared = {version.file_id: route for version, route in fitting if standings[route.dataset].declaration_version}
    versions = in_order(version for version, _ in fitting if version.file_id in declared)
    places = number(versions, [declared[version.file_id] for version in versions], standings)
    placed = list(zip(versions, places, strict=True))
    registered = [(version, place) for version, place in placed if not place.is_ignored]
    await files.register_waiting(tx, registered, who)
    await deliveries.forget(tx, [version.file_id for version, _ in registered])
    await deliveries.place_waiting(tx, [(version, place) for version, place in placed if place.is_ignored], who)
    await datasets.update_numbering(tx, standings)
    await announce(tx, [version.file_id for version, _ in registered])


async def register_delivery(
    tx: Tx, delivery: Delivery, parts: Sequence[ObjectVersion], unknown: Sequence[Found]
) -> bool:
    """Register what tells of the delivery, with exactly these parts; False where one of them is no part any more."""
    shared = await routing.share(tx)
    route, *routed = shared.routes.route([delivery, *parts])
    if isinstance(route, Ignored) or not route.tells or route.dataset != delivery.dataset:
        return False
    if not all(can_be_part(part, route) for part in routed):
        return False
    await register(tx, unknown)
    standings = await datasets.lock_datasets(tx, [route])
    locked = await deliveries.lock_parts(tx, delivery, parts)
    if locked is None:
        return False
    waiting = Waiting(delivery.file_id, delivery.bucket, delivery.key, delivery.last_modified)
    (place,) = number([waiting], [replace(route, told_by=None, tells=False)], standings)
    await files.register_waiting(tx, [(waiting, place)], "registry", f"a delivery of {len(parts)} files")
    await deliveries.take(tx, delivery, place.arrival or 0, parts, locked)
    await datasets.update_numbering(tx, standings)
    await announce(tx, [delivery.file_id])
    return True


async def announce(tx: Tx, ids: Sequence[UUID]) -> None:
    """Say of each file that it is registered; once more does no harm."""
    for event in await files.announcements(tx, ids):
        await emit(tx, event)


def _datasets(routed: Iterable[Route | Ignored]) -> list[Route]:
    return [route for route in routed if isinstance(route, Route)]


async def _declare_others(
    tx: Tx, routes: Sequence[Route], standings: dict[str, DatasetStanding], shared: Routing
) -> None:
    """A dataset that nobody declared follows its organisation's default; where there is none, all is to be found."""
    unknown = [route for route in routes if not standings[route.dataset].declaration_version]
    # A correction says nothing of what is to be found.
    others = {route.dataset: route for route in unknown if not route.corrects}
    if not others:
        return
    defaults = await datasets.defaults(tx, {route.organisation for route in others.values()})
    for name, route in sorted(others.items()):
        followed, default = defaults.get(route.organisation, (0, None))
        if default:
            declaration, who, why = copied(default, route.table), default.dataset, f"version {followed} of the default"
        elif shared.infers:
            declaration, who, why = bare(route.organisation, route.table), INFERENCE, "nobody declared it"
        else:
            continue
        version = await datasets.add_declaration(tx, declaration, who, why)
        await datasets.set_follows(tx, name, followed)
        standings[name] = replace(standings[name], declaration_version=version, order_by=declaration.order_by)
