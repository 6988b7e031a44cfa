"""What readers of all formats give: rows as text columns, and the rows that could not be told apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

REPAIRS = pl.Schema([("line", pl.Int64()), ("repair", pl.String())])


def no_repairs() -> pl.DataFrame:
    """An empty frame of repairs."""
    return pl.DataFrame(schema=REPAIRS)


class Origin(Protocol):
    """Where the rows of a block stand in their file, by their numbers in its frame."""

    def raw(self, rows: pl.Series) -> pl.Series:
        """Text of these rows as it stands in the file, without line end."""

    def spans(self, rows: pl.Series) -> pl.DataFrame:
        """`start` and `size` in bytes of the (unpacked) file, line end included; null where a format has no such."""

    def longer_than(self, size: int) -> pl.Series:
        """Rows that take more than `size` bytes in the file."""


@dataclass(frozen=True)
class Block:
    """Rows of a part of the file as text columns and `_line`, and its structural rejects."""

    frame: pl.DataFrame
    rejects: pl.DataFrame
    origin: Origin
    repairs: pl.DataFrame = field(default_factory=no_repairs)
    """What was mended in rows of `frame`: `line` and `repair`, several for a row where it took several."""
    moments: Mapping[str, pl.Series] = field(default_factory=dict)
    """By column the rows of `frame` whose value is a date or time in the file itself, and so in no written format."""

    def raw(self, rows: pl.Series | Sequence[int]) -> pl.Series:
        """Text of these rows (numbers in `frame`) as it stands in the file, without line end."""
        return self.origin.raw(pl.Series(rows, dtype=pl.Int64))

    def longer_than(self, size: int) -> pl.Series:
        """Rows (numbers in `frame`) that take more than `size` bytes in the file."""
        return self.origin.longer_than(size)


@dataclass(frozen=True)
class KeptTexts:
    """Of formats that are read value by value: the text of each row is kept beside it."""

    texts: pl.Series
    starts: pl.Series
    sizes: pl.Series

    def raw(self, rows: pl.Series) -> pl.Series:
        """Text of these rows."""
        return self.texts.gather(rows)

    def spans(self, rows: pl.Series) -> pl.DataFrame:
        """Where they stand."""
        return pl.DataFrame({"start": self.starts.gather(rows), "size": self.sizes.gather(rows)})

    def longer_than(self, size: int) -> pl.Series:
        """Rows that take more than `size` bytes."""
        return (self.sizes > size).arg_true().cast(pl.Int64)
