"""Values of Arrow as texts: each the canonical text (records.columns) of the type that it would be declared as.

| Arrow | text | refused |
|---|---|---|
| integers, booleans | canonical | |
| decimals | with the fraction digits of their scale | |
| floats | shortest that reads back, of their own width | NaN, Infinity: not_finite |
| dates | YYYY-MM-DD | years other than 0001 to 9999: out_of_range |
| timestamps | YYYY-MM-DDTHH:MM:SS.mmm, or .uuuuuu where needed; `Z` if an instant | out_of_range; too_many_digits |
| times | HH:MM:SS, with .ffffff where needed | beyond a day: out_of_range; too_many_digits |
| bytes | the text whose UTF-8 they are | any others: invalid_utf8; nul |
| UUIDs | in groups of lower-case hex digits | |
| lists, structs, maps | canonical JSON (records.arrow_json) | |
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa
from polars.exceptions import ComputeError

from records.columns import FIRST_DAY, LAST_DAY, TIMESTAMP, canonical
from records.rejects import faults
from records.types import SHOWN_CHARACTERS

Values: TypeAlias = Any
"""An array of Arrow, of a type that is known only when it is read."""

PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
DAY_SECONDS = 86_400
FIRST_SECOND, LAST_SECOND = FIRST_DAY * DAY_SECONDS, (LAST_DAY + 1) * DAY_SECONDS - 1
TO_MILLISECONDS = len("2026-01-31T23:59:59.123")


@dataclass(frozen=True)
class Texts:
    """Texts of a column; where a fault is found, what of the value can be shown."""

    texts: pl.Series
    is_literal: bool = False
    """Each is also JSON as it stands, unless a fault is found."""
    found: list[pl.DataFrame] = field(default_factory=list)
    moments: pl.Series | None = None
    """Which are dates or times in the file itself; None: none are."""


@dataclass(frozen=True)
class Instants:
    """Whole seconds since 1970, and nanoseconds after them."""

    seconds: pl.Series
    nanoseconds: pl.Series
    suffix: str


def texts_of(name: str, values: Values) -> Texts:
    """Texts of a column without nested values; its name is that in reasons."""
    for is_of, texts in _READINGS:
        if is_of(values.type):
            return texts(name, values)
    return byte_texts(name, pl.Series(values))


def _null_texts(name: str, values: Values) -> Texts:
    return Texts(pl.Series([None], dtype=pl.String).new_from_index(0, len(values)))


def _plain_texts(name: str, values: Values) -> Texts:
    return Texts(pl.Series(values).cast(pl.String), is_literal=True)


def _uuid_texts(name: str, values: Values) -> Texts:
    identifiers = [each and str(uuid.UUID(bytes=each)) for each in values.storage.to_pylist()]
    return Texts(pl.Series(identifiers, dtype=pl.String))


def _decimal_texts(name: str, values: Values) -> Texts:
    return Texts(_pointed(values), is_literal=True)


def _pointed(values: Values) -> pl.Series:
    """The digits of an integer, with the point set among them: Arrow itself writes small ones as 1E-9."""
    kind = values.type
    whole = pa.decimal256(76, 0) if kind.bit_width == 256 else pa.decimal128(38, 0)
    digits = pl.Series(pa.Array.from_buffers(whole, len(values), values.buffers(), -1, values.offset).cast(pa.string()))
    if not kind.scale:
        return digits
    text = pl.col("digits")
    if kind.scale < 0:
        return (
            digits.to_frame("digits")
            .select(pl.when(text == "0").then(text).otherwise(text + "0" * -kind.scale))
            .to_series()
        )
    padded = text.str.strip_prefix("-").str.pad_start(kind.scale + 1, "0")
    sign = pl.when(text.str.starts_with("-")).then(pl.lit("-")).otherwise(pl.lit(""))
    pointed = sign + padded.str.head(-kind.scale) + "." + padded.str.tail(kind.scale)
    return digits.to_frame("digits").select(pointed).to_series()


def _float_texts(name: str, column: Values) -> Texts:
    values = pl.Series(column)
    if values.dtype == pl.Float16:
        values = _halves(values)
    elif values.dtype == pl.Float32:
        # The shortest digits of the narrow value are also those of the double next to them.
        values = values.cast(pl.String).cast(pl.Float64)
    wrong = (~values.is_finite()).fill_null(value=False)
    texts = canonical(values)
    if not wrong.any():
        return Texts(texts, is_literal=True)
    shown = pl.select(pl.when(wrong).then(values.cast(pl.String)).otherwise(texts)).to_series()
    return Texts(shown, True, [_fault(name, wrong, shown, "not_finite", "a finite number")])


def _halves(values: pl.Series) -> pl.Series:
    narrow = values.cast(pl.Float64).fill_null(0).to_numpy().astype(np.float16)
    distinct, rows = np.unique(narrow, return_inverse=True)
    wide = np.array([float(str(value)) for value in distinct], np.float64)[rows]
    return pl.select(pl.when(values.is_not_null()).then(pl.Series(wide, dtype=pl.Float64))).to_series()


def _day_texts(name: str, values: Values) -> Texts:
    days = pl.Series(values.cast(pa.int32())).cast(pl.Int64)
    wrong = ~days.is_between(FIRST_DAY, LAST_DAY)
    texts = canonical(_without(days, wrong).cast(pl.Int32).cast(pl.Date))
    return _ranged(name, texts, wrong, days.cast(pl.String) + " days after 1970-01-01")


def _timestamp_texts(name: str, values: Values) -> Texts:
    numbers, per = pl.Series(values.cast(pa.int64())), PER_SECOND[values.type.unit]
    seconds = numbers // per
    nanoseconds = (numbers - seconds * per) * (PER_SECOND["ns"] // per)
    return instant_texts(name, Instants(seconds, nanoseconds, "Z" if values.type.tz else ""))


def wrapped_instants(values: Values) -> Instants:
    """Of seconds and nanoseconds that count modulo 2^64, as INT96 comes."""
    seconds, nanoseconds = (pl.Series(part.cast(pa.int64())) for part in values.flatten())
    whole = seconds.fill_null(0).to_numpy().astype(np.uint64) * np.uint64(PER_SECOND["ns"])
    rest = nanoseconds.fill_null(0).to_numpy().astype(np.uint64) - whole
    return Instants(seconds, pl.Series(rest.astype(np.int64)), "Z" if values.type.field(0).type.tz else "")


def instant_texts(name: str, instants: Instants) -> Texts:
    """Timestamps, with as few fraction digits as they need: three or six."""
    seconds, nanoseconds = instants.seconds, instants.nanoseconds
    outside = ~seconds.is_between(FIRST_SECOND, LAST_SECOND)
    milliseconds = _without(seconds, outside) * 1000 + nanoseconds // 1_000_000
    texts = canonical(milliseconds.cast(TIMESTAMP)).str.head(TO_MILLISECONDS)
    rest = nanoseconds % 1_000_000
    if (rest != 0).any():
        digits = rest.cast(pl.String).str.zfill(6)
        more = pl.when(rest == 0).then(pl.lit("")).when(rest % 1000 == 0).then(digits.str.head(3)).otherwise(digits)
        texts = pl.select(pl.lit(texts) + more).to_series()
    texts += instants.suffix
    found = _ranged(name, texts, outside, seconds.cast(pl.String) + " seconds after 1970-01-01")
    return _precise(name, found, (rest % 1000 != 0) & ~outside)


def _time_texts(name: str, values: Values) -> Texts:
    kind = values.type
    numbers, per = pl.Series(values.cast(f"int{kind.bit_width}")).cast(pl.Int64), PER_SECOND[kind.unit]
    outside = ~numbers.is_between(0, DAY_SECONDS * per - 1)
    nanoseconds = _without(numbers, outside) * (PER_SECOND["ns"] // per)
    texts = nanoseconds.cast(pl.Time).dt.to_string("%H:%M:%S")
    rest = nanoseconds % PER_SECOND["ns"]
    if (rest != 0).any():
        digits = rest.cast(pl.String).str.zfill(9)
        shortened = pl.when(rest % 1000 == 0).then(digits.str.head(6)).otherwise(digits)
        texts = pl.select(pl.when(rest == 0).then(texts).otherwise(pl.lit(texts) + "." + shortened)).to_series()
    found = _ranged(name, texts, outside, numbers.cast(pl.String) + f"/{per} seconds after midnight", "00:00 to 24:00")
    return _precise(name, found, rest % 1000 != 0)


def byte_texts(name: str, values: pl.Series) -> Texts:
    """Texts whose UTF-8 these bytes are."""
    try:
        texts = values.cast(pl.String)
    except ComputeError:
        return _shown_bytes(name, values)
    return Texts(texts, found=nul_faults(name, texts))


def _shown_bytes(name: str, values: pl.Series) -> Texts:
    wrong = pl.Series([value is not None and not _is_utf8(value) for value in values], dtype=pl.Boolean)
    shown = [value if value is None else value.decode(errors="backslashreplace") for value in values]
    texts = pl.Series(shown, dtype=pl.String)
    return Texts(texts, found=[*nul_faults(name, texts), _fault(name, wrong, texts, "invalid_utf8", "UTF-8")])


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def nul_faults(name: str, texts: pl.Series) -> list[pl.DataFrame]:
    """A fault for each text that holds NUL."""
    wrong = texts.str.contains("\0", literal=True).fill_null(value=False)
    return [faults(wrong.arg_true(), "nul", f"{name}: NUL in a text", name)] if wrong.any() else []


def _without(values: pl.Series, wrong: pl.Series) -> pl.Series:
    return pl.select(pl.when(~wrong).then(values)).to_series() if wrong.any() else values


def _ranged(name: str, texts: pl.Series, wrong: pl.Series, shown: pl.Series, what: str = "years 0001 to 9999") -> Texts:
    if not wrong.any():
        return Texts(texts)
    texts = pl.select(pl.when(wrong).then(shown).otherwise(texts)).to_series()
    return Texts(texts, found=[_fault(name, wrong, texts, "out_of_range", what)])


def _precise(name: str, texts: Texts, wrong: pl.Series) -> Texts:
    if not wrong.any():
        return texts
    fault = _fault(name, wrong, texts.texts, "too_many_digits", "at most 6 fraction digits")
    return Texts(texts.texts, found=[*texts.found, fault])


def _fault(name: str, wrong: pl.Series, texts: pl.Series, code: str, expected: str) -> pl.DataFrame:
    rows = wrong.fill_null(value=False).arg_true()
    value = texts.gather(rows).str.slice(0, SHOWN_CHARACTERS)
    reasons = pl.select(pl.format('{}: expected {}, found "{}"', pl.lit(name), pl.lit(expected), value)).to_series()
    return faults(rows, code, reasons, name)


_READINGS: list[tuple[Callable[[Values], bool], Callable[[str, Values], Texts]]] = [
    (pa.types.is_null, _null_texts),
    (pa.types.is_integer, _plain_texts),
    (pa.types.is_boolean, _plain_texts),
    (pa.types.is_decimal, _decimal_texts),
    (pa.types.is_floating, _float_texts),
    (pa.types.is_date32, _day_texts),
    (pa.types.is_timestamp, _timestamp_texts),
    (pa.types.is_time, _time_texts),
    (lambda kind: isinstance(kind, pa.BaseExtensionType), _uuid_texts),
]
