"""A file the whole way: unpacked, recognised, read, its rows judged; and what must be true of what comes out."""

import io
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

import polars as pl
from records.archives import read_archive
from records.block import Block
from records.contents import compression, readable, unpacked
from records.csv.reader import CsvReader
from records.errors import MAX_CHARACTERS, FileFault
from records.formats import Reader, open_reader
from records.header import business_names, match
from records.judge import judge
from records.recognise.recognition import recognise
from waybill_contracts import Declaration, Format

from tests.fuzz.cases import Case
from tests.fuzz.seeds import declaration

FEW_BYTES = 200_000
"""Only of so small files are both paths compared."""


class Broken(AssertionError):
    """What a reader said of a file cannot be true."""


def read_whole(case: Case) -> str:
    """What became of the file: read, in doubt, or the code with which it was refused; Broken where that is not true."""
    source = io.BytesIO(case.content)
    declared = declaration(case.format)
    outcomes = []
    try:
        for name, content in contents(source, case):
            outcomes.append(read_content(content, declared, name))
    except FileFault as fault:
        if not fault.code.isidentifier() or len(fault.message) < 10 or len(fault.message) > MAX_CHARACTERS:
            raise Broken(f"{fault.code!r} says {fault.message[:200]!r}") from fault
        return fault.code
    return max(outcomes, default="empty")


def contents(source: BinaryIO, case: Case) -> Iterator[tuple[str, BinaryIO]]:
    """What is packed in a file, or the file itself."""
    packed = compression(source, case.format)
    if packed == "zip":
        for entry in read_archive(source).entries:
            yield entry.name, unpacked(source, entry, tempfile.TemporaryFile)
    else:
        yield case.name, unpacked(source, packed, tempfile.TemporaryFile)


def read_content(content: BinaryIO, declared: Declaration, name: str) -> str:
    """One unpacked file."""
    found = recognise(content, declared, name)
    content.seek(0)
    names = tuple(declared.columns)
    reader = open_reader(readable(content, found.format), found.format, names)
    rows = read_rows(reader, declared)
    if found.format.type in ("csv", "tsv") and isinstance(content, io.BytesIO) and len(content.getvalue()) < FEW_BYTES:
        compare_paths(content, found.format, names, rows)
    return "read" if found.is_certain else "in_doubt"


def read_rows(reader: Reader, declared: Declaration) -> list[pl.DataFrame]:
    """The rows of every block, judged too, and its rejects; every byte of the file was one thing or another."""
    matched = match(reader.header, declared)
    names = matched.names if matched.is_exact else business_names(reader.header)
    kept, last = [], 0
    for block in reader.blocks(names):
        check_block(block, last)
        last = max([last, *block.frame["_line"].tail(1), *block.rejects["line"].tail(1)])
        kept += [block.frame, block.rejects]
        if matched.is_exact:
            check_judged(block, declared)
    reader.prove()
    return kept


def check_block(block: Block, last: int) -> None:
    """Lines rise, rows and rejects stand apart, and rejects say what they are about."""
    lines, refused = block.frame["_line"], block.rejects["line"]
    every = pl.concat([lines, refused])
    if every.null_count() or not lines.is_sorted() or not refused.is_sorted() or every.n_unique() != len(every):
        raise Broken(f"lines {lines.to_list()[:20]} of rows and {refused.to_list()[:20]} of rejects")
    if len(every) and every.min() <= last:
        raise Broken(f"a block goes on at line {every.min()} after line {last}")
    told = block.rejects.select("codes", "reasons", "columns").select(pl.all().list.len())
    if told.height and (told.min_horizontal().min() == 0 or not (told["codes"] == told["reasons"]).all()):
        raise Broken("a reject has no reason")
    if block.rejects["raw"].null_count() or block.raw(range(block.frame.height)).null_count():
        raise Broken("a row has no raw text")
    if len(mended := block.repairs) and not mended["line"].is_in(lines.implode()).all():
        raise Broken("a row that is not there was mended")


def check_judged(block: Block, declared: Declaration) -> None:
    """Each row is taken or rejected, once."""
    judged = judge(block, declared)
    count = judged.frame.height + judged.rejects.height
    if count != block.frame.height + block.rejects.height:
        raise Broken(f"{block.frame.height} rows and {block.rejects.height} rejects became {count}")


def compare_paths(content: io.BytesIO, found: Format, names: tuple[str, ...], fast: list[pl.DataFrame]) -> None:
    """The exact path gives what the fast one gave."""
    exact = CsvReader.of_format(readable(content, found), found, names, exact=True)
    columns = fast[0].columns[:-1] if fast else None
    frames = [frame for block in exact.blocks(columns) for frame in (block.frame, block.rejects)]
    for one, other in zip(fast, frames, strict=True):
        if not one.equals(other):
            raise Broken("the fast path and the exact path differ")
