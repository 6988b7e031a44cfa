"""The bucket's listing against the registry: what is unknown, and what is no longer as it was."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from registry.domain.arrivals import ObjectVersion

Presence = Literal["present", "deleted", "gone"]


@dataclass(frozen=True)
class Page:
    """All there is of the keys after `after` up to `upto` (None: to the end); a key's versions oldest first."""

    after: str
    upto: str | None
    versions: tuple[ObjectVersion, ...]
    deleted: frozenset[str]
    """Keys whose newest entry is a delete marker."""


@dataclass(frozen=True)
class Known:
    """A version as the registry knows it."""

    file_id: UUID
    key: str
    version_id: str
    presence: Presence


@dataclass(frozen=True)
class Change:
    """A version that is not as present as the registry says; None: not listed any more."""

    known: Known
    listed: Presence | None


def by_folder(keys: Iterable[str]) -> list[list[str]]:
    """The keys, those of one folder together."""
    folders: dict[str, list[str]] = {}
    for key in keys:
        folders.setdefault(key.rpartition("/")[0], []).append(key)
    return list(folders.values())


def unknown_versions(page: Page, known: Iterable[Known], before: datetime) -> list[ObjectVersion]:
    """Versions that the registry does not know though they were there before that time; none overtakes an older one."""
    names = {(each.key, each.version_id) for each in known}
    found, too_young = [], set()
    for version in page.versions:
        if (version.key, version.version_id) in names:
            continue
        if version.last_modified >= before:
            too_young.add(version.key)
        elif version.key not in too_young:
            found.append(version)
    return found


def presence_changes(page: Page, known: Sequence[Known]) -> list[Change]:
    """Known versions whose presence the listing contradicts."""
    listed: dict[tuple[str, str], Presence] = {
        (version.key, version.version_id): "deleted" if version.key in page.deleted else "present"
        for version in page.versions
    }
    changes = [Change(each, listed.get((each.key, each.version_id))) for each in known]
    return [each for each in changes if each.listed != _expected(each.known)]


def _expected(known: Known) -> Presence | None:
    return None if known.presence == "gone" else known.presence
