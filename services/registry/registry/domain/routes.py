"""Where a key belongs: a dataset, or nowhere, with the reason."""

import re
from dataclasses import dataclass

from waybill_contracts.event import ORGANISATION_PATTERN, TABLE_PATTERN, dataset_name

HISTORY_SUFFIXES = ("_history", "_as_of")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
MAX_SHOWN = 60


@dataclass(frozen=True)
class Route:
    """The dataset that a key belongs to."""

    organisation: str
    table: str

    @property
    def dataset(self) -> str:
        return dataset_name(self.organisation, self.table)


@dataclass(frozen=True)
class Ignored:
    """No route fits the key, for this reason."""

    reason: str


def route(key: str) -> Route | Ignored:
    """`<organisation>/<table>/…/<name>` leads to its dataset; every other key is ignored with a reason."""
    fault = _path_fault(key)
    if fault:
        return Ignored(fault)
    organisation, table = key.split("/")[:2]
    fault = _name_fault(organisation, table)
    return Ignored(fault) if fault else Route(organisation, table)


def _path_fault(key: str) -> str | None:
    parts = key.split("/")
    if key.startswith("/"):
        return "the key begins with '/'"
    if "\\" in key or "\0" in key:
        return "the key holds a backslash or NUL"
    if ".." in parts:
        return "the key holds a part '..'"
    hidden = next((part for part in parts if part.startswith(("_", "."))), None)
    if hidden is not None:
        return f"the part {shown(hidden)} begins with '_' or '.'"
    if key.endswith("/"):
        return "the key names a folder, not a file"
    if "" in parts:
        return "the key holds an empty part"
    if len(parts) < 3:
        return "no route fits: expected <organisation>/<table>/<name>"
    return None


def _name_fault(organisation: str, table: str) -> str | None:
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
