"""From text columns to typed good rows and rejects with every reason."""

from dataclasses import dataclass
from functools import lru_cache

import polars as pl
from waybill_contracts.declaration import Declaration

from records.block import Block
from records.rejects import collect, faults
from records.rules import declared_rules, rule_faults
from records.transform import Made, make_columns
from records.types import polars_type

MAX_RECORD_BYTES = 15_000_000
"""Of a record in its file: with names and types around it, it must fit into a MongoDB document of 16 MiB."""
WARNINGS = pl.Schema([("line", pl.Int64()), ("rule", pl.String())])
_NO_WARNINGS = pl.DataFrame(schema=WARNINGS)


@dataclass(frozen=True)
class Judged:
    """Good rows with typed columns in declared order and `_line`, and the rejects of structure, type and rules."""

    frame: pl.DataFrame
    rejects: pl.DataFrame
    warnings: pl.DataFrame
    """Good rows that break a rule of severity warn: `line` and `rule`."""
    rejected_keys: pl.DataFrame
    """`_line` and key of the rejected rows (but for those of structure) whose key is readable."""


def judge(block: Block, declaration: Declaration) -> Judged:
    """Make the declared columns of a block and hold its rows against the rules; a row with any fault is one reject."""
    made = make_columns(block.frame, declaration, block.moments)
    found, warned = _faults(made, declaration)
    found += _too_large(block)
    lines = block.frame["_line"]
    typed = made.typed.hstack([lines])
    if not found:
        key = tuple((name, declaration.columns[name].type) for name in declaration.key)
        return Judged(typed, block.rejects, _warnings(warned, lines), _no_keys(key))
    rows, rejects = collect(found, lines, block.origin)
    good = pl.Series([True]).new_from_index(0, len(typed)).scatter(rows, False)
    rejects = pl.concat([block.rejects, rejects]).sort("line")
    warnings = _warnings([rule.join(rows.to_frame(), on="row", how="anti") for rule in warned], lines)
    keys = typed.gather(rows).select("_line", *declaration.key).drop_nulls()
    return Judged(typed.filter(good), rejects, warnings, keys)


def _faults(made: Made, declaration: Declaration) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
    """Faults of type, column rules and row rules, and the rows that are only warned of."""
    rules = declared_rules(declaration)
    if made.text.width < made.typed.width:
        # A constant was checked with the declaration; a column that the file may lack has nothing to be checked.
        rules = [rule for rule in rules if rule.column in made.text.columns]
    found = made.found + rule_faults(made.typed, rules, made.text)
    if not any(rule.expect is not None for rule in declaration.rules):
        return found, []
    # The parser is needed only where there is something to parse.
    from records.expressions.rules import row_faults

    broken = row_faults(made, declaration)
    return found + broken.found, broken.warned


def _warnings(warned: list[pl.DataFrame], lines: pl.Series) -> pl.DataFrame:
    if not warned:
        return _NO_WARNINGS
    rows = pl.concat(warned).sort("row", maintain_order=True)
    return rows.select(lines.gather(rows["row"]).alias("line"), "rule").match_to_schema(WARNINGS)


@lru_cache(maxsize=1_000)
def _no_keys(key: tuple[tuple[str, str], ...]) -> pl.DataFrame:
    return pl.DataFrame(schema={"_line": pl.Int64()} | {name: polars_type(declared) for name, declared in key})


def _too_large(block: Block) -> list[pl.DataFrame]:
    rows = block.longer_than(MAX_RECORD_BYTES)
    if rows.is_empty():
        return []
    return [faults(rows, "record_too_large", f"the record has more than {MAX_RECORD_BYTES} bytes")]
