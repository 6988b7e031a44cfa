"""Rows that the declaration allows to mend: each is taken with what it took, or stays the reject that it is."""

import re
from dataclasses import dataclass

import numpy as np
import polars as pl
from waybill_contracts.format import Repair

from records.block import no_repairs
from records.csv.layout import Layout
from records.text_views import Positions

MENDED_BY: dict[str, Repair] = {
    "too_few_fields": "missing_fields",
    "too_many_fields": "empty_extra_fields",
    "text_after_quote": "stray_quotes",
    "quote_in_field": "stray_quotes",
    "invalid_utf8": "invalid_bytes",
    "bare_carriage_return": "control_characters",
    "nul": "control_characters",
}
"""What is not here is never mended."""
RAGGED = ("too_few_fields", "too_many_fields")

_BARE_RETURN = re.compile(rb"\r(?!\n)")

Values = list[str | None]


@dataclass(frozen=True)
class Mended:
    """Records that are rows after all."""

    ragged: Positions
    """Fields that they lack are null, and those behind the last column are empty."""
    others: Positions
    values: list[Values]
    """Of the others."""
    repairs: pl.DataFrame
    """`row` (number of the record) and `repair`."""

    @property
    def records(self) -> Positions:
        return np.concatenate((self.ragged, self.others))


def mend(layout: Layout, found: pl.DataFrame, width: int) -> Mended:
    """Mend what may be mended of these faults (`row`, `code`); `width` is the number of columns."""
    allowed = layout.piece.dialect.repair
    code = pl.col("code")
    mendable = code.replace_strict(MENDED_BY, default=None).is_in(allowed).fill_null(value=False)
    told = found.group_by("row").agg(mendable=mendable.all(), ragged=code.is_in(RAGGED).all()).filter("mendable")
    ragged = np.sort(told.filter("ragged")["row"].to_numpy())
    ragged = ragged[_has_empty_end(layout, ragged, width)]
    is_short = layout.field_counts[ragged] < width
    names = pl.Series(np.where(is_short, "missing_fields", "empty_extra_fields").astype(object), dtype=pl.String)
    mender = _Mender(layout, width)
    others = [(record, mended) for record in told.filter(~pl.col("ragged"))["row"] if (mended := mender.mend(record))]
    repairs = [(record, repair) for record, (_, took) in others for repair in took]
    return Mended(
        ragged=ragged,
        others=np.array([record for record, _ in others], np.int64),
        values=[values for _, (values, _) in others],
        repairs=pl.concat(
            [
                pl.DataFrame({"row": pl.Series(ragged, dtype=pl.Int64), "repair": names}),
                pl.DataFrame(repairs, schema={"row": pl.Int64, "repair": pl.String}, orient="row"),
            ]
        ),
    )


def repairs_of(mended: Mended, lines: Positions) -> pl.DataFrame:
    """Line and repair, in the order of the file."""
    rows = mended.repairs.sort("row", maintain_order=True)
    return rows.select(pl.Series(lines).gather(rows["row"]).alias("line"), "repair").cast(no_repairs().schema)


def _has_empty_end(layout: Layout, records: Positions, width: int) -> np.ndarray:
    """Records without text behind the last column: only as many bytes as there are separators between fields."""
    counts = layout.field_counts[records]
    last = layout.separators[layout.first[records] + np.minimum(width, counts) - 1]
    is_empty: np.ndarray = (counts <= width) | (layout.ends[records] - last == counts - width)
    return is_empty


class _Mender:
    """Takes records apart one by one, as the lax grammar says."""

    def __init__(self, layout: Layout, width: int) -> None:
        self._layout = layout
        self._width = width
        self._dialect = layout.piece.dialect
        self._took: set[str] = set()
        """Also what no repair is for."""

    def mend(self, record: int) -> tuple[Values, list[str]] | None:
        """Values, and what it took; None where it takes more than is allowed."""
        self._took = set()
        start, end = int(self._layout.starts[record]), int(self._layout.ends[record])
        values: Values = []
        for found in self._dialect.grammar.lax_field.finditer(self._layout.piece.common, start, end):
            values.append(self._value(*found.span(1), *found.span(2 if found[1] else 3)))
            if not found[4]:
                break
        if len(values) < self._width:
            self._took.add("missing_fields")
            values += [None] * (self._width - len(values))
        elif len(values) > self._width and not any(value is not None for value in values[self._width :]):
            self._took.add("empty_extra_fields")
            del values[self._width :]
        if len(values) > self._width or not self._took <= {*self._dialect.repair}:
            return None
        return values, sorted(self._took)

    def _value(self, start: int, end: int, rest: int, rest_end: int) -> str | None:
        """Of a field with its quotes and what follows them, or of one without quotes at all."""
        data, quote = self._layout.piece.data, self._dialect.quote
        plain = data[rest:rest_end]
        if start >= 0:
            if plain:
                self._took.add("stray_quotes")
            return self._text(self._dialect.unescaped(data[start + 1 : end - 1])) + self._text(self._marked(plain))
        if quote and quote in plain:
            self._took.add("stray_quotes")
        plain = self._marked(plain)
        return self._text(plain if quote else self._dialect.unescaped(plain)) or None

    def _marked(self, plain: bytes) -> bytes:
        """With NUL for each carriage return that ends no line."""
        if self._dialect.line_end == "cr" and b"\n" in plain:
            self._took.add("bare_line_feed")
        return _BARE_RETURN.sub(b"\0", plain) if self._dialect.line_end == "lf" else plain

    def _text(self, data: bytes) -> str:
        # What is left out must not bring bytes together that are text only then: so it is left out last.
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._took.add("invalid_bytes")
            text = data.decode(errors="replace")
        if "\0" in text:
            self._took.add("control_characters")
            text = text.replace("\0", "")
        return text
