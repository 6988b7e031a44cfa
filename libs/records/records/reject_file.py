"""The file of rejects: the sender's own columns, and before them line, codes and reasons; safe in a spreadsheet.

A value that a spreadsheet would take for a formula gets an apostrophe before it, and so does one that begins with
apostrophes and then so; numbers stay as they are. Taking one apostrophe away again gives the value that was sent.
"""

from collections.abc import Sequence

import polars as pl

LINE, CODES, REASONS, RAW = ("waybill_line", "waybill_codes", "waybill_reasons", "waybill_raw")
"""`waybill_raw` holds rows whose fields could not be told apart."""
PART = "waybill_part"
"""Of a delivery's row: the file that it is in, and its line there."""
NOTES = (LINE, PART, CODES, REASONS, RAW)
"""Columns that are not the sender's."""

_FORMULA = r"^'*[=+\-@\t\r]"
_ESCAPED = r"^'+[=+\-@\t\r]"
_NUMBER = r"^[+-]?[0-9]+(?:[.,][0-9]+)*$"


def reject_rows(rejects: pl.DataFrame, fields: pl.DataFrame) -> pl.DataFrame:
    """The lines of the file: rejects (line, codes, reasons, raw) with the fields (`_line`, text columns) they had.

    Those of a delivery have `part` too, those of a correction `noted`, the line that they come from.
    """
    names = [name for name in fields.columns if name != "_line"]
    joined = rejects.join(
        fields.with_columns(pl.lit(value=True).alias("_told")), left_on="line", right_on="_line", how="left"
    )
    lists = [pl.col(name).list.join("; ") for name in ("codes", "reasons")]
    raw = pl.when(pl.col("_told").is_null()).then(formula_safe("raw"))
    return joined.sort("line", maintain_order=True).select(
        pl.col("noted" if "noted" in rejects.columns else "line").alias(LINE),
        *([formula_safe("part").alias(PART)] if "part" in rejects.columns else []),
        lists[0].alias(CODES),
        lists[1].alias(REASONS),
        raw.alias(RAW),
        *(formula_safe(name) for name in names),
    )


def header_line(header: Sequence[str], *, has_parts: bool = False) -> bytes:
    """The header of the file: the notes' names, then the sender's."""
    notes = [name for name in NOTES if has_parts or name != PART]
    names = pl.DataFrame({"name": [*notes, *header]}).select(formula_safe("name"))["name"].to_list()
    return pl.DataFrame([names], orient="row").write_csv(include_header=False).encode()


def formula_safe(name: str) -> pl.Expr:
    """The column as it can be opened in a spreadsheet."""
    text = pl.col(name)
    return (
        pl.when(text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)).then("'" + text).otherwise(text).alias(name)
    )


def as_sent(name: str) -> pl.Expr:
    """The column as it was before it was made safe."""
    text = pl.col(name)
    bare = text.str.slice(1)
    return pl.when(text.str.contains(_ESCAPED) & ~bare.str.contains(_NUMBER)).then(bare).otherwise(text).alias(name)
