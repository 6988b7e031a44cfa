"""A declared column: its type, what its values must satisfy, and where they come from."""

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from waybill_contracts.event import MAX_INTEGER, Text
from waybill_contracts.time_format import TIMESTAMPS, check_time_format, pieces_of

DECIMAL_TYPE = re.compile(r"decimal\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)", re.ASCII)
SIMPLE_TYPES = ("text", "integer", "float", "boolean", "date", "timestamp", "timestamp(6)", "json")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z", re.ASCII)
MICROSECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")
MAX_DECIMAL_DIGITS = 34
MAX_EXPONENT = 300

MAX_EXPRESSION = 1000
"""Characters of an expression of SQL."""

Limit = int | float | str
Expression = Annotated[Text, Field(min_length=1, max_length=MAX_EXPRESSION)]


def is_default(value: object) -> bool:
    """Fields that say nothing are left out of messages."""
    return not value and value != ""


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _plain_limit(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str | None):
        raise ValueError("expected a number, or a date or timestamp as text")
    return value


def _whole_number(value: Limit) -> Limit:
    if not isinstance(value, int) or abs(value) > MAX_INTEGER:
        raise ValueError("expected a whole number of 64 bits")
    return value


def _decimal_number(value: Limit) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > MAX_EXPONENT or len(str(value)) > MAX_EXPONENT:
        raise ValueError("expected a number")
    return number


def read_day(value: Limit) -> Limit:
    if isinstance(value, str) and len(value) == len("2026-01-31"):
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
    raise ValueError("expected a date as YYYY-MM-DD")


def read_instant(value: Limit) -> datetime:
    if isinstance(value, str) and TIMESTAMP.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("expected a timestamp as YYYY-MM-DDTHH:MM:SSZ, with up to three more digits")


def _read_microseconds(value: Limit) -> datetime:
    if isinstance(value, str) and MICROSECONDS.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("expected a timestamp as YYYY-MM-DDTHH:MM:SSZ, with up to six more digits")


_READERS: dict[str, Callable[[Limit], Any]] = {
    "integer": _whole_number,
    "float": _decimal_number,
    "date": read_day,
    "timestamp": read_instant,
    "timestamp(6)": _read_microseconds,
}


def _comparable(kind: str, value: Limit) -> Any:
    """The limit as something that limits of the same type can be compared with."""
    reader = _decimal_number if kind.startswith("decimal") else _READERS.get(kind)
    if reader is None:
        raise ValueError(f"expected no limit: values of type {kind} have none")
    return reader(value)


class Column(Strict):
    """A declared column: its type and what its values must satisfy; null passes all but `required`."""

    type: str = "text"
    required: bool = False
    minimum: Annotated[Limit | None, BeforeValidator(_plain_limit)] = None
    maximum: Annotated[Limit | None, BeforeValidator(_plain_limit)] = None
    one_of: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    pattern: Annotated[Text, Field(min_length=1, max_length=500)] | None = None
    max_length: Annotated[int, Field(ge=1, le=MAX_INTEGER)] | None = None
    optional: bool = Field(default=False, exclude_if=is_default)
    """A file may lack the column; its values are null then."""
    aliases: tuple[Text, ...] = Field(default=(), exclude_if=is_default)
    """Other names that files have for the column, in snake case."""
    format: Annotated[Text, Field(min_length=1, max_length=100)] | None = Field(default=None, exclude_if=is_default)
    """How dates and timestamps are written: `%d.%m.%Y` (time_format.py); left out: as ISO 8601 says."""
    zone: Annotated[Text, Field(min_length=1, max_length=64)] | None = Field(default=None, exclude_if=is_default)
    """Of timestamps that say none, as `Europe/Berlin`; left out: UTC."""
    null_values: Annotated[tuple[Text, ...], Field(max_length=50)] = Field(default=(), exclude_if=is_default)
    """Texts that stand for null in this column."""
    trim: bool = Field(default=False, exclude_if=is_default)
    """Blanks around a value are no part of it."""
    constant: Text | None = Field(default=None, exclude_if=is_default)
    """Not in the files: what every row has here."""
    derived: Expression | None = Field(default=None, exclude_if=is_default)
    """Not in the files: an expression over the columns that are."""

    @property
    def is_in_files(self) -> bool:
        return self.constant is None and self.derived is None

    @property
    def is_nested(self) -> bool:
        return self.type == "json"

    @field_validator("type")
    @classmethod
    def _known_type(cls, value: str) -> str:
        if value in SIMPLE_TYPES:
            return value
        match = DECIMAL_TYPE.fullmatch(value)
        if not match:
            raise ValueError(f"expected one of {', '.join(SIMPLE_TYPES)} or decimal(p,s)")
        precision, scale = int(match[1]), int(match[2])
        if not 1 <= precision <= MAX_DECIMAL_DIGITS or scale > precision:
            raise ValueError(f"expected decimal(p,s) with 1 <= p <= {MAX_DECIMAL_DIGITS} and s <= p")
        return f"decimal({precision},{scale})"

    @field_validator("minimum", "maximum")
    @classmethod
    def _fits_the_type(cls, value: Limit | None, info: ValidationInfo) -> Limit | None:
        if value is not None and "type" in info.data:
            limit = _comparable(info.data["type"], value)
            below = info.data.get("minimum") if info.field_name == "maximum" else None
            if below is not None and limit < _comparable(info.data["type"], below):
                raise ValueError("expected a maximum that is not below the minimum")
        return value

    @field_validator("one_of", "pattern", "max_length")
    @classmethod
    def _only_for_text(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and info.data.get("type", "text") != "text":
            raise ValueError(f"expected only for type text, not {info.data['type']}")
        return value

    @field_validator("format")
    @classmethod
    def _one_meaning(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and "type" in info.data:
            check_time_format(value, info.data["type"])
        return value

    @field_validator("zone")
    @classmethod
    def _of_times_without(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return value
        if not ZONE.fullmatch(value):
            raise ValueError("expected the name of a time zone, as Europe/Berlin")
        if info.data.get("type", "timestamp") not in TIMESTAMPS:
            raise ValueError(f"expected only for type timestamp, not {info.data['type']}")
        if "%z" in pieces_of(info.data.get("format") or ""):
            raise ValueError("expected none beside a format with %z: each value says its own")
        return value

    @model_validator(mode="after")
    def _from_one_place(self) -> Self:
        if self.is_in_files:
            return self
        if self.constant is not None and self.derived is not None:
            raise ValueError("expected constant or derived, not both")
        of_files = ("optional", "aliases", "trim", "format", "zone", "null_values")
        if found := [name for name in of_files if getattr(self, name)]:
            raise ValueError(f"expected no {' or '.join(found)}: the column is not in the files")
        return self
