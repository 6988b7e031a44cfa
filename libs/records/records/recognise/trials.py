"""What a way to read gives for the beginning of a file, and how plausible that is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO

import polars as pl
from waybill_contracts import Declaration
from waybill_contracts.format import Format

from records.errors import FileFault
from records.formats import open_reader
from records.header import match

SHOWN_ROWS = 3
NAMES_WEIGHT = 0.75
"""What is taken from a score where columns are declared and the header has none of their names."""
ONE_COLUMN = 0.05
"""What a record of one field says of a delimiter: nearly nothing, since any other gives that too."""
BYTE_CODES = {"invalid_utf8", "invalid_bytes", "nul"}
"""Faults of rows that say nothing of the way to read them."""
_NUMBER = r"[+-]?(?:\d{1,3}(?:[ .,']\d{3})+|\d+)(?:[.,]\d+)?(?:[eE][+-]?\d+)?\s?[%€$£]?"
_MOMENT = r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?\s?(?:Z|[+-]\d{2}:?\d{2})?)?"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
VALUE = f"^(?:{_NUMBER}|{_MOMENT}|{_CLOCK}|(?i:true|false))$"
"""A number, date, time or boolean, as they are written in many countries."""
ODD = r"""[;,][^\s;,]|[;,]$|[\t|]|^["'].*["']$|^["']|\\["']"""
"""What stands in few texts, but in many fields that are two in truth, or whose quotes are not seen as such."""


@dataclass(frozen=True)
class Sample:
    """Whole lines from the beginning of a file, as UTF-8 where they are text."""

    data: bytes
    is_whole: bool
    """Nothing follows."""

    @property
    def lines(self) -> int:
        return max(self.data.count(b"\n"), self.data.count(b"\r"), 1)


@dataclass(frozen=True)
class Candidate:
    """A way to read the file, and what it gives for the sample."""

    format: Format
    score: float
    header: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    """The first few."""
    row_count: int
    faults: int
    """Records of the sample that would be rejects for their structure."""
    first_fault: int | None = None
    """Its line."""
    known: int = 0
    """How many declared columns the header has."""
    weight: float = 1.0
    """What of its plausibility is its score, for the names that the header has not."""
    frame: pl.DataFrame = field(default_factory=pl.DataFrame, repr=False, compare=False)

    def means(self, other: "Candidate") -> bool:
        """Whether both give the same rows and rejects."""
        same = (self.header, self.faults, self.row_count) == (other.header, other.faults, other.row_count)
        return same and self.frame.equals(other.frame)


def known_columns(header: Sequence[str], declaration: Declaration) -> tuple[int, int]:
    """How many of the declared columns the header has, and how many that files must have it lacks."""
    try:
        found = match(header, declaration)
    except FileFault:
        return 0, len(declaration.columns)
    return len(found.names) - len(found.unknown), len(found.missing)


def try_out(sample: Sample, file_format: Format, declaration: Declaration) -> Candidate | None:
    """What the sample is, read in this way; None where it does not even have a header."""
    names = [name for name, column in declaration.columns.items() if column.is_in_files]
    try:
        reader = open_reader(BytesIO(sample.data), file_format, names)
    except FileFault:
        return None
    header = list(reader.header)
    frames: list[pl.DataFrame] = []
    faulty: list[int] = []
    try:
        for block in reader.blocks([f"c{number}" for number in range(len(header))]):
            frames.append(block.frame.drop("_line"))
            faulty += _faulty_lines(block.rejects)
    except FileFault:
        # The sample may end inside of a record, the file may not.
        faulty += [reader.line] * sample.is_whole
    faults = len(faulty)
    frame = pl.concat(frames) if frames else pl.DataFrame()
    covered = min(1.0, (reader.line - 1) / sample.lines) if frame.height or faults else 1.0
    known, missing = known_columns(header, declaration) if file_format.header is not False else (len(names), 0)
    share = known / (known + missing) if known else 0.0
    plausible = plausibility(frame, len(header), faults) * covered
    weight = 1 - NAMES_WEIGHT * (1 - share) if names else 1.0
    shown = tuple(frame.head(SHOWN_ROWS).iter_rows())
    return Candidate(
        file_format,
        score=round(plausible * weight, 3),
        weight=weight,
        header=tuple(header),
        rows=shown,
        row_count=frame.height,
        faults=faults,
        first_fault=min(faulty, default=None),
        known=known,
        frame=frame,
    )


def _faulty_lines(rejects: pl.DataFrame) -> list[int]:
    """Lines of the records whose fault is not just a byte."""
    codes = zip(rejects["line"].to_list(), rejects["codes"].to_list(), strict=True)
    return [line for line, each in codes if not BYTE_CODES.issuperset(each)]


def plausibility(frame: pl.DataFrame, width: int, faults: int) -> float:
    """From 0 to 1: the share of records without a fault, times that of values of a type, more for more columns.

    As van den Burg, Nazábal and Sutton have it: Wrangling messy CSV files by detecting row and type patterns, 2019.
    """
    structure = frame.height / (frame.height + faults) if faults else 1.0
    columns = (width - 1) / width if width > 1 else ONE_COLUMN
    return structure * columns * typed_share(frame)


def typed_share(frame: pl.DataFrame) -> float:
    """Which share of values looks like one value each."""
    if not frame.height or not frame.width:
        return 1.0
    every = pl.concat([column.alias("value") for column in frame.iter_columns()])
    values = pl.DataFrame({"value": every})
    is_odd = pl.col("value").str.contains(ODD) & ~pl.col("value").str.contains(VALUE)
    return 1 - float(values.select(is_odd.fill_null(value=False).mean()).item())


def looks_like_values(candidate: Candidate) -> bool:
    """Whether the header is of the types that the rows below it are of, and not all of them are texts."""
    if not candidate.row_count:
        return False
    typed = [
        name for name, column in zip(candidate.header, candidate.frame.iter_columns(), strict=True) if _is_typed(column)
    ]
    return bool(typed) and all(re.fullmatch(VALUE, name) for name in typed)


def _is_typed(column: pl.Series) -> bool:
    values = column.drop_nulls()
    return values.len() > 0 and bool(values.str.contains(VALUE).all())
