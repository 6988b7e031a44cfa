"""Limits above which a file does not take effect."""

from collections.abc import Mapping

from records.errors import FileFault
from records.widening import widens
from waybill_contracts import Declaration, Guards, RowCounts

from ingestor.domain.holds import (
    DELETE_SHARE,
    KEYLESS_REJECTS,
    NARROWED_TYPE,
    REJECT_SHARE,
    TYPE_CHANGED,
    Absent,
    Held,
    Reason,
)
from ingestor.domain.registration import Dataset, Position

CHANGED_TYPE_SHARE = 0.5


def judge_shares(
    rows: RowCounts, absent: Absent, keyless: int, guards: Guards, mistyped: Mapping[str, int]
) -> list[Reason]:
    """Why a file that was read whole should wait: too much of it is refused, or too much would be deleted by it."""
    reasons = []
    if rows.read >= max(guards.min_rows_for_shares, 1) and rows.rejected / rows.read > guards.max_reject_share:
        reasons += _too_many_rejects(rows, guards, mistyped)
    if keyless:
        text = (
            f"{keyless} rejected rows have no readable key, so nobody can tell which records are missing;"
            " released, the file takes effect without deletes"
        )
        reasons.append(Reason(KEYLESS_REJECTS, text, {"rows": keyless}))
    elif has_too_many_deletes(absent, guards):
        share = absent.count / absent.live
        text = (
            f"{absent.count} of {absent.live} records would be deleted ({share:.1%}); at most"
            f" {guards.max_delete_share:.1%} may be"
        )
        reasons.append(
            Reason(DELETE_SHARE, text, {"deletes": absent.count, "of": absent.live, "keys": list(absent.first_keys)})
        )
    return reasons


def has_too_many_deletes(absent: Absent, guards: Guards) -> bool:
    """Whether a snapshot leaves out too large a share of the records it speaks for; few are not measured by shares."""
    if absent.live < max(guards.min_rows_for_shares, 1):
        return False
    return absent.count / absent.live > guards.max_delete_share


def _too_many_rejects(rows: RowCounts, guards: Guards, mistyped: Mapping[str, int]) -> list[Reason]:
    share = rows.rejected / rows.read
    text = (
        f"{rows.rejected} of {rows.read} rows were rejected ({share:.1%}); at most {guards.max_reject_share:.1%} may be"
    )
    reasons = [Reason(REJECT_SHARE, text, {"rejected": rows.rejected, "of": rows.read})]
    changed = {name: count for name, count in mistyped.items() if count / rows.read > CHANGED_TYPE_SHARE}
    if changed:
        columns = ", ".join(f"{name} in {count} rows" for name, count in sorted(changed.items()))
        reasons.append(Reason(TYPE_CHANGED, f"values are no longer of the declared type: {columns}", {"rows": changed}))
    return reasons


def check_drift(dataset: Dataset, newest: Position | None, declaration: Declaration) -> None:
    """Raises where records would get other keys (FileFault), or columns narrower types: Held until it is mended."""
    if newest is None:
        return
    if tuple(newest.declaration["key"]) != declaration.key:
        raise FileFault("key_changed", f"the key was {', '.join(newest.declaration['key'])}; it cannot change")
    for name, column in declaration.columns.items():
        held = dataset.columns.get(name, column.type)
        if name in declaration.key and held != column.type:
            raise FileFault("key_changed", f"key column {name} was {held}; it cannot become {column.type}")
        if name in declaration.needed_columns and held != column.type:
            text = f"column {name} orders or divides the records as {held}; it cannot become {column.type}"
            raise FileFault("order_changed", text)
        if not widens(held, column.type):
            text = (
                f"column {name} holds values of type {held}, which {column.type} would lose: declare a wider type"
                " (waybill dataset apply), then release the file"
            )
            raise Held([Reason(NARROWED_TYPE, text, {"column": name, "is": held, "declared": column.type})])
