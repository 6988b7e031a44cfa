"""The only place where SQL is made from parts: every identifier is validated and quoted (an AST rule keeps it so)."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

MAX_IDENTIFIER_BYTES = 63
_TYPES = {
    "text": "text",
    "integer": "bigint",
    "float": "double precision",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamptz",
    "timestamp(6)": "timestamptz",
    # Not jsonb: it would give other texts back, in another order and with other numbers.
    "json": "json",
}
_DECIMAL = re.compile(r"^decimal\((\d{1,2}),(\d{1,2})\)$")


@dataclass(frozen=True)
class Fragment:
    """SQL text that this module made, so it may stand in a template as it is."""

    text: str


def identifier(*names: str) -> Fragment:
    """The quoted identifier; several names are a qualified one. Refuses what PostgreSQL would cut or alter."""
    return Fragment(".".join(_quoted(name) for name in names))


def columns(names: Iterable[str], prefix: str | None = None) -> Fragment:
    """A list of quoted columns, each of the named relation where one is given."""
    return join(", ", (identifier(*([prefix] if prefix else []), name) for name in names))


def column_type(declared: str) -> Fragment:
    """The PostgreSQL type of a declared type."""
    match = _DECIMAL.match(declared)
    if match:
        return Fragment(f"numeric({int(match[1])},{int(match[2])})")
    return Fragment(_TYPES[declared])


def literal(text: str) -> Fragment:
    """A string constant, for statements that take no parameters (CREATE VIEW, COPY)."""
    if "\x00" in text:
        raise ValueError("a string constant cannot hold NUL")
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return Fragment(f"E'{escaped}'")


def join(separator: str, fragments: Iterable[Fragment]) -> Fragment:
    """Fragments side by side."""
    return Fragment(separator.join(fragment.text for fragment in fragments))


def fragment(template: str, **parts: "str | tuple[str, ...] | Fragment") -> Fragment:
    """As `sql`, for a piece that goes into another template."""
    return Fragment(sql(template, **parts))


def sql(template: str, **parts: "str | tuple[str, ...] | Fragment") -> str:
    """The template with each {name} replaced: a string by its quoted identifier, a tuple by a qualified one."""
    return template.format(**{name: _text(value) for name, value in parts.items()})


def _text(value: "str | tuple[str, ...] | Fragment") -> str:
    if isinstance(value, Fragment):
        return value.text
    return (identifier(*value) if isinstance(value, tuple) else identifier(value)).text


def _quoted(name: str) -> str:
    size = len(name.encode())
    if not 1 <= size <= MAX_IDENTIFIER_BYTES or "\x00" in name or unicodedata.normalize("NFC", name) != name:
        raise ValueError(
            f"{name[:80]!r} cannot be an identifier: expected 1 to {MAX_IDENTIFIER_BYTES} bytes of NFC text"
        )
    return '"' + name.replace('"', '""') + '"'
