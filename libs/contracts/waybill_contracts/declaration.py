"""A dataset's declaration: what its files look like and mean (design.md 12)."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from waybill_contracts.column import Column, Expression, Strict, is_default, read_day, read_instant
from waybill_contracts.event import MAX_INTEGER, TABLE_PATTERN, Organisation, Text, dataset_name
from waybill_contracts.format import Format

COLUMN_PATTERN = re.compile(r"[^\W\d_][^\W_]*(_[^\W_]+)*")
POSTGRES_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
MAX_NAME_BYTES = 63
MAX_COLUMNS = 1000
MAX_RULES = 100
MAX_CHARACTERS = 200_000
"""Of names, patterns and listed values together: every FileRegistered carries them in one message."""
ANY_TABLE = "*"
DEFAULT_FILES = ("{organisation}/{table}/**",)
ORDER_TYPES = ("text", "integer", "date", "timestamp", "timestamp(6)")

DeclaredTable = Annotated[str, Field(pattern=rf"({TABLE_PATTERN})|^\*$")]
"""A table, or `*`: every table of the organisation that has no declaration of its own."""
DatasetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}/[a-z][a-z0-9_]{0,40}$")]
Pattern = Annotated[Text, Field(min_length=1, max_length=500)]
Mode = Literal["upsert", "snapshot", "append"]


class DeclarationError(ValueError):
    """The declaration cannot be accepted; each problem names file, line, field and what was expected."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class OrderBy(Strict):
    """What makes one state of a record newer than another: a part of the file's name, or a column of the row."""

    file_name: Pattern | None = None
    """Searched in the name; its groups, or else the whole match, are the order value. Digits count as a number."""
    column: Text | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.file_name is None) == (self.column is None):
            raise ValueError("expected either file_name or column")
        return self


class Partition(Strict):
    """What a snapshot speaks for: the values that a column has in it, or a capture of the file's key."""

    column: Text | None = None
    path: Text | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.column is None) == (self.path is None):
            raise ValueError("expected either column or path")
        return self


class Rule(Strict):
    """What rows must satisfy beyond their columns: an expression, uniqueness, or that another dataset has the key."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    expect: Expression | None = None
    """Of SQL; a row where it is false breaks the rule, one where it is null does not."""
    unique: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """Columns that no two rows of a file share."""
    references: DatasetName | None = None
    """The dataset whose keys `columns` hold; a row where one of them is null refers to nothing."""
    columns: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    severity: Literal["reject", "warn"] = "reject"

    @property
    def named_columns(self) -> tuple[str, ...]:
        return (self.unique or ()) + (self.columns or ())

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.expect, self.unique, self.references)) != 1:
            raise ValueError("expected one of expect, unique and references")
        if (self.references is None) != (self.columns is None):
            raise ValueError("expected columns together with references")
        return self


class Group(Strict):
    """Several files that are one delivery: taken together once the named object is there, or not at all.

    Both are patterns as `files:` has them; what they capture tells which files belong together.
    """

    marker: Pattern | None = None
    """An object that says by being there that all files of its captures are."""
    manifest: Pattern | None = None
    """An object whose lines name the files, relative to its own folder."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.marker is None) == (self.manifest is None):
            raise ValueError("expected either marker or manifest")
        return self


class Guards(Strict):
    """Limits above which a file is held; shares count only from `min_rows_for_shares` rows on."""

    max_reject_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    max_delete_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Of the records that a snapshot speaks for."""
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
    table: DeclaredTable
    files: Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=50)] = DEFAULT_FILES
    since: Text | None = Field(default=None, exclude_if=is_default)
    """A day or a timestamp: older objects are not taken."""
    format: Format = Field(default=Format(), exclude_if=lambda value: value == Format())
    """How files are read; what it leaves open is recognised in each."""
    mode: Mode = "upsert"
    key: tuple[str, ...] = ()
    """Empty: by line in mode append, else found in the first file."""
    partition: Partition | None = Field(default=None, exclude_if=is_default)
    deduplicate: bool = Field(default=False, exclude_if=is_default)
    """Mode append: a row whose content is there already is not taken again."""
    order_by: OrderBy | None = Field(default=None, exclude_if=is_default)
    columns: Annotated[dict[str, Column], Field(max_length=MAX_COLUMNS)] = Field(default_factory=dict)
    """Empty: found in the first file."""
    other_columns: Literal["hold", "accept", "ignore", "reject"] = "hold"
    rules: Annotated[tuple[Rule, ...], Field(max_length=MAX_RULES)] = Field(default=(), exclude_if=is_default)
    duplicates: Literal["reject", "last", "first"] = "reject"
    late: Literal["hold", "apply", "refuse"] | None = Field(default=None, exclude_if=is_default)
    group: Group | None = Field(default=None, exclude_if=is_default)
    object_removed: Literal["keep", "delete", "alert"] = "keep"
    """What becomes of the records whose newest version is from a file, once its object is removed."""
    guards: Guards = Guards()

    @property
    def dataset(self) -> str:
        return dataset_name(self.organisation, self.table)

    @property
    def is_complete(self) -> bool:
        """Whether files can be read without finding out columns or key first."""
        return bool(self.columns) and (self.mode == "append" or bool(self.key))

    @property
    def is_for_any_table(self) -> bool:
        return self.table == ANY_TABLE

    @property
    def identity(self) -> Literal["key", "line", "content"]:
        """What makes a record the same one: its key, its place in its file, or all of its content."""
        if self.mode != "append":
            return "key"
        return "content" if self.deduplicate else "line"

    @property
    def when_late(self) -> Literal["hold", "apply", "refuse"]:
        """What is done with a late file: nothing special where the result is the same in any order."""
        if self.late:
            return self.late
        if self.mode == "snapshot":
            return "refuse"
        return "apply" if self.order_by or self.mode == "append" else "hold"

    @property
    def needed_columns(self) -> frozenset[str]:
        """Columns in which no value may be null: of the key, the order and the partition."""
        others = (self.order_by and self.order_by.column, self.partition and self.partition.column)
        return frozenset(self.key) | {name for name in others if name}

    @field_validator("table")
    @classmethod
    def _free_table_name(cls, value: str) -> str:
        if value.endswith(("_history", "_as_of")):
            raise ValueError("expected a name that does not end in _history or _as_of")
        return value

    @field_validator("since")
    @classmethod
    def _moment(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                (read_day if len(value) == len("2026-01-31") else read_instant)(value)
            except ValueError:
                raise ValueError("expected a day as YYYY-MM-DD or a timestamp as YYYY-MM-DDTHH:MM:SSZ") from None
        return value

    @field_validator("columns")
    @classmethod
    def _column_names(cls, value: dict[str, Column]) -> dict[str, Column]:
        for name in value:
            _check_column_name(name)
        for alias in [alias for column in value.values() for alias in column.aliases]:
            if not COLUMN_PATTERN.fullmatch(alias) or alias != unicodedata.normalize("NFC", alias).lower():
                raise ValueError(f"{alias!r}: expected an alias in snake case, as a header is turned into it")
        names = Counter([*value, *(alias for column in value.values() for alias in column.aliases)])
        if doubled := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"expected each name once among columns and aliases; more than once: {', '.join(doubled)}")
        return value

    @model_validator(mode="after")
    def _names_are_declared(self) -> Self:
        if len(set(self.key)) != len(self.key):
            raise ValueError("key: expected each column once")
        self._check_declared("key", self.key)
        self._check_declared("order_by", [self.order_by.column] if self.order_by and self.order_by.column else [])
        self._check_declared("partition", [self.partition.column] if self.partition and self.partition.column else [])
        self._check_declared("rules", [name for rule in self.rules for name in rule.named_columns])
        return self

    def _check_declared(self, field: str, names: Iterable[str]) -> None:
        missing = [name for name in names if name not in self.columns]
        if self.columns and missing:
            raise ValueError(f"{field}: expected declared columns; not declared: {', '.join(missing)}")

    @model_validator(mode="after")
    def _fits_the_mode(self) -> Self:
        if self.mode == "append" and self.key:
            raise ValueError("key: expected none in mode append, where each row is a record")
        if self.partition and self.mode != "snapshot":
            raise ValueError("partition: expected only in mode snapshot")
        if self.deduplicate and self.mode != "append":
            raise ValueError("deduplicate: expected only in mode append")
        if self.columns and not any(column.is_in_files for column in self.columns.values()):
            raise ValueError("columns: expected at least one that is in the files")
        if [name for name in self.needed_columns if name in self.columns and self.columns[name].optional]:
            raise ValueError("columns: expected no optional column in key, order_by or partition")
        return self

    @model_validator(mode="after")
    def _needed_values_are_plain(self) -> Self:
        if nested := [name for name in self.needed_columns if name in self.columns and self.columns[name].is_nested]:
            raise ValueError(f"columns: expected no json in key, order_by or partition, found {', '.join(nested)}")
        return self

    @model_validator(mode="after")
    def _order_is_known(self) -> Self:
        name = self.order_by.column if self.order_by else None
        if name and self.mode == "snapshot":
            raise ValueError("order_by: expected file_name: a snapshot is of one moment")
        if name and name in self.columns and self.columns[name].type not in ORDER_TYPES:
            raise ValueError(f"order_by: expected a column of type {', '.join(ORDER_TYPES)}")
        return self

    @model_validator(mode="after")
    def _rules_are_distinct(self) -> Self:
        if len({rule.name for rule in self.rules}) != len(self.rules):
            raise ValueError("rules: expected each name once")
        if self.is_for_any_table and not all("{table}" in pattern for pattern in self.files):
            raise ValueError("files: expected {table} in every pattern of a declaration for any table")
        return self

    @model_validator(mode="after")
    def _fits_a_message(self) -> Self:
        listed = [text for column in self.columns.values() for text in _texts_of(column)]
        listed += self.format.null_values
        listed += [text for rule in self.rules for text in (rule.expect or "", *rule.named_columns)]
        if sum(map(len, listed)) + sum(map(len, self.columns)) > MAX_CHARACTERS:
            raise ValueError(
                f"columns: expected names, patterns and listed values of at most {MAX_CHARACTERS} characters"
            )
        return self


def _texts_of(column: Column) -> tuple[str, ...]:
    named = (column.pattern, column.constant, column.derived)
    listed = (column.one_of or ()) + column.aliases + column.null_values
    return listed + tuple(text for text in named if text)
