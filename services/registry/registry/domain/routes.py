"""Where a key belongs: a dataset, or nowhere, with the reason."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import product
from typing import Literal, Protocol
from uuid import UUID

from records.globs import HIDDEN, Glob, compile_glob, group_pattern
from waybill_contracts.declaration import ANY_TABLE, DEFAULT_FILES, Declaration, Group
from waybill_contracts.event import ORGANISATION_PATTERN, TABLE_PATTERN, dataset_name

from registry.domain.corrections import FOLDER, corrected_file, is_correction

HISTORY_SUFFIXES = ("_history", "_as_of")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
MAX_SHOWN = 60


ToldBy = Literal["marker", "manifest"]


@dataclass(frozen=True)
class Route:
    """The dataset that a key belongs to, what its pattern captures, and the file that it corrects.

    `told_by` where the dataset's files come as deliveries: what tells that one is whole; `tells` if the key is that.
    """

    organisation: str
    table: str
    captures: Mapping[str, str] = field(default_factory=dict, compare=False)
    corrects: UUID | None = None
    told_by: ToldBy | None = None
    tells: bool = False

    @property
    def dataset(self) -> str:
        return dataset_name(self.organisation, self.table)


@dataclass(frozen=True)
class Ignored:
    """No route fits the key, for this reason; `waits` where a declaration may change that."""

    reason: str
    waits: bool = True


@dataclass(frozen=True)
class Declared:
    """What routing knows of a dataset that has a declaration; table `*` is the organisation's default."""

    organisation: str
    table: str
    files: tuple[str, ...] = DEFAULT_FILES
    since: str | None = None
    group: Group | None = None

    @property
    def dataset(self) -> str:
        return dataset_name(self.organisation, self.table)

    @property
    def told_by(self) -> ToldBy | None:
        if self.group is None:
            return None
        return "marker" if self.group.marker else "manifest"

    @property
    def takes_default_layout(self) -> bool:
        return any(pattern in DEFAULT_FILES for pattern in self.files)

    @property
    def globs(self) -> list[Glob]:
        """Its own patterns; the default layout is everybody's."""
        table = None if self.table == ANY_TABLE else self.table
        return [compile_glob(each, self.organisation, table) for each in self.files if each not in DEFAULT_FILES]

    @property
    def telling(self) -> list[Glob]:
        """The pattern of what tells of its deliveries, if its files come so."""
        table = None if self.table == ANY_TABLE else self.table
        return [compile_glob(group_pattern(self.group), self.organisation, table, is_marker=True)] if self.group else []


class Routed(Protocol):
    """What routing looks at."""

    @property
    def bucket(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def last_modified(self) -> datetime: ...


@dataclass(frozen=True)
class _Fit:
    """A pattern that fits; `stands` unless it is a default's and the table has a declaration of its own."""

    literals: int
    route: Route
    stands: bool


class Routes:
    """Declared routes, compiled; the default layout serves whoever declares no other."""

    def __init__(self, declared: Iterable[Declared] = ()) -> None:
        self._declared = {each.dataset: each for each in declared}
        self._globs = [(each, glob, False) for each in self._declared.values() for glob in each.globs]
        self._globs += [(each, glob, True) for each in self._declared.values() for glob in each.telling]

    def route(self, versions: Sequence[Routed]) -> list[Route | Ignored]:
        """Where each version belongs."""
        found = [fixed_place(version.key) for version in versions]
        open_to_all = [
            version for version, place in zip(versions, found, strict=True) if not place or may_tell(version.key)
        ]
        fits = self._fits(open_to_all)
        return [
            self._choose(version, fits.get((version.bucket, version.key), []), place)
            for version, place in zip(versions, found, strict=True)
        ]

    def _fits(self, versions: Iterable[Routed]) -> dict[tuple[str, str], list[_Fit]]:
        keys: dict[tuple[str, int], list[str]] = {}
        for version in versions:
            keys.setdefault((version.bucket, hidden_parts(version.key)), []).append(version.key)
        fits: dict[tuple[str, str], list[_Fit]] = {}
        for (declared, glob, tells), ((bucket, hidden), named) in product(self._globs, keys.items()):
            # As many as the pattern names, so it names them all: what captures one of them leaves too few for the rest.
            for key, captured in glob.fits(bucket, named).items() if hidden == glob.hidden else ():
                fits.setdefault((bucket, key), []).append(self._fit(declared, glob, captured, tells))
        return fits

    def _fit(self, declared: Declared, glob: Glob, captured: Mapping[str, str], tells: bool) -> _Fit:
        table = captured["table"] if declared.table == ANY_TABLE else declared.table
        route = Route(declared.organisation, table, captured, told_by=declared.told_by, tells=tells)
        return _Fit(glob.literals, route, route.dataset == declared.dataset or route.dataset not in self._declared)

    def _choose(self, version: Routed, fits: list[_Fit], fixed: Route | Ignored | None) -> Route | Ignored:
        if not fits:
            return fixed or self._by_default(version)
        standing = [fit for fit in fits if fit.stands]
        if not standing:
            return self._elsewhere(self._declared[fits[0].route.dataset])
        most = max(fit.literals for fit in standing)
        best = {fit.route.dataset: fit.route for fit in reversed(standing) if fit.literals == most}
        if len(best) > 1:
            return Ignored(f"fits routes of {' and '.join(sorted(best))}")
        (route,) = best.values()
        telling = [fit.route for fit in standing if fit.route.dataset == route.dataset and fit.route.tells]
        return self._checked(version, telling[0] if telling else route)

    def _by_default(self, version: Routed) -> Route | Ignored:
        parts = version.key.split("/")
        if len(parts) < 3:
            return Ignored("no route fits: expected <organisation>/<table>/<name>")
        route = Route(parts[0], parts[1])
        declared = self._declaration_of(route)
        if declared and not declared.takes_default_layout and not name_fault(route):
            return self._elsewhere(declared)
        return self._checked(version, replace(route, told_by=declared.told_by if declared else None))

    def _elsewhere(self, declared: Declared) -> Ignored:
        return Ignored(f"no route fits: {declared.dataset} declares other files, {shown(', '.join(declared.files))}")

    def _checked(self, version: Routed, route: Route) -> Route | Ignored:
        fault = name_fault(route)
        if fault:
            return Ignored(fault)
        declared = self._declaration_of(route)
        if declared and declared.since and version.last_modified < moment(declared.since):
            return Ignored(f"older than {declared.since}, since when {declared.dataset} takes files")
        return route

    def _declaration_of(self, route: Route) -> Declared | None:
        return self._declared.get(route.dataset) or self._declared.get(dataset_name(route.organisation, ANY_TABLE))


def partition_of(declaration: Declaration, bucket: str, key: str) -> str | None:
    """The part of the dataset that the key speaks for, as the pattern that says most about it captures it."""
    if declaration.partition is None or declaration.partition.path is None:
        return None
    globs = [compile_glob(each, declaration.organisation, declaration.table) for each in declaration.files]
    globs.sort(key=lambda glob: -glob.literals)
    if declaration.group:
        told_by = group_pattern(declaration.group)
        globs.insert(0, compile_glob(told_by, declaration.organisation, declaration.table, is_marker=True))
    for glob in globs:
        if captured := glob.fits(bucket, [key]):
            return captured[key].get(declaration.partition.path)
    return None


def moment(since: str) -> datetime:
    """A declared day (its beginning) or timestamp."""
    at = datetime.fromisoformat(since)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def fixed_place(key: str) -> Route | Ignored | None:
    """Where the key belongs whatever is declared; None where that depends on it."""
    if is_correction(key):
        return _correction(key)
    fault = path_fault(key)
    return Ignored(fault, waits=False) if fault else None


def _correction(key: str) -> Route | Ignored:
    organisation, table, _, *rest = key.split("/")
    route = Route(organisation, table)
    fault = path_fault("/".join((organisation, table, *rest))) or name_fault(route)
    file_id = corrected_file(key)
    if file_id and not fault:
        return replace(route, corrects=file_id)
    expected = f"expected {route.dataset}/{FOLDER}/<file id>/<name> with the whole id, as waybill file show tells it"
    return Ignored(fault or f"{shown('/'.join(rest))} names no file to correct: {expected}", waits=False)


def hidden_parts(key: str) -> int:
    """How many parts of the key are not for everybody."""
    return sum(part.startswith(HIDDEN) for part in key.split("/"))


def may_tell(key: str) -> bool:
    """Whether nothing but its parts that begin with '_' or '.' keeps the key from being taken."""
    if is_correction(key):
        return False
    shown_parts = [part.lstrip("".join(HIDDEN)) for part in key.split("/")]
    return path_fault("/".join(shown_parts)) is None


def path_fault(key: str) -> str | None:
    """Why a key can be no file of anybody, whatever is declared."""
    parts = key.split("/")
    if key.startswith("/"):
        return "the key begins with '/'"
    if "\\" in key or "\0" in key:
        return "the key holds a backslash or NUL"
    if ".." in parts:
        return "the key holds a part '..'"
    hidden = next((part for part in parts if part.startswith(HIDDEN)), None)
    if hidden is not None:
        return f"the part {shown(hidden)} begins with '_' or '.'"
    if key.endswith("/"):
        return "the key names a folder, not a file"
    if "" in parts:
        return "the key holds an empty part"
    return None


def name_fault(route: Route) -> str | None:
    """Why the names of a route name no dataset."""
    organisation, table = route.organisation, route.table
    if not re.fullmatch(ORGANISATION_PATTERN, organisation):
        return f"{shown(organisation)} is no organisation: expected a-z, then at most 30 of a-z, 0-9, '-'"
    if not re.fullmatch(TABLE_PATTERN, table):
        return f"{shown(table)} is no table: expected a-z, then at most 40 of a-z, 0-9, '_'"
    if table.endswith(HISTORY_SUFFIXES):
        return f"{shown(table)} is no table: names may not end in _history or _as_of"
    return None


def shown(text: str) -> str:
    """The text in quotes, cut, control characters escaped: safe in a terminal, a log or a message."""
    escaped = CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return f"'{escaped[:MAX_SHOWN]}…'" if len(escaped) > MAX_SHOWN else f"'{escaped}'"
