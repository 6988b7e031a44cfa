"""From text columns to typed good rows and rejects with every reason."""

from dataclasses import dataclass

import polars as pl
from waybill_contracts.declaration import Declaration

from records.csv_split import Block
from records.rejects import collect, faults
from records.rules import declared_rules, rule_faults
from records.types import type_columns, type_faults

MAX_RECORD_BYTES = 15_000_000
"""Of a record in its file: with names and types around it, it must fit into a MongoDB document of 16 MiB."""


@dataclass(frozen=True)
class Judged:
    """Good rows with typed columns in declared order and `_line`, and the rejects of structure, type and rules."""

    frame: pl.DataFrame
    rejects: pl.DataFrame


def judge(block: Block, declaration: Declaration) -> Judged:
    """Type the rows of a block and hold them against the rules; a row with any fault is one reject."""
    text = block.frame
    types = {name: column.type for name, column in declaration.columns.items()}
    typed = type_columns(text, types)
    found = [fault for name, declared in types.items() for fault in type_faults(text[name], typed[name], declared)]
    found += rule_faults(typed, declared_rules(declaration), text)
    found += _too_large(block)
    typed = typed.hstack([text["_line"]])
    if not found:
        return Judged(typed, block.rejects)
    rows, rejects = collect(found, text["_line"], block.raw)
    good = pl.Series([True]).new_from_index(0, len(typed)).scatter(rows, False)
    return Judged(typed.filter(good), pl.concat([block.rejects, rejects]).sort("line"))


def _too_large(block: Block) -> list[pl.DataFrame]:
    rows = block.longer_than(MAX_RECORD_BYTES)
    if rows.is_empty():
        return []
    return [faults(rows, "record_too_large", f"the record has more than {MAX_RECORD_BYTES} bytes")]
