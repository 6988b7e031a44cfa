"""What is wrong with the structure of records: each fault rejects its own record and no other."""

import numpy as np
import polars as pl

from records.csv_layout import Layout
from records.csv_scan import CR, LF
from records.rejects import faults
from records.text_views import Positions

QUOTE_REASONS = {
    "text_after_quote": "text after the closing quote of a field",
    "quote_in_field": "a quote inside a field that is not quoted",
}


def record_faults(layout: Layout, width: int, field_bytes: int) -> list[pl.DataFrame]:
    """Faults of structure; `row` is the number of the record."""
    quote_faults = layout.piece.quote_faults
    faulty = np.searchsorted(layout.starts, [fault.start for fault in quote_faults])
    found = _byte_faults(layout)
    if faulty.size:
        codes = pl.Series([fault.code for fault in quote_faults])
        found.append(faults(faulty, codes, codes.replace_strict(QUOTE_REASONS)))
    ragged = (layout.field_counts != width) & ~layout.is_blank
    ragged[faulty] = False
    if ragged.any():
        found.append(_ragged(np.flatnonzero(ragged), layout.field_counts[ragged], width))
    if layout.extents.max() > field_bytes:
        found.append(_long_fields(layout, field_bytes))
    return [fault for fault in found if len(fault)]


def _ragged(records: Positions, counts: Positions, width: int) -> pl.DataFrame:
    number = pl.Series(counts)
    code = pl.when(number < width).then(pl.lit("too_few_fields")).otherwise(pl.lit("too_many_fields"))
    texts = pl.select(code=code, reason=pl.format("{} fields, expected {}", number, width))
    return faults(records, texts["code"], texts["reason"])


def _long_fields(layout: Layout, field_bytes: int) -> pl.DataFrame:
    starts = np.concatenate(([0], layout.separators[:-1] + 1))
    long = layout.separators[layout.separators - starts > field_bytes]
    return _at(layout, long, "field_too_long", f"a field of more than {field_bytes} bytes ends")


def _byte_faults(layout: Layout) -> list[pl.DataFrame]:
    """Bare carriage returns, NUL and invalid UTF-8."""
    data, found = layout.bytes, []
    if b"\r" in layout.piece.data:
        returns = np.flatnonzero(data == CR)
        returns = returns[data[returns + 1] != LF]
        bare = returns[np.searchsorted(layout.quotes, returns) & 1 == 0]
        found.append(_at(layout, bare, "bare_carriage_return", "carriage return that ends no line"))
    if not layout.is_text:
        found.append(_at(layout, np.flatnonzero(layout.original == 0), "nul", "NUL"))
        high = np.flatnonzero(layout.original >= 0x80)
        suspects = np.unique(np.searchsorted(layout.line_ends, high))
        invalid = [at for record in suspects for at in _invalid_utf8(layout, record)]
        found.append(_at(layout, np.array(invalid, np.int64), "invalid_utf8", "invalid UTF-8"))
    return found


def _at(layout: Layout, positions: Positions, code: str, what: str) -> pl.DataFrame:
    """A fault for each record that one of these bytes lies in, naming the first."""
    records, firsts = np.unique(np.searchsorted(layout.line_ends, positions), return_index=True)
    offsets = pl.Series(positions[firsts] + layout.piece.offset)
    return faults(records, code, pl.select(pl.format(f"{what} at byte {{}} of the file", offsets)).to_series())


def _invalid_utf8(layout: Layout, record: int) -> list[int]:
    start = int(layout.starts[record])
    try:
        layout.piece.data[start : int(layout.ends[record])].decode()
    except UnicodeDecodeError as error:
        return [start + error.start]
    return []
