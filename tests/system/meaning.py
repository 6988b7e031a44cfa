"""What a file says, read as it is declared: the oracle's half that knows values, lines and rows, with csv."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

MAX_RECORD_BYTES = 15_000_000
MAX_COLUMNS = 1000
MAX_LINE_BYTES = 16 << 20
NOTES = frozenset(f"waybill_{name}" for name in ("line", "part", "bytes", "codes", "columns", "reasons", "raw"))
"""Columns of a file of rejects that are not its sender's."""
csv.field_size_limit(1 << 30)

Row = dict[str, Any]
"""Values by column; null is left out."""


class Refused(ValueError):
    """A value that is not of its type, or a file that cannot be read."""


def integer(text: str) -> int:
    return int(text) if -(2**63) <= int(text) < 2**63 else int("")


READERS = {
    "text": (r"[^\0\ud800-\udfff]*", str),
    "integer": (r"-?[0-9]+", integer),
    "decimal": (r"-?[0-9]+(\.[0-9]+)?", Decimal),
    "boolean": (r"true|false", lambda text: text == "true"),
    "date": (r"\d{4}-\d{2}-\d{2}", date.fromisoformat),
    "timestamp": (
        r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,3})?Z?",
        lambda text: datetime.fromisoformat(text.rstrip("Z").replace(" ", "T")).replace(tzinfo=UTC),
    ),
}


def value(text: str, kind: str) -> Any:
    """The value of a field, None for null."""
    pattern, read = READERS[kind.partition("(")[0]]
    if not text:
        return None
    if not re.fullmatch(pattern, text, re.ASCII | re.DOTALL):
        raise Refused(text)
    found = read(text)
    if kind.startswith("decimal"):
        precision, scale = map(int, re.findall(r"\d+", kind))
        if round(found, scale) != found or abs(found) >= Decimal(10) ** (precision - scale):
            raise Refused(text)
        found = round(found, scale) or abs(round(found, scale))
    return found


def inferred(texts: Iterable[str]) -> str:
    """The type of a column that nobody declared: one that renders every value as it came, else text."""
    filled = [text for text in texts if text]
    for kind in ("integer", "date") if filled else ():
        try:
            if all(str(value(text, kind)) == text for text in filled):
                return kind
        except ValueError:
            continue
    return "text"


def key_text(part: Any) -> str:
    """The canonical text of a key part (text, integer, date)."""
    return re.sub(r"[\\|]", lambda match: "\\" + match[0], str(part))


def as_sent(text: str) -> str:
    """A value of a file of rejects without the apostrophe that kept a spreadsheet from running it."""
    is_number = re.fullmatch(r"[+-]?[0-9]+([.,][0-9]+)*", text[1:])
    return text[1:] if re.match(r"'+[=+\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]", text) and not is_number else text


def content_of(row: Row) -> str:
    """What two rows have in common when nothing has changed: 5 as a whole number is not 5.00 as a decimal."""
    return repr([(name, str(row[name])) for name in sorted(row)])


@dataclass(frozen=True)
class Meaning:
    """What a declaration says; `columns` maps a name to (type, required)."""

    key: tuple[str, ...]
    columns: dict[str, tuple[str, bool]]
    mode: str = "upsert"
    deduplicate: bool = False
    order_name: str | None = None
    order_column: str | None = None
    partition_column: str | None = None
    partition_path: bool = False
    """The first folder below the dataset is what a snapshot speaks for."""
    duplicates: str = "reject"
    late: str | None = None
    other_columns: str = "hold"
    object_removed: str = "keep"
    in_parts: bool = False
    """Several files are one delivery, once their marker is there."""
    optional: frozenset[str] = frozenset()
    aliases: dict[str, str] = field(default_factory=dict)
    max_reject_share: float = 0.1
    max_delete_share: float = 0.2
    min_rows: int = 100

    @property
    def when_late(self) -> str:
        by_mode = {"append": "apply", "snapshot": "refuse"}
        return self.late or by_mode.get(self.mode) or ("apply" if self.order_name or self.order_column else "hold")

    @property
    def is_by_line(self) -> bool:
        """Whether the same row is another record when it comes again."""
        return self.mode == "append" and not self.deduplicate

    @property
    def needed(self) -> set[str]:
        """Columns in which no value may be null."""
        required = {name for name, (_, is_required) in self.columns.items() if is_required}
        return required | {name for name in (*self.key, self.order_column, self.partition_column) if name}

    def order_of(self, name: str) -> Any:
        """What the name of a file says about its time; None where it says nothing."""
        found = self.order_name and re.search(self.order_name, name.rpartition("/")[2])
        parts = (found.groups() or (found[0],)) if found else ()
        return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts] or None

    def scope_of(self, name: str) -> str | None:
        """The part of the dataset that the name of a file says it speaks for; None is all of it."""
        return name.partition("/")[0] if self.partition_path else None


@dataclass(frozen=True)
class Said:
    """A row that was accepted: what it says of which record, as of when, and of which part of the dataset it is."""

    key: str
    row: Row
    order: Any
    scope: Any
    line: int


@dataclass
class Statement:
    """A file's rows: those accepted, keys of all that can be told, and whether a rejected row tells none."""

    read: int = 0
    said: list[Said] = field(default_factory=list)
    present: set[str] = field(default_factory=set)
    is_keyless: bool = False
    rejected: dict[int, str | None] = field(default_factory=dict)
    """Line -> key where it can be told."""
    noted: dict[int, int] = field(default_factory=dict)
    """Line -> the line that it has in the file that is corrected."""


Table = tuple[list[str], list[tuple[int, list[str]]]]
"""Names of the columns as they are declared, and each line that is not blank with its number."""


def tables_of(parts: Iterable[bytes | None], meaning: Meaning) -> list[Table]:
    """The files of a delivery; their lines are counted on from one to the next."""
    tables: list[Table] = []
    before = 0
    for part in parts:
        (header, lines), count = table_of(part, meaning)
        tables.append((header, [(before + number, line) for number, line in lines]))
        before += count
    return tables


def table_of(content: bytes | None, meaning: Meaning) -> tuple[Table, int]:
    """A file, and how many lines it has."""
    if max(map(len, (content or b"").split(b"\n"))) > MAX_LINE_BYTES:
        raise Refused("a line is too long")
    text = Text((content or b"").decode("utf-8", "surrogateescape"), newline="")
    lines, number = [], 1
    try:
        for line in csv.reader(text, strict=True):
            lines += [(number, line)] if line else []
            number = text.ended + 1
    except csv.Error as error:
        raise Refused(content) from error
    header = [meaning.aliases.get(name.lower(), name.lower()) for name in (lines[0][1] if lines else [])]
    if not 0 < len(set(header)) == len(header) <= MAX_COLUMNS or not "".join(header).isprintable():
        raise Refused(header)
    return (header, lines[1:]), text.ended + (not text.getvalue().endswith("\n"))


class Text(io.StringIO):
    """Text as csv reads it; csv counts a bare carriage return in quotes as a line, and nobody else does."""

    ended = 0
    """Line ends read so far."""

    def __next__(self) -> str:
        line = super().__next__()
        self.ended += line.count("\n")
        return line


def read(
    parts: Iterable[bytes | None], meaning: Meaning, name: str, file_id: str, is_correction: bool = False
) -> Statement:
    """What the file says; columns that are not declared are left out, those it lacks are null."""
    statement = Statement()
    for header, lines in tables_of(parts, meaning):
        statement.read += len(lines)
        for number, line in lines:
            fields = dict(zip(header, line, strict=False))
            if is_correction and fields.get("waybill_line"):
                statement.noted[number] = int(fields["waybill_line"])
            if is_correction and "waybill_line" in header:
                fields = {column: as_sent(text) for column, text in fields.items()}
            row, faults = typed(fields, meaning)
            statement.rejected[number] = None
            if len(line) != len(header) or faults & set(meaning.key):
                statement.is_keyless = True
                continue
            key = key_of(row, meaning, f"{file_id}|{number}")
            statement.present.add(key)
            statement.rejected[number] = key if meaning.key else None
            if not faults and sum(map(len, line)) <= MAX_RECORD_BYTES:
                order = row[meaning.order_column] if meaning.order_column else meaning.order_of(name)
                scope = row[meaning.partition_column] if meaning.partition_column else meaning.scope_of(name)
                statement.said.append(Said(key, row, order, scope, number))
                del statement.rejected[number]
    return statement


def typed(fields: dict[str, str], meaning: Meaning) -> tuple[Row, set[str]]:
    """The values, and the columns at fault."""
    row: Row = {}
    faults = set()
    for name, (kind, _) in meaning.columns.items():
        try:
            found = value(fields.get(name, ""), kind)
        except ValueError:
            faults.add(name)
            continue
        if found is not None:
            row[name] = found
        elif name in meaning.needed:
            faults.add(name)
    return row, faults


def key_of(row: Row, meaning: Meaning, place: str) -> str:
    """What makes the record of a row the same one: its key, else all of its content, else its place."""
    if meaning.is_by_line:
        return place
    return "|".join(key_text(row[name]) for name in meaning.key) if meaning.key else content_of(row)
