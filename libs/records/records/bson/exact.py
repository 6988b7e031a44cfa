"""Versions of records from BSON documents of any layout, one by one: slow, exact, and the one that names the fault."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from math import isfinite
from typing import Any

import bson
import polars as pl
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.errors import BSONError
from bson.objectid import ObjectId

from records.bson.walk import DecodeFault
from records.columns import DAY, FIRST_DAY, LAST_DAY, TIMESTAMP, dtype
from records.digest import DIGEST_BYTES

OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
CANONICAL_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXACTLY = Context(prec=40, traps=[Inexact, InvalidOperation])

Convert = Callable[[Any], Any]


def decode_exactly(documents: Iterable[bytes], types: dict[str, str]) -> pl.DataFrame:
    """The versions in the documents, in their order; raises DecodeFault naming document and field."""
    read = [_read(number, document, types) for number, document in enumerate(documents)]
    data = [_column(name, [one["data"].get(name) for one in read], *_meaning(kind)) for name, kind in types.items()]
    system = [
        _column(name, [one.get(field) for one in read], convert, holds)
        for name, (field, convert, holds) in SYSTEM_FIELDS.items()
    ]
    # People are told; it is no part of what the version is.
    return pl.DataFrame([*data, *system]).drop("_repaired")


def _read(number: int, document: bytes, types: dict[str, str]) -> dict[str, Any]:
    """One document, with all the fields it must and none it may not have."""
    try:
        read = bson.decode(document, OPTIONS)
    except BSONError as fault:
        raise DecodeFault(f"document {number}: {fault}") from fault
    missing = [field for field in REQUIRED if read.get(field) is None]
    if missing or not isinstance(read["data"], dict):
        raise DecodeFault(f"document {number}: no {', '.join(missing) or 'fields in data'}")
    unknown = sorted((read.keys() - FIELDS) | (read["data"].keys() - types.keys()))
    if unknown:
        raise DecodeFault(f"document {number}: unknown fields {', '.join(unknown)}")
    return read


def _column(name: str, values: Sequence[Any], convert: Convert, holds: pl.DataType) -> pl.Series:
    found = []
    for number, value in enumerate(values):
        try:
            found.append(None if value is None else convert(value))
        except (TypeError, ValueError, ArithmeticError) as fault:
            raise DecodeFault(f"document {number}: {name}: a {type(value).__name__} that is no {holds}") from fault
    stored = pl.Int32() if holds == pl.Date() else pl.Int64() if isinstance(holds, pl.Datetime) else holds
    return pl.Series(name, found, dtype=stored).cast(holds)


def _meaning(kind: str) -> tuple[Convert, pl.DataType]:
    holds = dtype(kind)
    if isinstance(holds, pl.Decimal):
        precision, scale = holds.precision or 0, holds.scale
        return lambda value: _decimal(value, precision, scale), holds
    return CONVERSIONS[kind], holds


def _decimal(value: Any, precision: int, scale: int) -> Decimal:
    exact: Decimal = _only(value, Decimal128).to_decimal()
    if not exact.is_finite():
        raise ValueError(value)
    written = exact.quantize(Decimal(1).scaleb(-scale), context=EXACTLY)
    if len(written.as_tuple().digits) > precision:
        raise ValueError(value)
    return abs(written) if written == 0 else written


def _text(value: Any) -> str:
    return str(_only(value, str))


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in _only(value, list)]


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError(value)
    return int(_only(value, int))


def _float(value: Any) -> float:
    if not isfinite(_only(value, float)):
        raise ValueError(value)
    return float(value)


def _boolean(value: Any) -> bool:
    return bool(_only(value, bool))


def _millis(value: Any) -> int:
    millis = int(_only(value, DatetimeMS))
    if not FIRST_DAY <= millis // DAY <= LAST_DAY:
        raise ValueError(value)
    return millis


def _day(value: Any) -> int:
    day, rest = divmod(_millis(value), DAY)
    if rest:
        raise ValueError(value)
    return day


def _microsecond(value: Any) -> int:
    text = _text(value)
    if not CANONICAL_MOMENT.fullmatch(text):
        raise ValueError(value)
    since = datetime.fromisoformat(text) - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _id(value: Any) -> bytes:
    return bytes(_only(value, ObjectId).binary)


def _hash(value: Any) -> bytes:
    if type(value) is not bytes or len(value) != DIGEST_BYTES:  # other binary subtypes come as a subclass
        raise ValueError(value)
    return value


def _only(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(value)
    return value


CONVERSIONS: dict[str, Convert] = {
    "text": _text,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "date": _day,
    "timestamp": _millis,
    "timestamp(6)": _microsecond,
    "json": _text,
}
SYSTEM_FIELDS: dict[str, tuple[str, Convert, pl.DataType]] = {
    "_record": ("_id", _id, pl.Binary()),
    "_key": ("key", _text, pl.String()),
    "_version": ("version", _integer, pl.Int64()),
    "_change": ("change", _text, pl.String()),
    "_changed": ("changed", _texts, pl.List(pl.String)),
    "_hash": ("hash", _hash, pl.Binary()),
    "_previous_hash": ("previous_hash", _hash, pl.Binary()),
    "_prev": ("prev", _id, pl.Binary()),
    "_position": ("position", _integer, pl.Int64()),
    "_line": ("line", _integer, pl.Int64()),
    "_repaired": ("repaired", _texts, pl.List(pl.String)),
    "_at": ("at", _millis, TIMESTAMP),
}
REQUIRED = ("_id", "key", "version", "change", "position", "at", "data")
FIELDS = {field for field, _, _ in SYSTEM_FIELDS.values()} | {"data"}
