"""How a file's bytes are read: what a declaration says of it, or what was recognised in a file."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from waybill_contracts.column import Strict, is_default
from waybill_contracts.event import Text

FormatType = Literal["csv", "tsv", "jsonl", "json", "parquet", "excel"]
Compression = Literal["none", "gzip", "zip", "zstd"]
LineEnd = Literal["lf", "cr", "any"]
Encoding = Literal[
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "ascii",
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-5",
    "iso-8859-7",
    "iso-8859-9",
    "iso-8859-15",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1253",
    "windows-1254",
    "windows-1257",
    "cp437",
    "cp850",
    "koi8-r",
    "mac-roman",
    "shift_jis",
    "euc-jp",
    "gb18030",
    "big5",
    "euc-kr",
]
Repair = Literal["missing_fields", "empty_extra_fields", "stray_quotes", "invalid_bytes", "control_characters"]
"""What may be mended in a row instead of refusing it:

missing_fields: fields that the end of a row lacks are null. empty_extra_fields: empty fields behind the last are left
out. stray_quotes: a quote inside a field that is not quoted, and text behind a closing quote, stand for themselves.
invalid_bytes: bytes that are no text become U+FFFD. control_characters: NUL and a bare carriage return are left out.
"""
MAX_NULL_VALUES = 50
MAX_SKIPPED_LINES = 10_000

Character = Annotated[str, Field(pattern=r"^[\x01-\x09\x0b\x0c\x0e-\x7e]$")]
"""One character of ASCII that ends no line."""
NullValues = Annotated[tuple[Text, ...], Field(max_length=MAX_NULL_VALUES)]


class Format(Strict):
    """What is left out is recognised in the file; where that is in doubt the file waits for a decision."""

    type: FormatType | None = Field(default=None, exclude_if=is_default)
    compression: Compression | None = Field(default=None, exclude_if=is_default)
    encoding: Encoding | None = Field(default=None, exclude_if=is_default)
    """Of a file without a byte-order mark, which goes first."""
    delimiter: Character | None = Field(default=None, exclude_if=is_default)
    quote: Character | Literal[""] | None = Field(default=None, exclude_if=is_default)
    """Empty: no field is quoted."""
    escape: Character | None = Field(default=None, exclude_if=is_default)
    """Stands before a quote, or before itself; left out: a quote in a quoted field is doubled."""
    line_end: LineEnd | None = Field(default=None, exclude_if=is_default)
    """lf: LF or CRLF; cr: CR alone; any: each of the three ends a line."""
    header: bool | None = Field(default=None, exclude_if=lambda value: value is None)
    """False: the columns stand in the order in which they are declared."""
    header_rows: Annotated[int, Field(ge=1, le=10)] | None = Field(default=None, exclude_if=is_default)
    """More than one: a column's name is what stands in them, from top to bottom, joined by `_`."""
    skip_lines: Annotated[int, Field(ge=0, le=MAX_SKIPPED_LINES)] | None = Field(default=None, exclude_if=is_default)
    """Lines before the header, or the first row, that say nothing."""
    footer_lines: Annotated[int, Field(ge=0, le=MAX_SKIPPED_LINES)] | None = Field(default=None, exclude_if=is_default)
    """Lines at the end that say nothing; blank ones do not count."""
    comment: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,10}$")] | None = Field(default=None, exclude_if=is_default)
    """A record that begins with it says nothing."""
    sheet: Annotated[Text, Field(min_length=1, max_length=31)] | None = Field(default=None, exclude_if=is_default)
    """Of a workbook; left out: the first."""
    null_values: NullValues = Field(default=(), exclude_if=is_default)
    """Texts that stand for null in every column."""
    repair: tuple[Repair, ...] = Field(default=(), exclude_if=is_default)
    """What may be mended in a row; nothing else ever is."""

    @model_validator(mode="after")
    def _characters_differ(self) -> Self:
        said = [("delimiter", self.delimiter), ("quote", self.quote), ("escape", self.escape)]
        seen: dict[str, str] = {}
        for name, character in said:
            if character and character in seen:
                raise ValueError(f"{name}: expected another character than that of {seen[character]}")
            seen |= {character: name} if character else {}
        if self.comment and seen.get(self.comment[0]):
            raise ValueError(f"comment: expected it not to begin with the {seen[self.comment[0]]}")
        return self
