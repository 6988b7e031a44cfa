"""Limits above which a file does not take effect."""

import re

from records.errors import FileFault
from waybill_contracts import Declaration, Guards, RowCounts

from ingestor.domain.registration import Dataset, Position

_DECIMAL = re.compile(r"^decimal\((\d+),(\d+)\)$")
INTEGER_DIGITS = 19
"""Digits of the largest 64-bit integer."""


class GuardFault(FileFault):
    """The whole file was read, and may not take effect."""

    def __init__(self, code: str, message: str, rows: RowCounts) -> None:
        super().__init__(code, message)
        self.rows = rows


def check_rejects(rows: RowCounts, guards: Guards) -> None:
    """Refuse a file of which too large a share was rejected; small files are not measured by shares."""
    if rows.read < max(guards.min_rows_for_shares, 1):
        return
    share = rows.rejected / rows.read
    if share > guards.max_reject_share:
        most = f"at most {guards.max_reject_share:.1%} may be"
        reason = f"{rows.rejected} of {rows.read} rows were rejected ({share:.1%}); {most}"
        raise GuardFault("too_many_rejects", reason, rows)


def check_drift(dataset: Dataset, newest: Position | None, declaration: Declaration) -> None:
    """Refuse a declaration under which records would get other keys, or columns narrower types."""
    if newest is None:
        return
    if tuple(newest.declaration["key"]) != declaration.key:
        raise FileFault("key_changed", f"the key was {', '.join(newest.declaration['key'])}; it cannot change")
    for name, column in declaration.columns.items():
        held = dataset.columns.get(name, column.type)
        if name in declaration.key and held != column.type:
            raise FileFault("key_changed", f"key column {name} was {held}; it cannot become {column.type}")
        if not widens(held, column.type):
            raise FileFault("narrowed_type", f"column {name} is {held}; it cannot become {column.type}")


def widens(held: str, declared: str) -> bool:
    """Whether every value of the held type is one of the declared type: integer -> decimal -> text."""
    if held == declared:
        return True
    if held != "integer" and not _DECIMAL.match(held):
        return False
    if declared == "text":
        return True
    target = _DECIMAL.match(declared)
    if target is None:
        return False
    precision, scale = int(target[1]), int(target[2])
    source = _DECIMAL.match(held)
    held_digits, held_scale = (int(source[1]) - int(source[2]), int(source[2])) if source else (INTEGER_DIGITS, 0)
    return precision - scale >= held_digits and scale >= held_scale
