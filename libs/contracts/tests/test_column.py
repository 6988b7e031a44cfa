"""What a declaration may say of dates, timestamps, nulls and nested values, and what it is told instead."""

from typing import Any

import pytest
from pydantic import ValidationError
from waybill_contracts import Column, Declaration, dump_declaration, parse_declaration


def problem(**fields: Any) -> str:
    """The one thing that is wrong with a column, with the name of its field."""
    with pytest.raises(ValidationError) as caught:
        Column(**fields)
    (error,) = caught.value.errors()
    return f"{'.'.join(map(str, error['loc']))}: {error['msg'].removeprefix('Value error, ')}"


DATES = ["%d.%m.%Y", "%Y%m%d", "%m/%d/%Y", "%d %b %Y", "%B %d, %Y", "%d-%b-%Y", "%Y年%m月%d日", "100%% %Y-%m-%d"]
TIMES = [
    "%Y-%m-%d %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%Y%m%d%H",
    "%m/%d/%Y %I:%M:%S %p",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%d/%b/%Y:%H:%M:%S %z",
    "%f %S:%M:%H %d.%m.%Y",
]


@pytest.mark.parametrize("text", DATES)
def test_a_date_is_written_in_any_order_of_year_month_and_day(text: str) -> None:
    assert Column(type="date", format=text).format == text


@pytest.mark.parametrize("text", TIMES)
@pytest.mark.parametrize("kind", ["timestamp", "timestamp(6)"])
def test_a_timestamp_is_written_with_a_day_and_at_least_an_hour(kind: str, text: str) -> None:
    assert Column(type=kind, format=text).format == text


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("date", "%d.%m.%y", "expected %Y, found %y: two digits of a year do not tell the century"),
        ("date", "%d.%m.%Q", "expected of directives only %Y, %m, %b, %B, %d"),
        ("date", "%d.%m.%Y%", "expected of directives only"),
        ("date", "%d.%-m.%Y", "expected of directives only"),
        ("date", "%Y-%j", "expected of directives only"),
        ("date", "%x", "expected of directives only"),
        ("date", "dd.mm.yyyy", "expected one month: %m, %b or %B"),
        ("date", "%d.%Y", "expected one month: %m, %b or %B"),
        ("date", "%d.%m.%b.%Y", "expected one month: %m, %b or %B"),
        ("date", "%d.%m", "expected %Y: without, no day is told"),
        ("date", "%m", "expected %Y and %d: without, no day is told"),
        ("date", "%d.%m.%Y %d", "expected %d once"),
        ("date", "%d.%m.%Y %H:%M", "expected no %H, %M: a date has no time of day"),
        ("date", "%d.%m.%Y %z", "expected no %z: a date has no time of day"),
        ("timestamp", "%d.%m.%Y", "expected one hour, %H or %I with %p: days without a time are of type date"),
        ("timestamp", "%d.%m.%Y %H %I %p", "expected one hour, %H or %I with %p"),
        ("timestamp", "%d.%m.%Y %I:%M", "expected %I and %p together"),
        ("timestamp", "%d.%m.%Y %H:%M %p", "expected %I and %p together"),
        ("timestamp", "%d.%m.%Y %H %S", "expected %M beside %S"),
        ("timestamp", "%d.%m.%Y %H:%M.%f", "expected %S beside %f"),
        ("timestamp", "%H:%M:%S.%f%Y%m%d", "expected no digits behind %f, which has 1 to 6 of them, found %Y"),
        ("timestamp", "%d.%m.%Y %H:%M:%S.%f0", "expected no digits behind %f, which has 1 to 6 of them, found 0"),
        ("text", "%d.%m.%Y", "expected only for types date and timestamp, not text"),
        ("integer", "%d.%m.%Y", "expected only for types date and timestamp, not integer"),
    ],
)
def test_a_format_that_leaves_a_day_or_moment_open_is_refused_with_what_it_lacks(
    kind: str, text: str, expected: str
) -> None:
    assert problem(type=kind, format=text).startswith(f"format: {expected}")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"type": "timestamp", "zone": "Europe Berlin"}, "expected the name of a time zone, as Europe/Berlin"),
        ({"type": "timestamp", "zone": "../etc/passwd"}, "expected the name of a time zone"),
        ({"type": "timestamp", "zone": "+01:00"}, "expected the name of a time zone"),
        ({"type": "date", "zone": "Europe/Berlin"}, "expected only for type timestamp, not date"),
        ({"zone": "Europe/Berlin"}, "expected only for type timestamp, not text"),
        (
            {"type": "timestamp", "format": "%d.%m.%Y %H:%M%z", "zone": "Europe/Berlin"},
            "expected none beside a format with %z: each value says its own",
        ),
    ],
)
def test_a_zone_is_for_timestamps_that_say_none(fields: dict[str, str], expected: str) -> None:
    assert problem(**fields).startswith(f"zone: {expected}")


def test_a_percent_sign_before_a_z_is_no_directive() -> None:
    column = Column(type="timestamp", format="%d.%m.%Y %H:%M %%z", zone="America/Argentina/Buenos_Aires")
    assert column.zone == "America/Argentina/Buenos_Aires"


@pytest.mark.parametrize(
    "fields", [{"null_values": ("-",)}, {"type": "date", "format": "%Y%m%d"}, {"type": "timestamp", "zone": "UTC"}]
)
@pytest.mark.parametrize("source", [{"constant": "x"}, {"derived": "id"}])
def test_a_column_that_is_not_in_the_files_is_not_written_there_in_any_way(
    fields: dict[str, Any], source: dict[str, str]
) -> None:
    (name,) = fields.keys() - {"type"}
    assert problem(**fields, **source) == f": expected no {name}: the column is not in the files"


@pytest.mark.parametrize(
    ("kind", "limit"), [("timestamp", "2026-01-01T00:00:00.1234Z"), ("timestamp(6)", "2026-01-01T00:00:00.1234567Z")]
)
def test_a_limit_has_no_more_digits_than_its_type(kind: str, limit: str) -> None:
    assert problem(type=kind, minimum=limit).startswith("minimum: expected a timestamp as YYYY-MM-DDTHH:MM:SSZ")
    assert Column(type="timestamp(6)", minimum="2026-01-01T00:00:00.123456Z").minimum


def declared(**fields: Any) -> Declaration:
    columns = {"id": {"type": "integer"}, "doc": {"type": "json"}, "at": {"type": "timestamp(6)"}}
    return Declaration.model_validate(
        {"organisation": "acme", "table": "orders", "key": ["id"], "columns": columns} | fields
    )


@pytest.mark.parametrize(
    "fields",
    [{"key": ["id", "doc"]}, {"mode": "snapshot", "partition": {"column": "doc"}}, {"order_by": {"column": "doc"}}],
)
def test_a_nested_value_neither_names_nor_orders_nor_divides_records(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="expected no json in key, order_by or partition, found doc"):
        declared(**fields)


def test_microseconds_order_records() -> None:
    assert declared(order_by={"column": "at"}).needed_columns == {"id", "at"}


def test_texts_for_null_count_among_what_a_message_must_hold() -> None:
    texts = ["x" * 10_000] * 21
    for fields in ({"format": {"null_values": texts}}, {"columns": {"id": {"null_values": texts}}}):
        with pytest.raises(ValidationError, match="at most 200000 characters"):
            declared(**fields)


def test_what_is_said_of_times_and_nulls_is_dumped_and_reads_back_the_same() -> None:
    columns = {
        "id": {"type": "integer", "null_values": ["", "NULL", " - "]},
        "at": {"type": "timestamp(6)", "format": "%d.%m.%Y %H:%M:%S,%f", "zone": "Europe/Berlin"},
        "doc": {"type": "json"},
    }
    one = declared(columns=columns, format={"null_values": ["", "n/a"]})
    assert parse_declaration(dump_declaration(one), "orders.yaml") == one
