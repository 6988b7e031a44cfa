"""Rows against the heads of their keys; those that share a key with others of the file are judged together."""

from collections.abc import Iterator

import polars as pl
from records import compare as rules
from records.rejects import REJECTS

from ingestor.domain.statement import WHOLE_DATASET, Statement
from ingestor.files.ranged import RangedRows
from ingestor.files.spool import RowSpool
from ingestor.jobs.attempt import Attempt
from ingestor.jobs.reading import reread
from ingestor.store.heads import Heads

MOST_ROWS = 1 << 18
"""Rows that are judged together at a time; those of one key always are."""


def judge_rows(rows: pl.DataFrame, found: Heads, attempt: Attempt) -> pl.DataFrame:
    if attempt.floors and not attempt.statement.has_no_order:
        rows = rows.with_columns(outdated(attempt.statement, attempt.floors))
    heads = _seen_by(attempt, found.of_rows(rows["_row"]))
    compared = rules.compare(rows, heads, attempt.declaration.duplicates)
    return pl.concat([rows, compared.rows.drop("_row")], how="horizontal")


def _seen_by(attempt: Attempt, heads: pl.DataFrame) -> pl.DataFrame:
    """Heads as a correction sees them: where no order says so, those that were said after its file are newer."""
    subject = attempt.subject
    if not attempt.file.corrects or subject.position is None or not attempt.statement.has_no_order:
        return heads
    attempts = pl.col("record").bin.slice(0, 4).bin.reinterpret(dtype=pl.UInt32, endianness="big").cast(pl.Int64)
    said_in = attempts.replace(subject.earlier_words) if subject.earlier_words else attempts
    return heads.with_columns(newer=said_in > subject.position.said_in)


def outdated(statement: Statement, floors: dict[str, str]) -> pl.Expr:
    """Whether a row is older than a snapshot that spoke for all keys of its scope; named `_outdated`."""
    order = pl.col("_order") if statement.order_column else pl.lit(statement.order)
    is_older = pl.lit(floors.get(WHOLE_DATASET, "")) > order
    if not statement.has_no_scope:
        scope = pl.col("_scope") if statement.scope_column else pl.lit(statement.scope)
        is_older |= scope.replace_strict(floors, default="", return_dtype=pl.String) > order
    return is_older.fill_null(value=False).alias("_outdated")


def judge_repeated(attempt: Attempt, identities: RowSpool, found: Heads, repeated: pl.Series) -> RangedRows:
    """The rows that may share a key, judged; those in conflict become rejects."""
    judged = RangedRows(attempt.folder / "repeated", "_row")
    conflicts = RangedRows(attempt.folder / "conflicts", "_line")
    for rows in _alike(identities, repeated):
        part = judge_rows(rows, found, attempt)
        judged.add(part)
        conflicts.add(_conflicts(part))
    _reject(attempt, conflicts)
    return judged


def _alike(identities: RowSpool, repeated: pl.Series) -> Iterator[pl.DataFrame]:
    """All rows of some keys, and so on until there is none left; memory holds those of one class of keys."""
    classes = -(-int(repeated.sum()) // MOST_ROWS)
    for number in range(classes):
        is_mine = pl.col("_key").hash() % classes == number
        found = (block.filter(repeated.gather(block["_row"])) for block in identities.frames())
        yield pl.concat(block.filter(is_mine) if classes > 1 else block for block in found)


def _conflicts(judged: pl.DataFrame) -> pl.DataFrame:
    """Rows that share a key and differ are rejects like others."""
    lines = pl.col("_conflict").cast(pl.List(pl.String)).list.join(", ")
    reason = pl.format("lines {} have the same key and different content", lines)
    return judged.filter(pl.col("_conflict").is_not_null()).select(
        "_line", "_key", codes=pl.concat_list(pl.lit("conflict")), reasons=pl.concat_list(reason)
    )


def reject_rows(attempt: Attempt, rows: pl.DataFrame) -> None:
    """Rejects (_line, _key, codes, reasons) that are known only when the whole file was read: it is read again."""
    rejects = RangedRows(attempt.folder / "broken", "_line")
    rejects.add(rows.select("_line", "_key", "codes", "reasons"))
    _reject(attempt, rejects)


def _reject(attempt: Attempt, refused: RangedRows) -> None:
    if not refused.height:
        return
    nothing = pl.lit(None, pl.String).repeat_by(pl.col("codes").list.len())
    for origins, fields in reread(attempt, refused):
        rows = origins.join(refused.of_block(origins["line"]), left_on="line", right_on="_line", maintain_order="left")
        rejects = rows.with_columns(columns=nothing).select(REJECTS.names())
        attempt.rejects.add(rejects, fields, rows.select("_key", _line="line"))
