"""From whole records to text columns, line numbers and rejects."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from records.block import Block
from records.csv.dialect import QUOTE, ranges
from records.csv.doubt import Doubt
from records.csv.faults import FaultFinder
from records.csv.input import Limits
from records.csv.layout import Layout, Sizes
from records.csv.mend import Mended, mend, repairs_of
from records.errors import FileFault
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
        starts = self.layout.starts[records]
        bounds = self.layout.sent(np.concatenate((starts, starts + self.layout.extents[records])))
        start, end = bounds[: len(records)], bounds[len(records) :]
        return pl.DataFrame({"start": start, "size": end - start})

    def longer_than(self, size: int) -> pl.Series:
        """Rows that take more than `size` bytes in the file."""
        return pl.Series(np.flatnonzero(self.layout.extents.take(self.records) > size))


def split(layout: Layout, names: Sequence[str], limits: Limits, doubt: Doubt | None = None) -> tuple[Block, Sizes]:
    """Take whole records apart; a record with a fault becomes a reject, or is mended, and changes no other."""
    _require_short(layout, limits.record_bytes)
    found = FaultFinder(layout, names, limits.field_bytes).find()
    if doubt:
        doubt.follow(layout, np.concatenate([np.empty(0, np.int64), *(fault["row"].to_numpy() for fault in found)]))
    mended = mend(layout, pl.concat(found), len(names)) if found and layout.piece.dialect.repair else None
    if mended:
        found = [fault.filter(~pl.col("row").is_in(mended.records.tolist())) for fault in found]
    rejects, is_rejected = no_rejects(), np.zeros(len(layout.starts), bool)
    if any(fault.height for fault in found):
        everything = CsvOrigin(layout, np.arange(len(layout.starts)))
        faulty, rejects = collect(found, pl.Series(layout.lines), everything)
        is_rejected[faulty.to_numpy()] = True
    is_row = layout.is_spoken & ~is_rejected
    if mended:
        block = _with_mended(layout, is_row, mended, names, rejects)
    else:
        records = np.flatnonzero(is_row)
        block = Block(_frame(layout, records, names), rejects, CsvOrigin(layout, records))
    return block, layout.sizes(is_rejected if rejects.height else None)


def _with_mended(layout: Layout, is_row: Mask, mended: Mended, names: Sequence[str], rejects: pl.DataFrame) -> Block:
    """The block with its mended rows where they stand in the file."""
    records = np.flatnonzero(is_row)
    is_row[mended.others] = False
    cut = np.flatnonzero(is_row)
    schema = dict.fromkeys(names, pl.String)
    made = pl.DataFrame(mended.values, schema, orient="row").with_columns(_line=pl.Series(layout.lines[mended.others]))
    frame = pl.concat([_frame(layout, cut, names), made])
    order = np.argsort(np.concatenate((cut, mended.others)))
    return Block(frame[order], rejects, CsvOrigin(layout, records), repairs_of(mended, layout.lines))


def _frame(layout: Layout, records: Positions, names: Sequence[str]) -> pl.DataFrame:
    line = pl.Series("_line", layout.lines[records], pl.Int64)
    return pl.DataFrame([*_columns(layout, records, names), line])


def _require_short(layout: Layout, most: int) -> None:
    if len(layout.piece.data) <= most:
        return
    sizes = layout.ends - layout.starts
    if (long := np.flatnonzero(sizes > most)).size:
        line, size = layout.lines[long[0]], sizes[long[0]]
        text = f"the record that starts on line {line} has {size} bytes, at most {most} are possible"
        raise FileFault("record_too_long", text)


def _columns(layout: Layout, records: Positions, names: Sequence[str]) -> list[pl.Series]:
    starts, ends = layout.fields(records, len(names))
    present: Mask = ends > starts
    extra = b""
    if layout.quotes.size:
        # An empty field is null unless it is quoted.
        quoted = (layout.bytes.take(starts) == QUOTE) & present
        starts += quoted
        ends -= quoted
    if layout.quotes.size or layout.piece.dialect.escape:
        extra = _unescaped(layout, records, starts, ends)
    views = TextViews(layout.piece.data + extra)
    return [
        views.texts(starts[number], ends[number], None if present[number].all() else present[number]).alias(name)
        for number, name in enumerate(names)
    ]


def _unescaped(layout: Layout, records: Positions, starts: Positions, ends: Positions) -> bytes:
    """Texts without what is left out of them, to stand behind the piece; their fields are moved there."""
    left_out = layout.left_out()
    found, columns = layout.fields_of(left_out)
    rows = np.searchsorted(records, found)
    is_row = np.isin(found, records) if len(records) < len(layout.starts) else np.ones(len(rows), bool)
    fields, counts = np.unique(columns[is_row] * len(records) + rows[is_row], return_counts=True)
    if not fields.size:
        return b""
    taken = ranges(starts.ravel()[fields], ends.ravel()[fields])
    lengths = ends.ravel()[fields] - starts.ravel()[fields] - counts
    ends.ravel()[fields] = len(layout.piece.data) + lengths.cumsum()
    starts.ravel()[fields] = ends.ravel()[fields] - lengths
    if layout.piece.dialect.escape:
        is_kept = np.ones(len(layout.original), bool)
        is_kept[left_out] = False
        return layout.original[taken[is_kept[taken]]].tobytes()
    # Quotes stand in pairs in each of these texts, so they do in all of them joined.
    quote = layout.piece.dialect.quote
    return layout.original[taken].tobytes().replace(quote * 2, quote)
