"""Of which type a column's texts are, without the loss of a character: each must be its value's canonical text.

| type | texts |
|---|---|
| integer | minimal digits, within 64 bits; longer ones are text: nobody counts with them |
| decimal(p,s) | the same number of fraction digits in every value, no leading zeros, no `-0.00` |
| float | differing fraction digits, each the shortest text of its value: `0.5` and `12.25`, not `1`, `1.50` or `1e3` |
| boolean | `true`, `false` |
| date | YYYY-MM-DD |
| timestamp | YYYY-MM-DDTHH:MM:SS.mmmZ, the canonical shape alone: any other would not be written back as it stood |
| timestamp(6) | the same with six digits: `.uuuuuuZ` |
| text | anything else, nested values and empty texts in quotes too; and a column without any value |
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl
from waybill_contracts.column import MAX_DECIMAL_DIGITS

from records.columns import canonical
from records.types import SHOWN_CHARACTERS, type_columns

WHOLE_DIGITS = 24
"""Before a decimal's point: later files fit, any integer fits, and up to 10 fraction digits can still be added."""

_DECIMAL = re.compile(r"-?[0-9]+\.([0-9]+)", re.ASCII)
_TYPES = ("integer", "decimal", "float", "boolean", "date", "timestamp", "timestamp(6)")


@dataclass(frozen=True)
class Break:
    """The value that is not of a type that all values before it were of."""

    line: int
    text: str
    type: str
    rendered: str | None
    """What the type would make of the text, where it can read it at all."""

    def sentence(self, name: str, found: str) -> str:
        """Why the column is of the type that was found for it."""
        value = f'"{self.text[:SHOWN_CHARACTERS]}" on line {self.line}'
        if self.rendered is None:
            return f"{name} is {found}: {value} is no {self.type}, as all values before it are"
        return f'{name} is {found}: as {self.type}, {value} would become "{self.rendered}"'


@dataclass
class Guess:
    """The types that every value of a column so far is of, best first; None before the first value."""

    types: list[str] | None = None
    broken: Break | None = None

    @property
    def type(self) -> str:
        return self.types[0] if self.types else "text"

    def give_up(self, broken: Break) -> None:
        """One type less; what ends the best one is worth telling."""
        self.broken = broken if broken.type == self.type else self.broken
        self.types = [kind for kind in self.types or () if kind != broken.type]


@dataclass
class TypeGuesses:
    """Guesses at columns, which take their texts block by block and keep none."""

    names: Sequence[str]
    guesses: dict[str, Guess] = field(init=False)

    def __post_init__(self) -> None:
        self.guesses = {name: Guess() for name in self.names}

    def take(self, frame: pl.DataFrame) -> None:
        """More rows of text columns with `_line`."""
        self._begin(frame)
        found: list[tuple[str, Break]] = []
        # No value is of more than two types.
        for rank in (1, 0):
            tried = {name: kinds[rank] for name, kinds in self._open() if len(kinds) > rank}
            found += _broken(frame, tried) if tried else []
        for name, broken in sorted(found, key=lambda item: item[1].line):
            self.guesses[name].give_up(broken)

    def sentences(self) -> list[str]:
        """What is uncertain, a sentence each."""
        told = [guess.broken.sentence(name, guess.type) for name, guess in self.guesses.items() if guess.broken]
        empty = [name for name, guess in self.guesses.items() if guess.types is None]
        return told + [f"{name} is text: it has no value" for name in empty]

    def _open(self) -> list[tuple[str, list[str]]]:
        return [(name, guess.types) for name, guess in self.guesses.items() if guess.types]

    def _begin(self, frame: pl.DataFrame) -> None:
        """The first value of a column says which types are worth trying."""
        waiting = [name for name, guess in self.guesses.items() if guess.types is None]
        firsts = {name: frame[name].is_not_null().arg_true().head(1) for name in waiting}
        firsts = {name: rows for name, rows in firsts.items() if rows.len()}
        if not firsts:
            return
        values = pl.DataFrame([frame[name].gather(rows) for name, rows in firsts.items()])
        readings = _readings(values)
        for name, rows in firsts.items():
            text, guess = values[name].item(), self.guesses[name]
            guess.types = [kind for kind, rendered in readings[name] if rendered == text]
            if not guess.types and readings[name]:
                guess.broken = Break(frame["_line"][rows.item()], text, *readings[name][0])


def _readings(values: pl.DataFrame) -> dict[str, list[tuple[str, str]]]:
    """For the one row's values: types that can read them, and what each makes of them."""
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in values.columns}
    for kind in _TYPES:
        declared = {name: _decimal_of(values[name].item()) if kind == "decimal" else kind for name in values.columns}
        types = {name: declared for name, declared in declared.items() if declared}
        for name, column in type_columns(values, types).to_dict().items() if types else ():
            if not column.null_count():
                found[name].append((types[name], canonical(column).item()))
    return found


def _decimal_of(text: str) -> str | None:
    """The decimal type of this many fraction digits."""
    if not (match := _DECIMAL.fullmatch(text)) or len(match[1]) >= MAX_DECIMAL_DIGITS:
        return None
    return f"decimal({min(WHOLE_DIGITS + len(match[1]), MAX_DECIMAL_DIGITS)},{len(match[1])})"


def _broken(frame: pl.DataFrame, types: dict[str, str]) -> list[tuple[str, Break]]:
    """For each column the first value that is not of its type."""
    typed, found = type_columns(frame, types), []
    for name, kind in types.items():
        rendered = canonical(typed[name])
        differs = rendered.ne_missing(frame[name])
        if differs.any():
            row = int(differs.arg_true()[0])
            found.append((name, Break(frame["_line"][row], frame[name][row], kind, rendered[row])))
    return found
