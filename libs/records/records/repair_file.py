"""The file of repairs: rows that were taken after they had been mended, as they came; safe in a spreadsheet."""

import polars as pl

from records.reject_file import BYTES, LINE, PART, RAW, byte_range, formula_safe, joined_list, names_line, note

REPAIRS = "waybill_repairs"
"""What was mended in the row."""


def repair_rows(repaired: pl.DataFrame) -> pl.DataFrame:
    """The lines of the file: repaired rows (line, repairs, raw, start, size); those of a delivery have `part` too."""
    return repaired.select(
        pl.col("line").alias(LINE),
        *([formula_safe("part").alias(PART)] if "part" in repaired.columns else []),
        byte_range().alias(BYTES),
        joined_list("repairs").alias(REPAIRS),
        note(pl.col("raw")).alias(RAW),
    )


def repairs_header_line(*, has_parts: bool) -> bytes:
    """The header of the file."""
    return names_line([LINE, *([PART] if has_parts else []), BYTES, REPAIRS, RAW])
