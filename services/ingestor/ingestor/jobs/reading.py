"""Bytes to identified rows, a block at a time: nothing is read before somebody asks for the next block."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

import polars as pl
from records.columns import canonical
from records.csv import CsvReader
from records.csv_split import Block
from records.header import Match, match
from records.infer import infer, infer_columns
from records.judge import Judged, judge
from records.key import content_keys, keys, line_keys
from records.order import row_orders
from records.reject_file import LINE, NOTES, as_sent
from records.row_hash import row_hashes

from ingestor.domain.drift import Samples, is_tolerated, judge_drift
from ingestor.domain.holds import UNDECLARED, Held, Reason
from ingestor.jobs.attempt import Attempt

SAMPLE_ROWS = 3


def complete(source: BinaryIO, attempt: Attempt) -> None:
    """Raises Held with what the file shows, where the declaration leaves columns or key to be found in the first file.

    It is taken at once under the declaration that this makes, and so is every later one.
    """
    if not attempt.declaration.is_complete:
        reason = Reason(UNDECLARED, "columns and key are found in this file, and declared from now on")
        raise Held([reason], proposal=infer(source, attempt.declaration), decided_by="inference")


def read(source: BinaryIO, attempt: Attempt) -> Iterator[Block]:
    """The file's records as text columns with line numbers; every byte of it is accounted for.

    Held or Refused where its columns are not the declared ones.
    """
    reader = CsvReader(source)
    attempt.rejects.begin(_sent_header(reader.header, attempt))
    found = _match(reader.header, attempt)
    if not is_tolerated(attempt.declaration, attempt.accepted, bool(found.unknown), bool(found.missing)):
        with attempt.content.open("rb") as again:
            added = infer_columns(again, attempt.declaration, found.unknown)
        samples = _samples(next(reader.blocks(found.names), None), found.unknown)
        raise judge_drift(attempt.declaration, found.missing, added, samples)
    for block in reader.blocks(found.names):
        yield _with_nulls(_as_sent(block, attempt), found.missing)
    reader.coverage.prove(attempt.file.size)


def _match(header: Sequence[str], attempt: Attempt) -> Match:
    """The header as the declaration reads it; notes in a file of rejects that comes back are no drift."""
    found = match(header, attempt.declaration)
    if not attempt.file.corrects:
        return found
    return replace(found, unknown=tuple(name for name in found.unknown if name not in NOTES))


def _sent_header(header: Sequence[str], attempt: Attempt) -> list[str]:
    return [name for name in header if not (attempt.file.corrects and name in NOTES)]


def _as_sent(block: Block, attempt: Attempt) -> Block:
    """The rows as they were before the file of rejects made them safe; their lines there are noted."""
    if not attempt.file.corrects or LINE not in block.frame.columns:
        return block
    names = [name for name in block.frame.columns if name not in (*NOTES, "_line")]
    frame = block.frame.with_columns(as_sent(name) for name in names)
    attempt.notes.add(frame.select("_line", line=pl.col(LINE).cast(pl.Int64, strict=False)))
    return replace(block, frame=frame)


def _with_nulls(block: Block, missing: Sequence[str]) -> Block:
    """The block with columns that the file was allowed to lack."""
    if not missing:
        return block
    nulls = [pl.lit(None, pl.String).alias(name) for name in missing]
    return replace(block, frame=block.frame.with_columns(nulls))


def _samples(block: Block | None, names: Iterable[str]) -> Samples:
    """The first values of these columns."""
    return {} if block is None else {name: block.frame[name].head(SAMPLE_ROWS).to_list() for name in names}


def type_and_judge(blocks: Iterable[Block], attempt: Attempt) -> Iterator[pl.DataFrame]:
    """Rows that are of the declared types and satisfy the rules; the others are rejects."""
    for block in blocks:
        judged = judge(block, attempt.declaration)
        if judged.rejects.height:
            _keep_rejects(block, judged, attempt)
        attempt.warnings.add(judged.warnings)
        yield judged.frame


def _keep_rejects(block: Block, judged: Judged, attempt: Attempt) -> None:
    """Rejects with their fields and keys; their records are not missing in a snapshot."""
    keyed = judged.rejected_keys.select("_line").with_columns(pl.lit(None, pl.String).alias("_key"))
    if attempt.declaration.key and judged.rejected_keys.height:
        keyed = judged.rejected_keys.select("_line", keys(judged.rejected_keys, attempt.declaration.key))
    if attempt.statement.speaks_for_absent:
        attempt.present.add(keyed.select("_key"))
    fields = block.frame.filter(pl.col("_line").is_in(judged.rejects["line"].implode()))
    attempt.rejects.add(judged.rejects, _without_notes(fields), keyed)


def _without_notes(fields: pl.DataFrame) -> pl.DataFrame:
    return fields.drop(NOTES, strict=False)


def identify(frames: Iterable[pl.DataFrame], attempt: Attempt) -> Iterator[pl.DataFrame]:
    """Rows with key and hash, and with order and scope where each row has its own."""
    statement = attempt.statement
    for frame in frames:
        hashes = row_hashes(frame, attempt.types)
        identified = frame.with_columns(_keys(frame, hashes, attempt), hashes)
        if statement.order_column:
            identified = identified.with_columns(row_orders(frame[statement.order_column]))
        if statement.scope_column:
            identified = identified.with_columns(canonical(frame[statement.scope_column]).alias("_scope"))
        yield identified


def _keys(frame: pl.DataFrame, hashes: pl.Series, attempt: Attempt) -> pl.Series:
    match attempt.declaration.identity:
        case "key":
            return keys(frame, attempt.declaration.key)
        case "line":
            return line_keys(frame["_line"], attempt.file.file_id)
        case "content":
            return content_keys(hashes)


def reread(source: BinaryIO, attempt: Attempt, lines: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Raw text (line, raw) and fields of the rows that start at these lines, in file order; reads the file again."""
    reader = CsvReader(source)
    raw, fields = [pl.DataFrame(schema={"line": pl.Int64, "raw": pl.String})], []
    for block in reader.blocks(_match(reader.header, attempt).names):
        rows = block.frame["_line"].is_in(lines.implode()).arg_true()
        if rows.len():
            raw.append(pl.DataFrame({"line": block.frame["_line"].gather(rows), "raw": block.raw(rows)}))
            fields.append(_without_notes(_as_sent(block, attempt).frame[rows]))
    return pl.concat(raw), pl.concat(fields)
