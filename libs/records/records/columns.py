"""What the declared types are in Polars, and the one text each of their values has (design.md 13)."""

import re
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from records.pieces import block_values, filled, memory_of

DECIMAL = re.compile(r"^decimal\((\d+),(\d+)\)$")
TIMESTAMP = pl.Datetime("ms", "UTC")
MICROSECONDS = pl.Datetime("us", "UTC")
DAY = 86_400_000
FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # 0001-01-01 and 9999-12-31, counted from 1970-01-01
_WHOLE_SECONDS = [("day", "S10"), ("t", "S1"), ("time", "S8"), ("dot", "S1")]
STAMP = np.dtype([*_WHOLE_SECONDS, ("rest", "S4")])
LONG_STAMP = np.dtype([*_WHOLE_SECONDS, ("millis", "S3"), ("rest", "S4")])
SIMPLE: dict[str, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "float": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    "timestamp": TIMESTAMP,
    "timestamp(6)": MICROSECONDS,
    "json": pl.String(),
}


def dtype(type_name: str) -> pl.DataType:
    """The Polars type that holds values of a declared type."""
    if match := DECIMAL.match(type_name):
        return pl.Decimal(int(match[1]), int(match[2]))
    return SIMPLE[type_name]


def check_types(frame: pl.DataFrame, types: dict[str, str]) -> None:
    """Raise TypeError when a business column is not of its declared type."""
    wrong = [
        f"{name} is {frame[name].dtype}, not {kind}" for name, kind in types.items() if frame[name].dtype != dtype(kind)
    ]
    if wrong:
        raise TypeError("; ".join(wrong))


def canonical(series: pl.Series) -> pl.Series:
    """The canonical text of each value; null stays null."""
    match series.dtype:
        case pl.String():
            return series
        case pl.Float64():
            return _float_texts(series)
        case pl.Datetime(time_unit="us"):
            return _microsecond_texts(series)
        case pl.Datetime():
            return _timestamp_texts(series)
        case pl.Date():
            return _restored(_day_texts(filled(series, pl.Int32)), series)
        case _:
            return series.cast(pl.String)


def _float_texts(series: pl.Series) -> pl.Series:
    """Shortest text that reads back the same, in Python's notation; zero has no sign."""
    texts = pl.select(pl.when(series == 0).then(0.0).otherwise(series).alias(series.name)).to_series().cast(pl.String)
    # Libraries agree on the digits, and on the notation only where no exponent is in sight.
    odd = (series != 0) & ~series.abs().is_between(1e-4, 1e16, closed="left")
    if not odd.any():
        return texts
    rows = odd.fill_null(value=False).arg_true()
    return texts.scatter(rows, [repr(value) for value in series.gather(rows)])


def _timestamp_texts(series: pl.Series) -> pl.Series:
    stamps, millis = _stamps(filled(series, pl.Int64), 1000, STAMP)
    stamps["rest"] = _thousandths()[millis]
    return _restored(stamps, series)


def _microsecond_texts(series: pl.Series) -> pl.Series:
    stamps, micros = _stamps(filled(series, pl.Int64), 1_000_000, LONG_STAMP)
    millis = micros // 1000
    stamps["millis"], stamps["rest"] = _thousandths()[millis], _thousandths()[micros - millis * 1000]
    return _restored(stamps, series)


def _stamps(
    moments: npt.NDArray[np.int64], parts: int, kind: np.dtype[np.void]
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.int32 | np.int64]]:
    """Moments, counted in such parts of a second, but for the rest of their seconds, and that rest."""
    a_day = 86_400 * parts
    days = moments // a_day
    # Small numbers are divided faster.
    small: npt.DTypeLike = np.int32 if a_day < 1 << 31 else np.int64
    within: npt.NDArray[np.int32 | np.int64] = (moments - days * a_day).astype(small)
    seconds = within // parts
    stamps = np.empty(len(moments), kind)
    stamps["day"] = _day_texts(days.astype(np.int32))
    stamps["t"], stamps["dot"] = b"T", b"."
    stamps["time"] = _times_of_day()[seconds]
    return stamps, within - seconds * parts


def _day_texts(days: npt.NDArray[np.int32]) -> npt.NDArray[np.bytes_]:
    """YYYY-MM-DD of each day; neighbouring days are written once."""
    if not len(days):
        return np.empty(0, "S10")
    low, high = int(days.min()), int(days.max())
    if high - low > len(days):
        return _written_days(days)
    return _written_days(np.arange(low, high + 1, dtype=np.int32))[days - low]


def _written_days(days: npt.NDArray[np.int32]) -> npt.NDArray[np.bytes_]:
    texts = pl.Series(days).cast(pl.Date).cast(pl.String).to_arrow(compat_level=pl.CompatLevel.oldest())
    return memory_of(texts, 2, "S10")[: len(days)]


@cache
def _times_of_day() -> npt.NDArray[np.bytes_]:
    nanoseconds = pl.Series(np.arange(86_400, dtype=np.int64) * 1_000_000_000)
    texts = nanoseconds.cast(pl.Time).dt.to_string("%H:%M:%S").to_arrow(compat_level=pl.CompatLevel.oldest())
    return memory_of(texts, 2, "S8")[:86_400]


@cache
def _thousandths() -> npt.NDArray[np.bytes_]:
    return np.array([f"{millis:03d}Z" for millis in range(1000)], "S4")


def _restored(texts: npt.NDArray[np.void] | npt.NDArray[np.bytes_], series: pl.Series) -> pl.Series:
    """Texts of one width as a series with the nulls of `series`."""
    block = np.ascontiguousarray(texts).view(np.uint8).reshape(len(texts), texts.dtype.itemsize)
    values = block_values(block)
    written = pa.Array.from_buffers(pa.large_string(), len(texts), values.buffers())
    result = pl.Series(series.name, written, dtype=pl.String)
    if not series.null_count():
        return result
    return result.zip_with(series.is_not_null(), pl.Series([None], dtype=pl.String).new_from_index(0, len(series)))
