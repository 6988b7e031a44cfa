"""What was said of a position: what is in it, and whether it can be loaded at all."""

from collections import Counter

from records.row_hash import RULE_VERSION
from waybill_contracts import Column, RecordsIngested
from waybill_contracts.declaration import ORDER_TYPES, POSTGRES_COLUMNS

IDENTITIES = ("key", "line", "content")


def types_of(fact: RecordsIngested) -> dict[str, str]:
    """The file's business columns, name to declared type."""
    return {column.name: column.type for column in fact.columns}


def find_faults(fact: RecordsIngested) -> list[str]:
    """Why this fact can never be loaded; empty when it can."""
    names = [column.name for column in fact.columns]
    faults = [] if names else ["there are no columns"]
    faults += [
        f"column {name!r} is a system column" for name in names if name.startswith("_") or name in POSTGRES_COLUMNS
    ]
    faults += [f"column {name!r} is named twice" for name, count in Counter(names).items() if count > 1]
    faults += _identity_faults(fact) + _order_faults(fact)
    faults += [f"column {column.name!r} has no known type" for column in fact.columns if not _is_type(column.type)]
    if fact.table.endswith(("_history", "_as_of")):
        faults.append(f"table {fact.table!r} would take the name of a view")
    if len({batch.number for batch in fact.batches}) != len(fact.batches):
        faults.append("two batches have the same number")
    if fact.rule_version != RULE_VERSION:
        faults.append(f"rule version {fact.rule_version} is not known")
    return faults


def _identity_faults(fact: RecordsIngested) -> list[str]:
    """What keys are made of is known, and there."""
    if fact.identity not in IDENTITIES:
        return [f"records are told apart by {fact.identity!r}, which is not known"]
    if (fact.identity == "key") != bool(fact.key):
        return [f"records are told apart by {fact.identity}, and there are {len(fact.key)} key columns"]
    return [f"key column {name!r} is not a column" for name in fact.key if name not in types_of(fact)]


def _order_faults(fact: RecordsIngested) -> list[str]:
    """One order value for the whole file, or a column that gives one."""
    if fact.order_column is None:
        return []
    if fact.order is not None:
        return ["both the file and a column give the order"]
    kind = types_of(fact).get(fact.order_column, "none")
    return [] if kind in ORDER_TYPES else [f"order column {fact.order_column!r} is {kind}, which gives no order"]


def _is_type(declared: str) -> bool:
    try:
        return Column(type=declared).type == declared
    except ValueError:
        return False


def stated_counts(fact: RecordsIngested) -> dict[str, int]:
    """How many versions of each change the waybill says the file made."""
    return {"insert": fact.rows.inserted, "update": fact.rows.updated, "delete": fact.rows.deleted}


def stated_changes(fact: RecordsIngested) -> frozenset[str]:
    """The kinds of change that the file made."""
    return frozenset(change for change, count in stated_counts(fact).items() if count)
