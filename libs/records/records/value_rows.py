"""Blocks of formats whose values have types: their texts, and each row as one JSON object where it has to be shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
import polars as pl

from records.arrow_texts import Texts
from records.block import Block
from records.csv.reader import Limits
from records.rejects import collect, faults, no_rejects

FIELD_BYTES = Limits().field_bytes
NO_NUMBERS = ("NaN", "inf", "-inf")


@dataclass(frozen=True)
class ValueRows:
    """Rows by the texts of their values; `literals` are the columns whose texts are JSON."""

    texts: pl.DataFrame
    header: Mapping[str, str]
    """By its name what each column is called in the file."""
    literals: frozenset[str]

    def raw(self, rows: pl.Series) -> pl.Series:
        """Each as one JSON object, its numbers as they are in the rows."""
        shown = [self._object(row) for row in self.texts[rows].iter_rows(named=True)]
        return pl.Series(shown, dtype=pl.String)

    def spans(self, rows: pl.Series) -> pl.DataFrame:
        """Nulls: no row stands in one place of the file."""
        return pl.DataFrame({"start": [None] * len(rows), "size": [None] * len(rows)}, schema=SPANS)

    def longer_than(self, size: int) -> pl.Series:
        """Rows whose texts have more than `size` bytes."""
        sizes = self.texts.select(pl.sum_horizontal(pl.all().str.len_bytes().cast(pl.Int64))).to_series()
        return (sizes > size).arg_true().cast(pl.Int64)

    def _object(self, row: Mapping[str, str | None]) -> str:
        members = (f"{_quoted(self.header[name])}:{self._value(name, text)}" for name, text in row.items())
        return f"{{{','.join(members)}}}"

    def _value(self, name: str, text: str | None) -> str:
        if text is None:
            return "null"
        return text if name in self.literals and text not in NO_NUMBERS else _quoted(text)


SPANS = pl.Schema([("start", pl.Int64()), ("size", pl.Int64())])


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def block_of(lines: pl.Series, names: Sequence[str], header: Sequence[str], columns: Sequence[Texts]) -> Block:
    """The rows of these lines; those with a fault are rejects."""
    texts = pl.DataFrame([made.texts.alias(name) for name, made in zip(names, columns, strict=True)])
    literals = frozenset(name for name, made in zip(names, columns, strict=True) if made.is_literal)
    rows = ValueRows(texts, dict(zip(names, header, strict=True)), literals)
    found = [fault for made in columns for fault in made.found]
    found += [fault for name in names for fault in _long(name, texts[name])]
    moments = {name: made.moments for name, made in zip(names, columns, strict=True) if made.moments is not None}
    lines = lines.alias("_line")
    if not found:
        return Block(texts.hstack([lines]), no_rejects(), rows, moments=moments)
    wrong, rejects = collect(found, lines, rows)
    good = pl.Series([True]).new_from_index(0, len(texts)).scatter(wrong, False)
    kept = texts.filter(good)
    moments = {name: is_moment.filter(good) for name, is_moment in moments.items()}
    return Block(kept.hstack([lines.filter(good)]), rejects, ValueRows(kept, rows.header, literals), moments=moments)


def _long(name: str, texts: pl.Series) -> list[pl.DataFrame]:
    long = (texts.str.len_bytes() > FIELD_BYTES).fill_null(value=False)
    if not long.any():
        return []
    return [faults(long.arg_true(), "field_too_long", f"{name}: a value of more than {FIELD_BYTES} bytes", name)]
