"""Bytes to identified rows, a block at a time: nothing is read before somebody asks for the next block."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

import polars as pl
from records.columns import canonical
from records.csv import CsvReader
from records.csv_split import Block
from records.header import match
from records.infer import infer, infer_columns
from records.judge import judge
from records.key import content_keys, keys, line_keys
from records.order import row_orders
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
    found = match(reader.header, attempt.declaration)
    if not is_tolerated(attempt.declaration, attempt.accepted, bool(found.unknown), bool(found.missing)):
        with attempt.content.open("rb") as again:
            added = infer_columns(again, attempt.declaration, found.unknown)
        samples = _samples(next(reader.blocks(found.names), None), found.unknown)
        raise judge_drift(attempt.declaration, found.missing, added, samples)
    for block in reader.blocks(found.names):
        yield _with_nulls(block, found.missing)
    reader.coverage.prove(attempt.file.size)


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
    key = attempt.declaration.key
    for block in blocks:
        judged = judge(block, attempt.declaration)
        attempt.rejects.add(judged.rejects)
        attempt.warnings.add(judged.warnings)
        if attempt.statement.speaks_for_absent and judged.rejected_keys.height:
            attempt.present.add(keys(judged.rejected_keys, key).to_frame())
        yield judged.frame


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


def raw_of_lines(source: BinaryIO, attempt: Attempt, lines: pl.Series) -> pl.DataFrame:
    """Raw text of the rows that start at these lines (line, raw), in file order; reads the file again."""
    reader = CsvReader(source)
    found = [pl.DataFrame(schema={"line": pl.Int64, "raw": pl.String})]
    for block in reader.blocks(match(reader.header, attempt.declaration).names):
        rows = block.frame["_line"].is_in(lines.implode()).arg_true()
        if rows.len():
            found.append(pl.DataFrame({"line": block.frame["_line"].gather(rows), "raw": block.raw(rows)}))
    return pl.concat(found)
