"""Versions found in the bucket: the order in which they arrived, and which of them are late."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeVar
from uuid import UUID

from registry.domain.routes import Ignored, Route

LATE_AFTER = timedelta(seconds=60)
NO_DECLARATION = "no declaration"

FoundBy = Literal["notification", "sweep"]


@dataclass(frozen=True)
class ObjectVersion:
    """One version of one object, as the listing tells it."""

    key: str
    version_id: str
    size: int
    etag: str
    last_modified: datetime


@dataclass(frozen=True)
class Waiting:
    """A version that waits for its dataset's declaration."""

    file_id: UUID
    key: str
    last_modified: datetime


AnyVersion = TypeVar("AnyVersion", ObjectVersion, Waiting)


@dataclass(frozen=True)
class Sender:
    """Who sent an object, and why, if they said so."""

    user: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Found:
    """A version that the registry may not know yet."""

    version: ObjectVersion
    route: Route | Ignored
    found_by: FoundBy
    sender: Sender = Sender()


@dataclass(frozen=True)
class DatasetStanding:
    """What numbering needs to know of a dataset; declaration 0 is none."""

    declaration_version: int = 0
    last_arrival: int = 0
    newest_modified: datetime | None = None


@dataclass(frozen=True)
class Entry:
    """What the registry writes down of a version: an arrival of its dataset, or ignored with the reason."""

    found: Found
    arrival: int | None = None
    late: bool = False
    reason: str | None = None

    @property
    def is_ignored(self) -> bool:
        return self.arrival is None


@dataclass(frozen=True)
class Arrival:
    """The place in its dataset that a version which waited is given."""

    file_id: UUID
    arrival: int
    late: bool


def in_order(versions: Iterable[AnyVersion]) -> list[AnyVersion]:
    """By (last_modified, key); versions of one key keep the order they are given in, whatever their stamps."""
    latest: dict[str, datetime] = {}
    placed = []
    for place, version in enumerate(versions):
        stamp = max(latest.get(version.key, version.last_modified), version.last_modified)
        latest[version.key] = stamp
        placed.append((stamp, version.key, place, version))
    return [version for *_, version in sorted(placed, key=lambda each: each[:3])]


def number(found: Sequence[Found], standings: dict[str, DatasetStanding]) -> list[Entry]:
    """An entry for each version, in this order; arrivals go on without gaps; updates the standings."""
    return [_enter(each, standings) for each in found]


def _enter(found: Found, standings: dict[str, DatasetStanding]) -> Entry:
    if isinstance(found.route, Ignored):
        return Entry(found, reason=found.route.reason)
    standing = standings[found.route.dataset]
    if not standing.declaration_version:
        return Entry(found, reason=NO_DECLARATION)
    standings[found.route.dataset], late = arrive(standing, found.version.last_modified)
    return Entry(found, arrival=standing.last_arrival + 1, late=late)


def number_waiting(waiting: Iterable[Waiting], standing: DatasetStanding) -> tuple[DatasetStanding, list[Arrival]]:
    """Arrivals for versions that waited, oldest first, and the dataset after them."""
    arrivals = []
    for each in in_order(waiting):
        standing, late = arrive(standing, each.last_modified)
        arrivals.append(Arrival(each.file_id, standing.last_arrival, late))
    return standing, arrivals


def arrive(standing: DatasetStanding, modified: datetime) -> tuple[DatasetStanding, bool]:
    """The dataset after one more arrival, and whether that file lies well before the newest one."""
    newest = standing.newest_modified
    late = newest is not None and modified < newest - LATE_AFTER
    newest = modified if newest is None else max(newest, modified)
    return replace(standing, last_arrival=standing.last_arrival + 1, newest_modified=newest), late
