"""The header of a file: business names, and whether they are the declared ones."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

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


def match(header: Sequence[str], declaration: Declaration) -> list[str]:
    """Business names in file order; they must be exactly the declared columns, in any order."""
    names = business_names(header)
    missing = [name for name in declaration.columns if name not in set(names)]
    unknown = [name for name in names if name not in declaration.columns]
    parts = [f"missing columns: {_listed(missing)}"] * bool(missing)
    parts += [f"columns that are not declared: {_listed(unknown)}"] * bool(unknown)
    if parts:
        raise FileFault("missing_column" if missing else "unknown_column", "; ".join(parts))
    return names


def _is_hump(text: str, at: int) -> bool:
    return text[at - 1].islower() and text[at].isupper()


def _listed(names: Iterable[str], most: int = 20) -> str:
    """Names as people read them, cut where they are many."""
    shown = list(names)
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return (
        ", ".join(name if len(name) <= MAX_NAME_BYTES else f"{name[:MAX_NAME_BYTES]}…" for name in shown[:most]) + more
    )
