"""Where a dataset lives in the warehouse, and what its tables can hold."""

from dataclasses import dataclass

from records.widening import widens
from waybill_contracts import RecordsIngested

from loader.domain.facts import types_of
from loader.domain.faults import Mismatch

LAYOUT = 2
"""Of the system columns that tables are made with: 2 has `_order` in the log, 1 had not."""


@dataclass(frozen=True)
class Place:
    """Where a dataset lives in the warehouse."""

    current_schema: str
    log_schema: str
    reader: str
    table: str

    @property
    def current(self) -> tuple[str, str]:
        return self.current_schema, self.table

    @property
    def log(self) -> tuple[str, str]:
        return self.log_schema, self.table

    @property
    def history(self) -> tuple[str, str]:
        return self.current_schema, f"{self.table}_history"


@dataclass(frozen=True)
class Tables:
    """What a dataset's log and current table hold: business columns with their declared types, and system columns."""

    columns: dict[str, str]
    layout: int = LAYOUT


def fit_tables(made: Tables, fact: RecordsIngested) -> Tables:
    """The tables once they can hold this file: types only widen, columns are only added, layouts only rise."""
    declared = types_of(fact)
    narrower = [
        f"column {name} is {made.columns[name]} and cannot become {kind}"
        for name, kind in declared.items()
        if name in made.columns and not widens(made.columns[name], kind)
    ]
    if narrower:
        raise Mismatch("; ".join(narrower))
    return Tables(made.columns | declared, max(made.layout, LAYOUT))
