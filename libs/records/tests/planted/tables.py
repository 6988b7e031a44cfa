"""Clean files of any dialect, with what stands where in them: written here in plain Python, never by our own code."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from random import Random

from waybill_contracts import Column, Declaration, Format

Value = str | None


@dataclass(frozen=True)
class Dialect:
    """How the fields of a file are told apart."""

    name: str
    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    line_end: str = "\n"
    ends: str = "lf"
    """What the declaration says of line ends."""

    @property
    def format(self) -> Format:
        """As a declaration says it, with nothing left to be recognised."""
        escape = {"escape": self.escape} if self.escape else {}
        return Format(
            type="csv",
            compression="none",
            encoding="utf-8",
            delimiter=self.delimiter,
            quote=self.quote,
            line_end=self.ends,
            header=True,
            **escape,
        )

    def is_special(self, text: str) -> bool:
        """Whether a text would be read as something else if it were not quoted."""
        return any(sign and sign in text for sign in (self.delimiter, self.quote, self.escape, "\r", "\n"))

    def written(self, value: Value, *, is_quoted: bool) -> str:
        """The field that stands for a value."""
        if value is None:
            return ""
        if self.escape and not self.quote:
            for sign in (self.escape, self.delimiter, "\n"):
                value = value.replace(sign, self.escape + sign)
        if not self.quote or not (is_quoted or value == "" or self.is_special(value)):
            return value
        if self.escape:
            value = value.replace(self.escape, self.escape * 2)
        return f"{self.quote}{value.replace(self.quote, (self.escape or self.quote) + self.quote)}{self.quote}"


@dataclass(frozen=True)
class Row:
    """A record of a clean file: its values, and where it and its fields stand, line end and quotes included."""

    values: tuple[Value, ...]
    start: int
    end: int
    fields: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Clean:
    """A clean file; the first of its rows is the header."""

    dialect: Dialect
    rows: list[Row]
    content: bytes
    types: tuple[str, ...]

    @property
    def header(self) -> Row:
        return self.rows[0]

    @cached_property
    def declaration(self) -> Declaration:
        """Its columns, all of them required in files."""
        columns = {name: Column(type=kind) for name, kind in zip(self.header.values, self.types, strict=True) if name}
        return Declaration(organisation="acme", table="planted", columns=columns, mode="append")


Shape = tuple[tuple[str, str], ...]
ORDERS: Shape = (
    ("id", "integer"),
    ("customer", "text"),
    ("note", "text"),
    ("amount", "decimal(12,2)"),
    ("day", "date"),
)
PAIRS: Shape = (("name", "text"), ("remark", "text"))
SINGLE: Shape = (("remark", "text"),)
SHAPES = {"orders": ORDERS, "pairs": PAIRS, "single": SINGLE}

WORDS = ("amber", "bolt", "cargo", "delta", "Ærøskøbing", "Zürich", "東京", "🚚 express", "x", "o'clock", "5 feet", "-")


def plain_text(rng: Random) -> str:
    """A few words, as most texts are."""
    return " ".join(rng.choices(WORDS, k=rng.randint(1, 4)))


def hard_text(rng: Random, dialect: Dialect) -> str:
    """A text that has to be quoted, or that looks like a piece of CSV itself."""
    delimiter, quote = dialect.delimiter, dialect.quote or '"'
    pieces = [delimiter, quote, quote * 2, "\n", "\r\n", "\r", f"{delimiter} ", " ", dialect.escape or "\\", "é"]
    joined = "".join(rng.choice([*pieces, *WORDS]) for _ in range(rng.randint(1, 7)))
    lines = f"{plain_text(rng)}{delimiter}{plain_text(rng)}\n" * rng.randint(1, 3)
    return rng.choice([joined, joined, joined, lines, delimiter, "\n", quote, f"{quote}{plain_text(rng)}{quote}"])


def usual_text(rng: Random, dialect: Dialect) -> str:
    """A text that has to be quoted, as people write them."""
    first, second = plain_text(rng), plain_text(rng)
    quote = dialect.quote or '"'
    joint = rng.choice([f"{dialect.delimiter} ", "\n", "\r\n", f" {quote}big{quote} ", f"{dialect.delimiter}\n"])
    return f"{first}{joint}{second}"


def value_of(kind: str, number: int, rng: Random, dialect: Dialect, *, is_hard: bool) -> Value:
    """A value of this type, for row `number`."""
    if kind == "integer":
        return str(number)
    if rng.random() < 0.08:
        return None
    if kind == "date":
        return date.fromordinal(738_000 + rng.randrange(4000)).isoformat()
    if kind.startswith("decimal"):
        return str(Decimal(rng.randrange(10**9)).scaleb(-2))
    if not dialect.quote:
        # Nothing can be quoted: without an escape no text may hold what ends a field.
        text = plain_text(rng) + rng.choice(['"', "'", " ", "\\", dialect.delimiter, "\n"]) + plain_text(rng)
        return text if dialect.escape or not dialect.is_special(text) else "plain"
    draw = rng.random()
    if draw < 0.05:
        return ""
    special = hard_text if is_hard else usual_text
    return plain_text(rng) if draw < 0.5 else special(rng, dialect)


def make(dialect: Dialect, shape: str, count: int, seed: int, *, is_hard: bool = False) -> Clean:
    """A clean file of so many rows; the same for the same seed."""
    rng = Random(f"{dialect.name} {shape} {count} {seed}")
    names, types = zip(*SHAPES[shape], strict=True)
    rows: list[Row] = []
    content = bytearray()
    has_final_end = rng.random() < 0.6
    for number in range(count + 1):
        values: tuple[Value, ...] = names
        if number:
            values = tuple(value_of(kind, number, rng, dialect, is_hard=is_hard) for kind in types)
            if values == (None,):
                # As the only field of a row it would be a blank line.
                values = ("lonely",)
        start, fields = len(content), []
        for column, value in enumerate(values):
            content += dialect.delimiter.encode() if column else b""
            begin = len(content)
            content += dialect.written(value, is_quoted=rng.random() < 0.2).encode()
            fields.append((begin, len(content)))
        if number < count or has_final_end:
            content += dialect.line_end.encode()
        rows.append(Row(values, start, len(content), tuple(fields)))
    return Clean(dialect, rows, bytes(content), types)
