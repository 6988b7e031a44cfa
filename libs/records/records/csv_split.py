"""From whole records to text columns, line numbers and rejects."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from records.block import Block
from records.csv_faults import record_faults
from records.csv_layout import Layout, Piece, ranges
from records.csv_scan import QUOTE
from records.rejects import collect, no_rejects
from records.text_views import Mask, Positions, TextViews


@dataclass(frozen=True)
class CsvOrigin:
    """Where rows stand in a piece of CSV."""

    layout: Layout
    records: Positions
    """Of each row, the number of its record in the layout."""

    def raw(self, rows: pl.Series) -> pl.Series:
        """Text of these rows as it stands in the file, without line end."""
        return self.layout.raw(self.records[rows.to_numpy()])

    def spans(self, rows: pl.Series) -> pl.DataFrame:
        """Where they stand in the file, line end included."""
        records = self.records[rows.to_numpy()]
        starts = self.layout.starts[records] + self.layout.piece.offset
        return pl.DataFrame({"start": starts, "size": self.layout.extents[records]})

    def longer_than(self, size: int) -> pl.Series:
        """Rows that take more than `size` bytes in the file."""
        return pl.Series(np.flatnonzero(self.layout.extents.take(self.records) > size))


@dataclass(frozen=True)
class Sizes:
    """Bytes of a piece by what they were."""

    records: int
    blank: int
    rejected: int


def split(piece: Piece, names: Sequence[str], field_bytes: int) -> tuple[Block, Sizes]:
    """Take whole records apart; a record with a fault becomes a reject and changes no other."""
    layout = Layout(piece)
    found, rejects = record_faults(layout, len(names), field_bytes), no_rejects()
    is_rejected = np.zeros(len(layout.starts), bool)
    if found:
        everything = CsvOrigin(layout, np.arange(len(layout.starts)))
        faulty, rejects = collect(found, pl.Series(layout.lines), everything)
        is_rejected[faulty.to_numpy()] = True
    is_row = ~(is_rejected | layout.is_blank)
    records = np.flatnonzero(is_row)
    line = pl.Series("_line", layout.lines[records], pl.Int64)
    frame = pl.DataFrame([*_columns(layout, records, names), line])
    block = Block(frame, rejects, CsvOrigin(layout, records))
    return block, Sizes(*(int(layout.extents[kind].sum()) for kind in (is_row, layout.is_blank, is_rejected)))


def _columns(layout: Layout, records: Positions, names: Sequence[str]) -> list[pl.Series]:
    starts, ends = layout.fields(records, len(names))
    present: Mask = ends > starts
    extra = b""
    if layout.quotes.size:
        # An empty field is null unless it is quoted.
        quoted = (layout.bytes.take(starts) == QUOTE) & present
        starts += quoted
        ends -= quoted
        extra = _undoubled(layout, records, starts, ends)
    views = TextViews(layout.piece.data + extra)
    return [
        views.texts(starts[number], ends[number], None if present[number].all() else present[number]).alias(name)
        for number, name in enumerate(names)
    ]


def _undoubled(layout: Layout, records: Positions, starts: Positions, ends: Positions) -> bytes:
    """Texts with one quote for each doubled one, to stand behind the piece; their fields are moved there."""
    doubled, columns = layout.doubled_quotes()
    rows = np.searchsorted(records, doubled)
    is_row = np.isin(doubled, records) if len(records) < len(layout.starts) else np.ones(len(rows), bool)
    fields, counts = np.unique(columns[is_row] * len(records) + rows[is_row], return_counts=True)
    if not fields.size:
        return b""
    taken = ranges(starts.ravel()[fields], ends.ravel()[fields])
    lengths = ends.ravel()[fields] - starts.ravel()[fields] - counts
    ends.ravel()[fields] = len(layout.piece.data) + lengths.cumsum()
    starts.ravel()[fields] = ends.ravel()[fields] - lengths
    # Quotes stand in pairs in each of these texts, so they do in all of them joined.
    return layout.original[taken].tobytes().replace(b'""', b'"')
