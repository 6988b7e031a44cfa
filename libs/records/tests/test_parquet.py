"""What a Parquet file holds comes out as texts, value by value, and is the same as from any other format."""

import gzip
import io
import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, BinaryIO
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pyarrow as pa
from hypothesis import given, settings
from records.arrow_json import column_texts
from records.columns import canonical
from records.csv.reader import CsvReader
from records.formats import Reader, open_reader
from records.formats.parquet import ParquetReader
from records.row_hash import row_hashes
from records.types import type_columns
from waybill_contracts.format import Format

from .parquet_files import written
from .reference import Row, frame_of, tables

STAMP = datetime(2026, 1, 31, 23, 59, 58, 123456)
FLOATS = [0.1, 1.0, -0.0, 1e16, 16777216.0, 1e-5, 3.5]


def rows_of(reader: Reader, names: list[str] | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All rows and all rejects."""
    blocks = list(reader.blocks(names))
    reader.prove()
    return pl.concat([block.frame for block in blocks]), pl.concat([block.rejects for block in blocks])


def texts_in(values: pa.Array, **how: Any) -> list[str | None]:
    frame, rejects = rows_of(ParquetReader(written(pa.table({"value": values}), **how)))
    assert rejects.is_empty()
    return frame["value"].to_list()


COLUMNS: dict[str, tuple[Any, list[str | None]]] = {
    "integers": (pa.array([-(2**63), None, 2**63 - 1]), ["-9223372036854775808", None, "9223372036854775807"]),
    "unsigned": (pa.array([0, 2**64 - 1], pa.uint64()), ["0", "18446744073709551615"]),
    "narrow": (pa.array([-128, 127], pa.int8()), ["-128", "127"]),
    "booleans": (pa.array([True, None, False]), ["true", None, "false"]),
    "decimals": (pa.array([Decimal("-0.05"), Decimal("1.50"), None], pa.decimal128(5, 2)), ["-0.05", "1.50", None]),
    "small decimals": (
        pa.array([Decimal("1e-20"), Decimal(0)], pa.decimal128(30, 20)),
        [f"0.{'1':0>20}", f"0.{'':0>20}"],
    ),
    "wide decimals": (
        pa.array([Decimal(f"-{'9' * 60}.{'9' * 16}"), Decimal(0)], pa.decimal256(76, 16)),
        [f"-{'9' * 60}.{'9' * 16}", f"0.{'0' * 16}"],
    ),
    "whole decimals": (pa.array([Decimal(10**37)], pa.decimal128(38, 0)), [str(10**37)]),
    "doubles": (pa.array(FLOATS), ["0.1", "1.0", "0.0", "1e+16", "16777216.0", "1e-05", "3.5"]),
    "floats": (pa.array(FLOATS, pa.float32()), ["0.1", "1.0", "0.0", "1e+16", "16777216.0", "1e-05", "3.5"]),
    "halves": (pa.array(np.array([0.1, 1, 0.333], np.float16)), ["0.1", "1.0", "0.333"]),
    "days": (pa.array([date(1, 1, 1), date(9999, 12, 31), None]), ["0001-01-01", "9999-12-31", None]),
    "seconds": (pa.array([STAMP], pa.timestamp("s")), ["2026-01-31T23:59:58.000"]),
    "milliseconds": (pa.array([STAMP], pa.timestamp("ms", "UTC")), ["2026-01-31T23:59:58.123Z"]),
    "microseconds": (
        pa.array([STAMP, datetime(1, 1, 1), None, datetime(9999, 12, 31, 23, 59, 59, 999000)], pa.timestamp("us")),
        ["2026-01-31T23:59:58.123456", "0001-01-01T00:00:00.000", None, "9999-12-31T23:59:59.999"],
    ),
    "nanoseconds": (
        pa.array([1, -1], pa.int64()).cast(pa.timestamp("us")).cast(pa.timestamp("ns")),
        ["1970-01-01T00:00:00.000001", "1969-12-31T23:59:59.999999"],
    ),
    "a zone": (
        pa.array([STAMP.replace(tzinfo=ZoneInfo("Europe/Berlin"))], pa.timestamp("us", "Europe/Berlin")),
        ["2026-01-31T22:59:58.123456Z"],
    ),
    "times": (pa.array([time(), time(23, 59, 59, 5), None]), ["00:00:00", "23:59:59.000005", None]),
    "times of seconds": (pa.array([time(1, 2, 3)], pa.time32("s")), ["01:02:03"]),
    "times of milliseconds": (pa.array([time(1, 2, 3, 4000)], pa.time32("ms")), ["01:02:03.004000"]),
    "texts": (pa.array(["", None, 'a "b"\r\n', "é\U0001f69a"]), ["", None, 'a "b"\r\n', "é\U0001f69a"]),
    "large texts": (pa.array(["a" * 20, None], pa.large_string()), ["a" * 20, None]),
    "views of texts": (pa.array(["a" * 20, None], pa.string_view()), ["a" * 20, None]),
    "bytes": (pa.array(["é".encode(), b""], pa.binary()), ["é", ""]),
    "bytes of one size": (pa.array([b"abcd", None], pa.binary(4)), ["abcd", None]),
    "UUIDs": (pa.array([UUID(int=10).bytes, None], pa.uuid()), [str(UUID(int=10)), None]),
    "texts of JSON": (pa.array(['{"b": 1, "a":2}'], pa.json_()), ['{"b": 1, "a":2}']),
    "dictionaries": (pa.array(["b", None, "a", "b"]).dictionary_encode(), ["b", None, "a", "b"]),
    "nothing": (pa.nulls(2), [None, None]),
    "lists": (pa.array([[2, None], [], None, [1]]), ["[2,null]", "[]", None, "[1]"]),
    "lists of one size": (pa.array([[1, 2]], pa.list_(pa.int32(), 2)), ["[1,2]"]),
    "structs": (
        pa.array([{"b": 1.0, "a": "é"}, None, {"b": None, "a": ""}]),
        ['{"a":"é","b":1}', None, '{"a":"","b":null}'],
    ),
    "maps": (
        pa.array([[("k", 1), ("j", None)], [], None], pa.map_(pa.string(), pa.int8())),
        ['{"j":null,"k":1}', "{}", None],
    ),
    "maps of numbers": (pa.array([[(10, "x"), (9, "y")]], pa.map_(pa.int8(), pa.string())), ['{"10":"x","9":"y"}']),
    "deep values": (
        pa.array([[{"d": date(2026, 1, 31), "n": [Decimal("1.50")], "t": True}], [None]]),
        ['[{"d":"2026-01-31","n":[1.5],"t":true}]', "[null]"],
    ),
}


def test_every_value_becomes_its_canonical_text() -> None:
    for row_groups in (1, 2, 100):
        long = {what: pa.concat_arrays([values] * 12)[:12] for what, (values, _) in COLUMNS.items()}
        frame, rejects = rows_of(ParquetReader(written(pa.table(long), row_group_size=row_groups)), list(long))
        assert rejects.is_empty()
        for what, (_, expected) in COLUMNS.items():
            assert (what, frame[what].to_list()) == (what, (expected * 12)[:12])


def test_timestamps_of_96_bits_are_exact_in_all_years() -> None:
    stamps = [datetime(1, 1, 1), None, STAMP, datetime(9999, 12, 31, 23, 59, 59, 999999)]
    file = written(pa.table({"t": pa.array(stamps, pa.timestamp("us"))}), use_deprecated_int96_timestamps=True)
    frame, rejects = rows_of(ParquetReader(file))
    assert rejects.is_empty()
    assert frame["t"].to_list() == [
        "0001-01-01T00:00:00.000",
        None,
        "2026-01-31T23:59:58.123456",
        "9999-12-31T23:59:59.999999",
    ]


BAD_VALUES: dict[str, tuple[Any, str, Any]] = {
    "NaN": (pa.array([1.0, float("nan")]), "not_finite", "NaN"),
    "infinity": (pa.array([1.0, float("-inf")], pa.float32()), "not_finite", "-inf"),
    "nanoseconds": (pa.array([1000, 1001], pa.timestamp("ns")), "too_many_digits", "1970-01-01T00:00:00.000001001"),
    "nanoseconds of a time": (pa.array([1000, 1001], pa.time64("ns")), "too_many_digits", "00:00:00.000001001"),
    "day": (pa.array([0, 2932897], pa.date32()), "out_of_range", "2932897 days after 1970-01-01"),
    "timestamp": (
        pa.array([0, -62135596801], pa.timestamp("s")),
        "out_of_range",
        "-62135596801 seconds after 1970-01-01",
    ),
    "UTF-8": (pa.array([b"a", b"\xffb"]), "invalid_utf8", "\\xffb"),
    "NUL": (pa.array(["a", "b\0"]), "nul", "b\0"),
    "NUL inside": (pa.array([["a"], ["b\0"]]), "nul", ["b\0"]),
    "a number inside": (pa.array([[1], [2**53 + 1]]), "number_not_exact", ["9007199254740993"]),
    "NaN inside": (pa.array([{"a": [1.0]}, {"a": [float("nan")]}]), "not_finite", {"a": ["NaN"]}),
    "a key twice": (
        pa.array([[("a", 1)], [("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int8())),
        "doubled_key",
        [["a", "1"], ["a", "2"]],
    ),
    "length": (pa.array(["a", "b" * (9 << 20)]), "field_too_long", "b" * (9 << 20)),
}


def test_a_value_that_has_no_text_rejects_its_row_and_no_other() -> None:
    count = len(BAD_VALUES)
    columns = {
        f"Value {number}": pa.concat_arrays([*[values[:1]] * number, values[1:], *[values[:1]] * (count - number)])
        for number, (values, _, _) in enumerate(BAD_VALUES.values())
    }
    frame, rejects = rows_of(ParquetReader(written(pa.table(columns))))
    assert frame["_line"].to_list() == [count + 1]
    assert rejects["line"].to_list() == list(range(1, count + 1))
    assert rejects.select("start", "size").unique().rows() == [(None, None)]
    for number, (what, (_, code, shown)) in enumerate(BAD_VALUES.items()):
        row = rejects.row(number, named=True)
        assert (what, row["codes"], row["columns"]) == (what, [code], [f"value_{number}"])
        assert row["reasons"][0].startswith(f"value_{number}: ")
        assert (what, json.loads(row["raw"])[f"Value {number}"]) == (what, shown)


def test_a_row_is_numbered_from_1_and_shown_as_one_json_object() -> None:
    table = pa.table({"Id": range(40_000), "Note": pa.array([None, 'a "b"'] * 20_000)})
    reader = ParquetReader(written(table))
    assert (reader.header, reader.line) == (["Id", "Note"], 1)
    blocks = list(reader.blocks())
    assert pl.concat([block.frame["_line"] for block in blocks]).to_list() == list(range(1, 40_001))
    assert blocks[1].frame["_line"][0] == blocks[0].frame.height + 1
    assert blocks[0].raw([1, 0]).to_list() == ['{"Id":1,"Note":"a \\"b\\""}', '{"Id":0,"Note":null}']
    assert blocks[0].longer_than(5).to_list()[:2] == [1, 3]
    assert blocks[0].origin.spans(pl.Series([0])).rows() == [(None, None)]
    assert reader.line == 40_001


def test_a_file_whose_bytes_are_made_while_they_are_read_is_read_too() -> None:
    content = written(pa.table({"id": [1, 2]})).read()
    with gzip.open(io.BytesIO(gzip.compress(content))) as source:
        frame, _ = rows_of(open_reader(source, Format(type="parquet")))  # type: ignore[arg-type]
    assert frame["id"].to_list() == ["1", "2"]


def csv_of(names: list[str], rows: list[list[str | None]]) -> BinaryIO:
    quoted = [[f'"{text.replace(chr(34), chr(34) * 2)}"' if text is not None else "" for text in row] for row in rows]
    return io.BytesIO("".join(f"{','.join(row)}\n" for row in [names, *quoted]).encode())


def texts_as_needed(values: pl.Series, kind: str) -> pl.Series:
    """Canonical texts; microseconds that are zero are left out, so that a column without any can be a timestamp."""
    return canonical(values).str.replace("000Z$", "Z") if kind == "timestamp(6)" else canonical(values)


def json_lines_of(types: dict[str, str], rows: list[list[str | None]]) -> BinaryIO:
    def member(name: str, text: str | None) -> str:
        is_literal = types[name] in ("integer", "float", "boolean") or types[name].startswith("decimal")
        return f"{json.dumps(name)}:{text if is_literal and text else json.dumps(text)}"

    lines = (",".join(map(member, types, row)) for row in rows)
    return io.BytesIO("".join(f"{{{line}}}\n" for line in lines).encode())


Found = tuple[list[tuple[str | None, ...]], list[bytes], list[set[str]]]


def found_by(reader: Reader, types: dict[str, str]) -> Found:
    """Texts and hashes of the good rows, and why the others are rejects."""
    blocks = list(reader.blocks(list(types)))
    reader.prove()
    none = pl.DataFrame(schema=dict.fromkeys(types, pl.String))
    kept = pl.concat([none, *(block.frame.drop("_line") for block in blocks)])
    rejected = [set(codes) for block in blocks for codes in block.rejects["codes"].to_list()]
    return kept.rows(), row_hashes(type_columns(kept, types), types).to_list(), rejected


@given(tables())
@settings(max_examples=40)
def test_any_table_has_the_same_texts_and_hashes_from_all_formats(table: tuple[dict[str, str], list[Row]]) -> None:
    types, rows = table
    types = {"row_number": "integer"} | types
    frame = frame_of(types, [row | {"row_number": number} for number, row in enumerate([*rows, dict.fromkeys(types)])])
    columns = [texts_as_needed(frame[name], kind) for name, kind in types.items()]
    texts = [list(row) for row in pl.DataFrame(columns).rows()]
    parquet = found_by(ParquetReader(written(frame.to_arrow())), types)
    assert parquet == found_by(CsvReader(csv_of(list(types), texts)), types)
    assert parquet == found_by(open_reader(json_lines_of(types, texts), Format(type="jsonl")), types)
    assert len(parquet[0]) == sum(all("\0" not in (text or "") for text in row) for row in texts)


@given(tables())
@settings(max_examples=100)
def test_texts_of_arrow_are_those_of_the_typed_columns(table: tuple[dict[str, str], list[Row]]) -> None:
    frame = frame_of(*table)
    arrow = frame.to_arrow()
    for name, kind in table[0].items():
        column = arrow.column(name).combine_chunks()
        values = column.cast(pa.large_binary()) if frame[name].dtype == pl.String else column
        assert (
            column_texts(name, values, arrow.field(name)).texts.to_list()
            == texts_as_needed(frame[name], kind).to_list()
        )
