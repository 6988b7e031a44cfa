"""A dataset's declaration: what its files look like and mean (design.md 12)."""

import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from waybill_contracts.event import MAX_INTEGER, Organisation, Table, Text, dataset_name

DECIMAL_TYPE = re.compile(r"decimal\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)", re.ASCII)
SIMPLE_TYPES = ("text", "integer", "float", "boolean", "date", "timestamp")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z", re.ASCII)
COLUMN_PATTERN = re.compile(r"[^\W\d_][^\W_]*(_[^\W_]+)*")
POSTGRES_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
MAX_NAME_BYTES = 63
MAX_DECIMAL_DIGITS = 34
MAX_EXPONENT = 300
MAX_COLUMNS = 1000
MAX_CHARACTERS = 200_000
"""Of names, patterns and listed values together: every FileRegistered carries them in one message."""

Limit = int | float | str


class DeclarationError(ValueError):
    """The declaration cannot be accepted; each problem names file, line, field and what was expected."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


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


def _day(value: Limit) -> Limit:
    if isinstance(value, str) and len(value) == len("2026-01-31"):
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
    raise ValueError("expected a date as YYYY-MM-DD")


def _instant(value: Limit) -> datetime:
    if isinstance(value, str) and TIMESTAMP.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError("expected a timestamp as YYYY-MM-DDTHH:MM:SSZ, with up to three more digits")


def _comparable(kind: str, value: Limit) -> Any:
    """The limit as something that limits of the same type can be compared with."""
    reader = {"integer": _whole_number, "float": _decimal_number, "date": _day, "timestamp": _instant}.get(kind)
    if kind.startswith("decimal"):
        reader = _decimal_number
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


class Guards(Strict):
    """Limits above which a file does not take effect; shares count only from `min_rows_for_shares` rows on."""

    max_reject_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    min_rows_for_shares: Annotated[int, Field(ge=0, le=MAX_INTEGER)] = 100


def _check_column_name(name: str) -> None:
    """Letters and digits joined by single `_`, as headers are turned into; so it is plain in SQL and BSON too."""
    if not COLUMN_PATTERN.fullmatch(name) or name != unicodedata.normalize("NFC", name).lower():
        raise ValueError(f"{name!r}: expected a column name in snake case: lower-case letters, digits, single _")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"{name!r}: expected a column name of at most {MAX_NAME_BYTES} bytes")
    if name in POSTGRES_COLUMNS:
        raise ValueError(f"{name!r}: expected another name, PostgreSQL keeps this one for itself")


class Declaration(Strict):
    """What one dataset's files look like and mean; every field but the first two has a default."""

    organisation: Organisation
    table: Table
    mode: Literal["upsert"] = "upsert"
    key: Annotated[tuple[str, ...], Field(min_length=1)]
    columns: Annotated[dict[str, Column], Field(min_length=1, max_length=MAX_COLUMNS)]
    duplicates: Literal["reject", "last", "first"] = "reject"
    guards: Guards = Guards()

    @property
    def dataset(self) -> str:
        return dataset_name(self.organisation, self.table)

    @field_validator("table")
    @classmethod
    def _free_table_name(cls, value: str) -> str:
        if value.endswith(("_history", "_as_of")):
            raise ValueError("expected a name that does not end in _history or _as_of")
        return value

    @field_validator("columns")
    @classmethod
    def _column_names(cls, value: dict[str, Column]) -> dict[str, Column]:
        for name in value:
            _check_column_name(name)
        return value

    @model_validator(mode="after")
    def _key_is_declared(self) -> Self:
        missing = [name for name in self.key if name not in self.columns]
        if missing or len(set(self.key)) != len(self.key):
            raise ValueError(f"key: expected declared columns, each once; not declared: {', '.join(missing) or 'none'}")
        return self

    @model_validator(mode="after")
    def _fits_a_message(self) -> Self:
        listed = [text for column in self.columns.values() for text in (column.one_of or ()) + (column.pattern or "",)]
        if sum(map(len, listed)) + sum(map(len, self.columns)) > MAX_CHARACTERS:
            raise ValueError(f"columns: expected names, patterns and one_of of at most {MAX_CHARACTERS} characters")
        return self
