"""Bytes to identified rows, a block at a time: nothing is read before somebody asks for the next block."""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import polars as pl
from records.csv import CsvReader
from records.csv_split import Block
from records.header import match
from records.judge import judge
from records.row_hash import add_identity
from waybill_contracts import Declaration

from ingestor.files.spool import RejectSpool


def read(source: BinaryIO, size: int, declaration: Declaration) -> Iterator[Block]:
    """The file's records as text columns with line numbers; every byte of it is accounted for."""
    reader = CsvReader(source)
    yield from reader.blocks(match(reader.header, declaration))
    reader.coverage.prove(size)


def type_and_judge(blocks: Iterable[Block], declaration: Declaration, rejects: RejectSpool) -> Iterator[pl.DataFrame]:
    """Rows that are of the declared types and satisfy the rules; the others are rejects."""
    for block in blocks:
        judged = judge(block, declaration)
        rejects.add(judged.rejects)
        yield judged.frame


def identify(frames: Iterable[pl.DataFrame], key: tuple[str, ...], types: dict[str, str]) -> Iterator[pl.DataFrame]:
    """Rows with key and hash."""
    for frame in frames:
        yield add_identity(frame, key, types)


def raw_of_lines(source: BinaryIO, declaration: Declaration, lines: pl.Series) -> pl.DataFrame:
    """Raw text of the rows that start at these lines (line, raw), in file order; reads the file again."""
    reader = CsvReader(source)
    found = [pl.DataFrame(schema={"line": pl.Int64, "raw": pl.String})]
    for block in reader.blocks(match(reader.header, declaration)):
        rows = block.frame["_line"].is_in(lines.implode()).arg_true()
        if rows.len():
            found.append(pl.DataFrame({"line": block.frame["_line"].gather(rows), "raw": block.raw(rows)}))
    return pl.concat(found)
