"""Versions found in the bucket: the order in which they arrived, and which of them are late."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeVar
from uuid import UUID

from records.order import file_order
from waybill_contracts.declaration import OrderBy

from registry.domain.routes import Ignored, Route, Routed

LATE_AFTER = timedelta(seconds=60)
NO_DECLARATION = "no declaration"

FoundBy = Literal["notification", "sweep"]


@dataclass(frozen=True)
class ObjectVersion:
    """One version of one object, as the listing tells it."""

    bucket: str
    key: str
    version_id: str
    size: int
    etag: str
    last_modified: datetime

    @property
    def name(self) -> tuple[str, str, str]:
        """What no other version is called."""
        return self.bucket, self.key, self.version_id


@dataclass(frozen=True)
class Waiting:
    """A version that was ignored, and may not be any more."""

    file_id: UUID
    bucket: str
    key: str
    last_modified: datetime


V = TypeVar("V", bound=Routed)


@dataclass(frozen=True)
class Sender:
    """Who sent an object, and why, if they said so."""

    user: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Found:
    """A version that the registry may not know yet."""

    version: ObjectVersion
    found_by: FoundBy
    sender: Sender = Sender()


@dataclass(frozen=True)
class DatasetStanding:
    """What numbering needs to know of a dataset; declaration 0 is none."""

    declaration_version: int = 0
    last_arrival: int = 0
    newest_modified: datetime | None = None
    order_by: OrderBy | None = None
    newest_order: str | None = None


@dataclass(frozen=True)
class Place:
    """What the registry writes down of where a version belongs: an arrival of its dataset, or why it is ignored."""

    route: Route | None = None
    arrival: int | None = None
    declaration_version: int | None = None
    late: bool = False
    order: str | None = None
    reason: str | None = None
    waits: bool = False

    @property
    def is_ignored(self) -> bool:
        return self.arrival is None


@dataclass(frozen=True)
class Entry:
    """A version that was found, and its place."""

    found: Found
    place: Place

    @property
    def is_ignored(self) -> bool:
        return self.place.is_ignored


def in_order(versions: Iterable[V]) -> list[V]:
    """By (last_modified, key); versions of one key keep the order they are given in, whatever their stamps."""
    latest: dict[tuple[str, str], datetime] = {}
    placed = []
    for place, version in enumerate(versions):
        name = (version.bucket, version.key)
        stamp = max(latest.get(name, version.last_modified), version.last_modified)
        latest[name] = stamp
        placed.append((stamp, version.key, place, version))
    return [version for *_, version in sorted(placed, key=lambda each: each[:3])]


def number(
    versions: Sequence[Routed], routed: Sequence[Route | Ignored], standings: dict[str, DatasetStanding]
) -> list[Place]:
    """A place for each version, in this order; arrivals go on without gaps; updates the standings."""
    return [_place(version, route, standings) for version, route in zip(versions, routed, strict=True)]


def _place(version: Routed, route: Route | Ignored, standings: dict[str, DatasetStanding]) -> Place:
    if isinstance(route, Ignored):
        return Place(reason=route.reason, waits=route.waits)
    standing = standings[route.dataset]
    if not standing.declaration_version:
        return Place(route, reason=NO_DECLARATION, waits=True)
    if route.corrects:
        standings[route.dataset] = standing = follow(standing)
        return Place(route, standing.last_arrival, standing.declaration_version)
    if route.told_by:
        return Place(route, reason=awaiting(route), waits=True)
    order = file_order(standing.order_by, version.key)
    late = is_late(standing, version.last_modified, order)
    standings[route.dataset] = standing = arrive(standing, version.last_modified, order)
    return Place(route, standing.last_arrival, standing.declaration_version, late, order)


def awaiting(route: Route) -> str:
    """Why a file of a delivery, or what tells of it, has no arrival yet."""
    if route.tells:
        return f"the {route.told_by} of a delivery: its files are being looked up"
    return f"part of a delivery: waits for its {route.told_by}"


def is_late(standing: DatasetStanding, modified: datetime, order: str | None) -> bool:
    """Whether a newer file came before it: by the order of their names, or else well before it by the clock."""
    if standing.order_by is None:
        newest = standing.newest_modified
        return newest is not None and modified < newest - LATE_AFTER
    # Where a column of the rows gives the order, each row finds its place by itself.
    return order is not None and standing.newest_order is not None and order < standing.newest_order


def arrive(standing: DatasetStanding, modified: datetime, order: str | None) -> DatasetStanding:
    """The dataset after one more arrival."""
    return replace(
        standing,
        last_arrival=standing.last_arrival + 1,
        newest_modified=max(standing.newest_modified or modified, modified),
        newest_order=newest_order([standing.newest_order, order]),
    )


def follow(standing: DatasetStanding) -> DatasetStanding:
    """The dataset after one more arrival that is of the moment of an earlier one."""
    return replace(standing, last_arrival=standing.last_arrival + 1)


def newest_order(orders: Iterable[str | None]) -> str | None:
    """The greatest order value; None where there is none."""
    return max((order for order in orders if order is not None), default=None)
