"""Objects that are removed: how present a version is once the object itself was asked."""

from collections.abc import Collection, Iterable
from uuid import UUID

from registry.domain.listing import Change, Presence


def confirmed(changes: Iterable[Change], readable: Collection[UUID], absent: Collection[str]) -> dict[UUID, Presence]:
    """How present these versions are; `readable` can be read, and the keys that are `absent` have no newest version.

    A key that came back since it was listed tells nothing yet; the next listing does.
    """
    found: dict[UUID, Presence] = {}
    for change in changes:
        known = change.known
        if known.file_id not in readable:
            found[known.file_id] = "gone"
        elif change.listed == "present":
            found[known.file_id] = "present"
        elif known.key in absent:
            found[known.file_id] = "deleted"
    return found
