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
BYTES = "waybill_bytes"
"""First and last byte of the row in its unpacked file, counted from 0 as HTTP does: `120-167`."""
COLUMNS = "waybill_columns"
"""For each code the column that it is about; nothing where it is about no single one."""
NOTES = (LINE, PART, BYTES, CODES, COLUMNS, REASONS, RAW)
"""Columns that are not the sender's; files of rejects from before have fewer of them."""

_BEGINNING = r"[=+\-@\t\r\n\x00\uFF1D\uFF0B\uFF0D\uFF20]"
"""What a formula begins with in spreadsheets, also in wide forms, or has before it."""
_FORMULA = f"^'*{_BEGINNING}"
_ESCAPED = f"^'+{_BEGINNING}"
_NUMBER = r"^[+-]?[0-9]+(?:[.,][0-9]+)*$"


def reject_rows(rejects: pl.DataFrame, fields: pl.DataFrame) -> pl.DataFrame:
    """The lines of the file: rejects with the fields (`_line`, text columns) they had.

    Those of a delivery have `part` too, those of a correction `noted`, the line that they come from.
    """
    names = [name for name in fields.columns if name != "_line"]
    joined = rejects.join(
        fields.with_columns(pl.lit(value=True).alias("_told")), left_on="line", right_on="_line", how="left"
    )
    is_correction = "noted" in rejects.columns
    raw = pl.when(pl.col("_told").is_null()).then(note(pl.col("raw")))
    return joined.sort("line", maintain_order=True).select(
        pl.col("noted" if is_correction else "line").alias(LINE),
        *([formula_safe("part").alias(PART)] if "part" in rejects.columns else []),
        # A line that is of another file than the bytes would say nothing of them.
        (pl.lit(None, pl.String) if is_correction else byte_range()).alias(BYTES),
        joined_list("codes").alias(CODES),
        joined_list("columns").alias(COLUMNS),
        note(joined_list("reasons")).alias(REASONS),
        raw.alias(RAW),
        *(formula_safe(name) for name in names),
    )


def byte_range() -> pl.Expr:
    """`start` and `size` as people and HTTP write it; null where they are not known."""
    return pl.format("{}-{}", "start", pl.col("start") + pl.col("size") - 1)


def joined_list(name: str) -> pl.Expr:
    """A list of texts as one text of as many pieces: what is null in it is empty."""
    text = pl.col(name).list.eval(pl.element().fill_null("")).list.join("; ")
    return pl.when(text != "").then(text)


def header_line(header: Sequence[str], *, has_parts: bool = False) -> bytes:
    """The header of the file: the notes' names, then the sender's."""
    return names_line([*(name for name in NOTES if has_parts or name != PART), *header])


def names_line(names: Sequence[str]) -> bytes:
    """Names as a line of CSV."""
    safe = pl.DataFrame({"name": names}, schema={"name": pl.String}).select(formula_safe("name"))["name"].to_list()
    return pl.DataFrame([safe], orient="row").write_csv(include_header=False).encode()


def formula_safe(name: str) -> pl.Expr:
    """The column as it can be opened in a spreadsheet."""
    return _safe(pl.col(name)).alias(name)


def note(text: pl.Expr) -> pl.Expr:
    """A text that is only told, made safe; of a NUL its sign is shown, since no row with one can be read back."""
    return _safe(text.str.replace_all("\x00", "\u2400", literal=True))


def _safe(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)).then("'" + text).otherwise(text)


def as_sent(name: str) -> pl.Expr:
    """The column as it was before it was made safe."""
    text = pl.col(name)
    bare = text.str.slice(1)
    return pl.when(text.str.contains(_ESCAPED) & ~bare.str.contains(_NUMBER)).then(bare).otherwise(text).alias(name)
