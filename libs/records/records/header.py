"""The header of a file: business names, and which declared columns they are."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from waybill_contracts.declaration import MAX_NAME_BYTES, Declaration

from records.errors import FileFault

_BREAK = re.compile(r"(?<=[^\W\d_])(?=[^\W\d_])")
_OTHER = re.compile(r"[\W_]+")


def business_name(raw: str) -> str:
    """A header's field in snake case (conventions.md 7); empty where it has neither letter nor digit."""
    text = unicodedata.normalize("NFC", raw)
    text = _BREAK.sub(lambda at: "_" if _is_hump(text, at.start()) else "", text).lower()
    name = _OTHER.sub("_", text).strip("_")
    return f"x{name}" if name[:1].isdigit() else name


def business_names(header: Sequence[str]) -> list[str]:
    """Business names of a header; a name that is empty, too long or doubled is a FileFault."""
    names = [business_name(raw) for raw in header]
    if empty := [position for position, name in enumerate(names, 1) if not name]:
        raise FileFault("bad_header", f"columns without a name: {_listed(map(str, empty))}")
    if long := [name for name in names if len(name.encode()) > MAX_NAME_BYTES]:
        raise FileFault("bad_header", f"column names of more than {MAX_NAME_BYTES} bytes: {_listed(long)}")
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        raise FileFault("doubled_column", f"columns that appear more than once: {_listed(doubled)}")
    return names


@dataclass(frozen=True)
class Match:
    """A header as the declaration reads it."""

    names: tuple[str, ...]
    """Of the file's columns, in their order: the declared name, or the business name of one that is unknown."""
    unknown: tuple[str, ...]
    """Names that the declaration does not expect in files."""
    missing: tuple[str, ...]
    """Columns that files must have and this one has not."""

    @property
    def is_exact(self) -> bool:
        return not (self.unknown or self.missing)


def match(header: Sequence[str], declaration: Declaration) -> Match:
    """Which declared columns the file has, by name or alias, in any order; only a header that is faulty is a FileFault.

    A column that is declared as constant or derived is not expected in a file, so there it is unknown.
    """
    expected = {name: column for name, column in declaration.columns.items() if column.is_in_files}
    meant = {alias: name for name, column in expected.items() for alias in column.aliases}
    names = [meant.get(name, name) for name in business_names(header)]
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        raise FileFault("doubled_column", f"columns that appear more than once, by name or alias: {_listed(doubled)}")
    present = set(names)
    return Match(
        names=tuple(names),
        unknown=tuple(name for name in names if name not in expected),
        missing=tuple(name for name, column in expected.items() if not column.optional and name not in present),
    )


def require_match(header: Sequence[str], declaration: Declaration) -> list[str]:
    """Names in file order; a column that is missing or not expected is a FileFault."""
    found = match(header, declaration)
    parts = [f"missing columns: {_listed(found.missing)}"] * bool(found.missing)
    parts += [f"columns that are not declared: {_listed(found.unknown)}"] * bool(found.unknown)
    if parts:
        raise FileFault("missing_column" if found.missing else "unknown_column", "; ".join(parts))
    return list(found.names)


def _is_hump(text: str, at: int) -> bool:
    return text[at - 1].islower() and text[at].isupper()


def _listed(names: Iterable[str], most: int = 20) -> str:
    """Names as people read them, cut where they are many."""
    shown = list(names)
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return (
        ", ".join(name if len(name) <= MAX_NAME_BYTES else f"{name[:MAX_NAME_BYTES]}…" for name in shown[:most]) + more
    )
