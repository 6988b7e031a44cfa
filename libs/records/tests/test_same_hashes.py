"""The same values, written as CSV, TSV, JSON Lines, a JSON array and Parquet, come back exactly, with the same hashes.

The files are written in plain Python and by pyarrow, and the hashes are those of plain Python.
"""

import io
import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records.formats import FORMATS, open_reader
from records.header import require_match
from records.judge import judge
from records.row_hash import row_hashes
from waybill_contracts import Column, Declaration, Format

from .reference import LIMITS, NESTED, VALUES, Row, row_hash, text

Types = dict[str, str]

NAUGHTY = Path(__file__).parents[3].parent / "shared" / "corpora" / "naughty-strings" / "blns.json"
LINE = "line"
"""A column that no row lacks: in CSV a row of one null is a blank line."""
NAMES = st.from_regex(r"[a-zé](?:_?[a-z0-9]){0,8}", fullmatch=True).filter(lambda name: name != LINE)
ARROW = {
    "text": pa.large_string(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ms", "UTC"),
    "timestamp(6)": pa.timestamp("us", "UTC"),
    "json": pa.string(),
}
READABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
"""No row may hold NUL or half of a surrogate pair, in any format."""
ODD = [
    ",",
    '"',
    '""',
    "\n",
    "\r\n",
    "\r",
    "\t",
    "null",
    "NULL",
    "\\N",
    " x ",
    "true",
    "1.0",
    "\ufeff",
    "\u2028",
    "\x1a",
]
TEXTS = st.text(READABLE, max_size=30) | st.sampled_from(["", *ODD]) | st.lists(st.sampled_from(ODD)).map("".join)
OBJECTS = st.lists(NESTED, max_size=3) | st.dictionaries(st.text("a$.é", max_size=3), NESTED, max_size=3)
WRITTEN = VALUES | {"text": TEXTS, "json": OBJECTS.map(lambda value: json.dumps(value, ensure_ascii=False))}


def delimited(delimiter: str) -> Callable[[Types, list[Row]], bytes]:
    """Null is an empty field, an empty text one in quotes."""

    def written(value: Any, kind: str) -> str:
        if value is None:
            return ""
        plain = text(value, kind)
        is_safe = plain and not any(sign in plain for sign in (delimiter, '"', "\r", "\n"))
        return plain if is_safe else '"' + plain.replace('"', '""') + '"'

    def write(types: Types, rows: list[Row]) -> bytes:
        lines = [types, *([written(row[name], kind) for name, kind in types.items()] for row in rows)]
        return "".join(delimiter.join(line) + "\n" for line in lines).encode()

    return write


def objects(types: Types, rows: list[Row]) -> list[str]:
    """Each row as JSON: numbers as numbers, with all their digits."""

    def written(value: Any, kind: str) -> str:
        if value is None or isinstance(value, bool):
            return json.dumps(value)
        is_number = isinstance(value, int | float | Decimal)
        return text(value, kind) if is_number or kind == "json" else json.dumps(text(value, kind))

    return [
        "{" + ", ".join(f"{json.dumps(name)}: {written(row[name], kind)}" for name, kind in types.items()) + "}"
        for row in rows
    ]


def jsonl(types: Types, rows: list[Row]) -> bytes:
    return "".join(line + "\n" for line in objects(types, rows)).encode()


def array(types: Types, rows: list[Row]) -> bytes:
    return f"[{', '.join(objects(types, rows))}]".encode()


def parquet(types: Types, rows: list[Row]) -> bytes:
    def arrow(kind: str) -> Any:
        digits = kind.removeprefix("decimal(").removesuffix(")").split(",")
        return ARROW.get(kind) or pa.decimal128(*map(int, digits))

    columns = {name: pa.array([row[name] for row in rows], arrow(kind)) for name, kind in types.items()}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


WRITERS: dict[str, Callable[[Types, list[Row]], bytes]] = {
    "csv": delimited(","),
    "tsv": delimited("\t"),
    "jsonl": jsonl,
    "json": array,
    "parquet": parquet,
}


def values_and_hashes(kind: str, content: bytes, types: Types) -> tuple[list[Row], list[bytes]]:
    """What reading and judging make of a file."""
    columns = {name: Column(type=declared) for name, declared in types.items()}
    declaration = Declaration(organisation="acme", table="same", columns=columns, mode="append")
    file_format = Format.model_validate({"type": kind, "quote": '"'} if kind in ("csv", "tsv") else {"type": kind})
    reader = open_reader(io.BytesIO(content), file_format)
    rows: list[Row] = []
    hashes: list[bytes] = []
    for block in reader.blocks(require_match(reader.header, declaration)):
        judged = judge(block, declaration)
        assert judged.rejects.rows() == []
        frame = judged.frame.drop("_line")
        rows += frame.to_dicts()
        hashes += row_hashes(frame, types).to_list()
    reader.prove()
    return rows, hashes


def as_kept(value: Any, kind: str) -> Any:
    """The value as it is known after it was read: floats have no negative zero, JSON is its canonical text."""
    return value + 0.0 if kind == "float" and value is not None else value


@st.composite
def tables(draw: st.DrawFn) -> tuple[Types, list[Row]]:
    names = draw(st.lists(NAMES, min_size=1, max_size=7, unique=True))
    types = {LINE: "integer"} | {name: draw(st.sampled_from(sorted(WRITTEN))) for name in names}
    row = st.fixed_dictionaries({name: st.none() | WRITTEN[kind] for name, kind in types.items()})
    rows = draw(st.lists(row, min_size=1, max_size=12))
    return types, [row | {LINE: number} for number, row in enumerate(rows)]


def check(types: Types, rows: list[Row]) -> None:
    """All formats give these rows, and the hashes that plain Python makes of them."""
    found = {kind: values_and_hashes(kind, write(types, rows), types) for kind, write in WRITERS.items()}
    kept = [{name: as_kept(row[name], kind) for name, kind in types.items()} for row in rows]
    plain = [name for name, kind in types.items() if kind != "json"]
    for kind, (values, hashes) in found.items():
        assert [{name: row[name] for name in plain} for row in values] == [
            {name: row[name] for name in plain} for row in kept
        ], kind
        for row, origin in zip(values, kept, strict=True):
            for name in types.keys() - {*plain}:
                assert (row[name] is None) == (origin[name] is None)
                assert row[name] is None or json.loads(row[name]) == json.loads(origin[name]), kind
        assert hashes == [row_hash(row, types) for row in values], kind
        assert hashes == found["csv"][1], kind


@settings(max_examples=25, deadline=None)
@given(tables())
def test_any_table_comes_back_from_every_format_with_the_same_hashes(table: tuple[Types, list[Row]]) -> None:
    check(*table)


def test_values_at_the_limits_hash_the_same_in_every_format() -> None:
    types = {LINE: "integer"} | {f"c{number}": kind for number, kind in enumerate(LIMITS) if kind != "json"}
    longest = max(map(len, LIMITS.values()))
    rows = [
        {name: LIMITS[kind][number % len(LIMITS[kind])] for name, kind in types.items()} | {LINE: number}
        for number in range(longest)
    ]
    check(types, [*rows, dict.fromkeys(types) | {LINE: longest}])


@pytest.mark.skipif(not NAUGHTY.is_file(), reason="no corpus naughty-strings beside the repository")
def test_naughty_strings_come_back_from_every_format_byte_for_byte() -> None:
    strings = [each for each in json.loads(NAUGHTY.read_text()) if "\0" not in each]
    assert len(strings) > 500
    check({LINE: "integer", "said": "text"}, [{LINE: number, "said": each} for number, each in enumerate(strings)])


def test_null_and_empty_text_differ_in_every_format() -> None:
    types = {LINE: "integer", "note": "text", "day": "date", "at": "timestamp"}
    said = {"day": date(1, 1, 1), "at": datetime.fromisoformat("9999-12-31T23:59:59.999Z")}
    check(types, [{LINE: 0, "note": None, **said}, {LINE: 1, "note": "", **said}])


def test_every_format_that_keeps_values_exactly_is_compared() -> None:
    # A workbook has but one kind of number, and no way to tell an empty text from nothing.
    assert set(WRITERS) == set(FORMATS) - {"excel"}
