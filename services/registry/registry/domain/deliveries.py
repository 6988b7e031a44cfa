"""Deliveries: several files that are taken together, once their marker or manifest is there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from os.path import commonprefix
from typing import Protocol
from uuid import UUID

import orjson
from records.globs import HIDDEN, compile_glob
from waybill_contracts.declaration import Declaration

from registry.domain.arrivals import FoundBy, ObjectVersion
from registry.domain.routes import Ignored, Route, path_fault, shown

MAX_PARTS = 1000
MAX_MANIFEST_BYTES = 1 << 20
MAX_NAMES_BYTES = 400_000
"""Of keys and version ids together: one message carries them all, beside the declaration."""
MAX_KEY_BYTES = 1024
SHOWN = 3
OF_ALL = ("organisation", "table")


class Unusable(ValueError):
    """Nothing will ever be delivered by this object; says why, and what to do."""


class Keyed(Protocol):
    """Something that has a key."""

    @property
    def key(self) -> str: ...


@dataclass(frozen=True)
class Delivery:
    """A marker or manifest that is not registered yet."""

    file_id: UUID
    seq: int
    organisation: str
    table: str
    bucket: str
    key: str
    version_id: str
    size: int
    last_modified: datetime
    found_by: FoundBy

    @property
    def dataset(self) -> str:
        return f"{self.organisation}/{self.table}"


@dataclass(frozen=True)
class Named:
    """A key that a manifest names, with what routing looks at."""

    bucket: str
    key: str
    last_modified: datetime


def can_be_part(part: Route | Ignored, delivery: Route) -> bool:
    """Whether a file is one of those that come in deliveries of this dataset."""
    return isinstance(part, Route) and part.dataset == delivery.dataset and bool(part.told_by) and not part.tells


def belongs(part: Route | Ignored, delivery: Route) -> bool:
    """Whether a file is part of the delivery that this marker tells of: what both keys capture is the same."""
    if isinstance(part, Ignored) or not can_be_part(part, delivery):
        return False
    common = (part.captures.keys() & delivery.captures.keys()) - set(OF_ALL)
    return all(part.captures[name] == delivery.captures[name] for name in common)


def prefixes(declaration: Declaration, bucket: str, captures: Mapping[str, str]) -> list[str]:
    """Under which keys the files of a delivery lie that a marker of these captures tells of; none is below another."""
    globs = [
        compile_glob(_with_captures(each, captures), declaration.organisation, declaration.table)
        for each in declaration.files
    ]
    found = sorted({glob.prefix for glob in globs if glob.bucket in (None, bucket)})
    return [each for each in found if not any(each != other and each.startswith(other) for other in found)]


def _with_captures(pattern: str, captures: Mapping[str, str]) -> str:
    """The pattern, narrower where a capture is known; one that holds what patterns are made of stays open."""
    for name, text in captures.items():
        if name not in OF_ALL and not set(text) & set("*?{}") and not text.startswith(HIDDEN):
            pattern = pattern.replace(f"{{{name}}}", text)
    return pattern


def named_keys(manifest_key: str, body: bytes) -> list[str]:
    """The keys that a manifest names, each once, in its order; Unusable where a name can be none."""
    folder = manifest_key.rpartition("/")[0]
    names = list(dict.fromkeys(_names(body)))
    if not names:
        raise Unusable("the manifest names no files: send it again with a name on each line")
    if len(names) > MAX_PARTS:
        raise Unusable(f"the manifest names {len(names)} files; a delivery has at most {MAX_PARTS}")
    for name in names:
        key = f"{folder}/{name}"
        fault = path_fault(name) or (len(key.encode()) > MAX_KEY_BYTES and "the key is too long")
        if fault:
            raise Unusable(
                f"the manifest names {shown(name)}: {str(fault).replace('the key', 'the name')};"
                " names are relative to the manifest's folder, and stay within it"
            )
    return [f"{folder}/{name}" for name in names]


def _names(body: bytes) -> Iterable[str]:
    if len(body) > MAX_MANIFEST_BYTES:
        raise Unusable(f"the manifest has {len(body)} bytes; at most {MAX_MANIFEST_BYTES} are read")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unusable(f"the manifest is not UTF-8: {error.reason} at byte {error.start}") from None
    if not text.lstrip().startswith("["):
        lines = [line.removesuffix("\r") for line in text.split("\n")]
        return [line for line in lines if line.strip() and not line.startswith("#")]
    try:
        names = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Unusable(f"the manifest begins like a JSON array and is none: {error}") from None
    if not all(isinstance(name, str) for name in names):
        raise Unusable("the manifest is a JSON array of other things than names")
    return [str(name) for name in names]


def check_named(keys: Sequence[str], routed: Sequence[Route | Ignored], delivery: Route) -> None:
    """Raises Unusable where a manifest names what is no file of its dataset."""
    for key, route in zip(keys, routed, strict=True):
        if not can_be_part(route, delivery):
            why = route.reason if isinstance(route, Ignored) else f"{route.dataset} takes it in another way"
            raise Unusable(f"the manifest names {shown(key)}, which is no file of {delivery.dataset}: {why}")


def common_prefix(keys: Sequence[str]) -> str:
    """Under which all of these keys lie."""
    return commonprefix(keys)  # noqa: RUF071 - listings go by characters, not by folders


def check_parts(parts: Sequence[ObjectVersion], told_by: str) -> None:
    """Raises Unusable where these cannot be one delivery."""
    if not parts:
        raise Unusable(
            f"the {told_by} tells of no file that is new: each is part of an earlier delivery, or there is none;"
            f" send the files, then the {told_by} again"
        )
    if len(parts) > MAX_PARTS:
        raise Unusable(f"the {told_by} tells of {len(parts)} files; a delivery has at most {MAX_PARTS}")
    size = len(orjson.dumps([(part.key, part.version_id) for part in parts]))
    if size > MAX_NAMES_BYTES:
        raise Unusable(f"the names of the {len(parts)} files have {size} bytes; at most {MAX_NAMES_BYTES} are possible")


def awaited(missing: Sequence[str], count: int) -> str:
    """What a manifest waits for."""
    named = ", ".join(shown(key) for key in missing[:SHOWN])
    more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    return f"the manifest of a delivery: {len(missing)} of its {count} files are not there yet: {named}{more}"


def newest(versions: Iterable[ObjectVersion], keys: Sequence[str]) -> tuple[list[ObjectVersion], list[str]]:
    """The versions of these keys in their order, and the keys that have none."""
    there = {version.key: version for version in versions}
    return [there[key] for key in keys if key in there], [key for key in keys if key not in there]
