"""What is wrong with the structure of records: each fault rejects its own record and no other."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from records.csv.dialect import BARE_LF, CR, LF
from records.csv.layout import Layout
from records.rejects import faults
from records.text_views import Positions

QUOTE_REASONS = {
    "text_after_quote": "text after the closing quote of a field",
    "quote_in_field": "a quote inside a field that is not quoted",
}


class FaultFinder:
    """Finds the faults of a layout's records, whose columns have these names."""

    def __init__(self, layout: Layout, names: Sequence[str], field_bytes: int) -> None:
        self._layout = layout
        self._names = pl.Series(names, dtype=pl.String)
        self._field_bytes = field_bytes
        starts = [fault.start for fault in layout.piece.quote_faults]
        self._quoted_badly = np.searchsorted(layout.starts, starts)

    def find(self) -> list[pl.DataFrame]:
        """Faults of structure; `row` is the number of the record."""
        layout, found = self._layout, self._byte_faults()
        if self._quoted_badly.size:
            found.append(self._quote_faults())
        ragged = (layout.field_counts != len(self._names)) & layout.is_spoken
        ragged[self._quoted_badly] = False
        if ragged.any():
            found.append(self._ragged(np.flatnonzero(ragged)))
        if layout.extents.max() > self._field_bytes:
            found.append(self._long_fields())
        return [fault for fault in found if len(fault)]

    def _quote_faults(self) -> pl.DataFrame:
        piece = self._layout.piece
        codes = pl.Series([fault.code for fault in piece.quote_faults])
        columns = [_count_fields(self._layout, fault.start, fault.at) for fault in piece.quote_faults]
        return faults(
            self._quoted_badly, codes, codes.replace_strict(QUOTE_REASONS), self._named(np.array(columns, np.int64))
        )

    def _ragged(self, records: Positions) -> pl.DataFrame:
        width = len(self._names)
        number = pl.Series(self._layout.field_counts[records])
        code = pl.when(number < width).then(pl.lit("too_few_fields")).otherwise(pl.lit("too_many_fields"))
        texts = pl.select(code=code, reason=pl.format("{} fields, expected {}", number, width))
        return faults(records, texts["code"], texts["reason"])

    def _long_fields(self) -> pl.DataFrame:
        layout = self._layout
        starts = np.concatenate(([0], layout.separators[:-1] + 1))
        ends = layout.separators.copy()
        ends[layout.first + layout.field_counts - 1] = layout.ends
        long = layout.separators[ends - starts > self._field_bytes]
        return self._at(long, "field_too_long", f"a field of more than {self._field_bytes} bytes ends")

    def _byte_faults(self) -> list[pl.DataFrame]:
        """Bare carriage returns or line feeds, NUL and invalid UTF-8."""
        layout, found = self._layout, []
        line_end = layout.piece.dialect.line_end
        if line_end == "lf" and b"\r" in layout.piece.data:
            is_bare = (layout.bytes[:-1] == CR) & (layout.bytes[1:] != LF)
            found.append(self._at_bare(np.flatnonzero(is_bare), "bare_carriage_return", "carriage return"))
        if line_end == "cr" and b"\n" in layout.piece.data:
            found.append(self._at_bare(np.flatnonzero(layout.bytes == BARE_LF), "bare_line_feed", "line feed"))
        if not layout.is_text:
            found.append(self._at(np.flatnonzero(layout.original == 0), "nul", "NUL"))
            high = np.flatnonzero(layout.original >= 0x80)
            suspects = np.unique(np.searchsorted(layout.line_ends, high))
            invalid = [at for record in suspects for at in _invalid_utf8(layout, record)]
            found.append(self._at(np.array(invalid, np.int64), "invalid_utf8", f"invalid {layout.piece.encoding}"))
        return found

    def _at_bare(self, positions: Positions, code: str, what: str) -> pl.DataFrame:
        if self._layout.quotes.size:
            positions = positions[np.searchsorted(self._layout.quotes, positions) & 1 == 0]
        return self._at(positions, code, f"{what} that ends no line")

    def _at(self, positions: Positions, code: str, what: str) -> pl.DataFrame:
        """A fault for each record that one of these bytes lies in, naming the first."""
        layout = self._layout
        nexts = np.searchsorted(positions, layout.starts)
        is_in = nexts < np.searchsorted(positions, layout.line_ends, side="right")
        if layout.piece.comments:
            is_in &= ~layout.is_comment
        firsts = positions[nexts[is_in]]
        records, columns = layout.fields_of(firsts)
        # Only where fields and columns are known to belong together.
        is_told = layout.field_counts[records] == len(self._names)
        is_told &= ~np.isin(records, self._quoted_badly)
        offsets = pl.Series(layout.sent(firsts))
        reasons = pl.select(pl.format(f"{what} at byte {{}} of the file", offsets)).to_series()
        return faults(records, code, reasons, self._named(np.where(is_told, columns, -1)))

    def _named(self, columns: Positions) -> pl.Series:
        number = pl.Series(columns)
        is_one = (number >= 0) & (number < len(self._names))
        return self._names.gather(number.set(~is_one, None))


def _count_fields(layout: Layout, start: int, end: int) -> int:
    """How many fields, each with its separator, lie between these positions."""
    common = layout.piece.common
    if common.find(b'"', start, end) < 0:
        return common.count(b",", start, end)
    return sum(1 for _ in layout.piece.dialect.grammar.field.finditer(common, start, end))


def _invalid_utf8(layout: Layout, record: int) -> list[int]:
    start = int(layout.starts[record])
    try:
        layout.piece.data[start : int(layout.ends[record])].decode()
    except UnicodeDecodeError as error:
        return [start + error.start]
    return []
