"""The grammar of each type, on both sides of every limit."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records.types import polars_type, type_columns, type_faults

WRONG, RANGE, DIGITS = "wrong_type", "out_of_range", "too_many_digits"
MAX = 2**63 - 1
NINES = "9" * 34


def moment(*parts, millis=0):
    return datetime(*parts, tzinfo=UTC) + timedelta(milliseconds=millis)


ACCEPTED = [
    ("text", "", ""),
    ("text", " 'é' \n", " 'é' \n"),
    ("integer", "0", 0),
    ("integer", "-0", 0),
    ("integer", "007", 7),
    ("integer", "0" * 30 + "7", 7),
    ("integer", str(MAX), MAX),
    ("integer", str(-MAX - 1), -MAX - 1),
    ("decimal(12,2)", "0", Decimal("0.00")),
    ("decimal(12,2)", "-0.00", Decimal("0.00")),
    ("decimal(12,2)", "1.5", Decimal("1.50")),
    ("decimal(12,2)", "0" * 50 + "1.50", Decimal("1.50")),
    ("decimal(12,2)", "9999999999.99", Decimal("9999999999.99")),
    ("decimal(12,2)", "-9999999999.99", Decimal("-9999999999.99")),
    ("decimal(5,0)", "99999", Decimal(99999)),
    ("decimal(2,2)", "0.99", Decimal("0.99")),
    ("decimal(2,2)", "00.9", Decimal("0.90")),
    ("decimal(34,0)", NINES, Decimal(NINES)),
    ("decimal(34,34)", f"-0.{NINES}", Decimal(f"-0.{NINES}")),
    ("decimal(34,10)", f"{NINES[:24]}.{NINES[:10]}", Decimal(f"{NINES[:24]}.{NINES[:10]}")),
    ("float", "0.1", 0.1),
    ("float", "1e-5", 1e-5),
    ("float", "1E+300", 1e300),
    ("float", "1.7976931348623157e308", 1.7976931348623157e308),
    ("float", "5e-324", 5e-324),
    ("float", "007", 7.0),
    ("boolean", "true", True),
    ("boolean", "True", True),
    ("boolean", "TRUE", True),
    ("boolean", "false", False),
    ("boolean", "False", False),
    ("boolean", "FALSE", False),
    ("date", "0001-01-01", date(1, 1, 1)),
    ("date", "9999-12-31", date(9999, 12, 31)),
    ("date", "2024-02-29", date(2024, 2, 29)),
    ("date", "2000-02-29", date(2000, 2, 29)),
    ("timestamp", "2024-02-29T10:11:12Z", moment(2024, 2, 29, 10, 11, 12)),
    ("timestamp", "2024-02-29 10:11:12", moment(2024, 2, 29, 10, 11, 12)),
    ("timestamp", "2024-02-29T10:11:12.1Z", moment(2024, 2, 29, 10, 11, 12, millis=100)),
    ("timestamp", "2024-02-29 10:11:12.12", moment(2024, 2, 29, 10, 11, 12, millis=120)),
    ("timestamp", "2024-02-29T23:59:59.999+00:00", moment(2024, 2, 29, 23, 59, 59, millis=999)),
    ("timestamp", "2024-02-29T00:30:00+01:00", moment(2024, 2, 28, 23, 30)),
    ("timestamp", "2024-02-29 23:30:00.5-05:30", moment(2024, 3, 1, 5, 0, millis=500)),
    ("timestamp", "0001-01-01T00:00:00Z", moment(1, 1, 1)),
    ("timestamp", "9999-12-31T23:59:59.999Z", moment(9999, 12, 31, 23, 59, 59, millis=999)),
    ("timestamp", "0001-01-01T02:00:00+02:00", moment(1, 1, 1)),
    ("timestamp(6)", "2024-02-29T10:11:12Z", moment(2024, 2, 29, 10, 11, 12)),
    ("timestamp(6)", "2024-02-29 10:11:12.5", moment(2024, 2, 29, 10, 11, 12, 500_000)),
    ("timestamp(6)", "2024-02-29T10:11:12.1234Z", moment(2024, 2, 29, 10, 11, 12, 123_400)),
    ("timestamp(6)", "2024-02-29T00:30:00.000001+01:00", moment(2024, 2, 28, 23, 30, 0, 1)),
    ("timestamp(6)", "9999-12-31T23:59:59.999999Z", moment(9999, 12, 31, 23, 59, 59, 999_999)),
    ("timestamp(6)", "0001-01-01T00:00:00.000000Z", moment(1, 1, 1)),
    ("json", ' {"b": 1.0, "a": [true, null, "\\u00e9"]}\n', '{"a":[true,null,"é"],"b":1}'),
    ("json", "null", "null"),
    ("json", '""', '""'),
    ("json", "-0", "0"),
    ("json", "1E2", "100"),
    ("json", '"\\\\u0000"', '"\\\\u0000"'),
    ("json", '{"$set":{"a.b":""},"":1}', '{"":1,"$set":{"a.b":""}}'),
    ("json", '"\ufffe\uffff\\u001f"', '"\ufffe\uffff\\u001f"'),
    ("json", '"e\u0301"', '"e\u0301"'),
    ("json", "[" * 100 + "]" * 100, "[" * 100 + "]" * 100),
    ("text", "\x01\x08\x1f\x7f\t\ufffe\uffff e\u0301 é", "\x01\x08\x1f\x7f\t\ufffe\uffff e\u0301 é"),
]
REFUSED_TEXTS = {
    ("integer", WRONG): [
        "NaN",
        "Infinity",
        "",
        " 1",
        "1 ",
        "+1",
        "--1",
        "-",
        "1.0",
        "1e3",
        "1_0",
        "٣",
        "²",
        "0x1",
        "1\n",
    ],
    ("integer", RANGE): [str(MAX + 1), str(-MAX - 2), "1" * 5000, "-" + "1" * 4301],
    ("decimal(12,2)", WRONG): [
        "1_000",
        "-Infinity",
        "",
        ".5",
        "5.",
        "+1",
        "1e3",
        "1,5",
        "NaN",
        "Infinity",
        "1.5.0",
        "٣",
    ],
    ("decimal(12,2)", DIGITS): ["1.500", "0.001", "99999999999.999"],
    ("decimal(12,2)", RANGE): ["10000000000", "-10000000000.00", "9" * 100, "9" * 4301],
    ("decimal(2,2)", RANGE): ["1.00"],
    ("decimal(5,0)", DIGITS): ["1.0"],
    ("decimal(5,0)", RANGE): ["100000"],
    ("decimal(34,0)", RANGE): [f"1{NINES}"],
    ("float", WRONG): ["", "nan", "NaN", "inf", "Infinity", ".5", "5.", "+1", "1e", "0x1p3", "1_0", "1f"],
    ("float", RANGE): ["1e400", "-1e400", "1.7976931348623159e308", "1" * 400],
    ("boolean", WRONG): ["", "1", "0", "yes", "t", "tRUE", "true ", "falſe"],
    ("date", WRONG): ["", "2024-1-01", "24-01-01", "01.02.2024", "2024-01-01T00:00:00", "20240101", "+2024-01-1"],
    ("date", RANGE): ["0000-01-01", "2023-02-29", "1900-02-29", "2024-13-01", "2024-00-10", "2024-04-31"],
    ("timestamp", WRONG): [
        *("", "2024-01-01", "2024-01-01T10:11", "2024-01-01t10:11:12", "2024-01-01T10:11:12z", "٢024-01-01T10:11:12"),
        *("2024-01-01  10:11:12", "2024-01-01T10:11:12 Z", "2024-01-01T10:11:12+01", "2024-01-01T10:11:12+0100"),
        *("2024-01-01T10:11:12.Z", "2024-01-01T10:11:12,5Z", "2024-01-01T10:11:12Z\n"),
    ],
    ("timestamp", RANGE): [
        *("2024-01-01T24:00:00Z", "2024-01-01T23:60:00Z", "2024-01-01T23:59:60Z", "2023-02-29T00:00:00Z"),
        *("0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"),
        "2024-01-01T00:00:00+24:00",
    ],
    ("timestamp", DIGITS): ["2024-01-01T10:11:12.1234Z", "2024-01-01 10:11:12.000000"],
    ("timestamp(6)", DIGITS): ["2024-01-01T10:11:12.1234567Z", "2024-01-01 10:11:12.0000000"],
    ("timestamp(6)", WRONG): ["", "2024-01-01", "2024-01-01T10:11:12.Z", "2024-01-01T10:11:12,123456Z"],
    ("timestamp(6)", RANGE): ["0001-01-01T00:00:00.999999+00:01", "9999-12-31T23:59:59.000001-00:01"],
    ("json", "invalid_json"): ["", "{", "[1,]", "{a:1}", "'a'", "True", "+1", ".5", "٣"],
    ("json", "text_after_value"): ["{} {}", "1 2", "{}x", "01", "1_000", "1."],
    ("json", "doubled_key"): ['{"a":1,"a":1}', '{"x":[{"a":1,"\\u0061":2}]}'],
    ("json", "not_finite"): ["NaN", "Infinity", "-Infinity", '{"a":[NaN]}'],
    ("json", "number_not_exact"): ["1e400", "9007199254740993", "0.1000000000000000055", "1" * 4301, "1e-400"],
    ("json", "lone_surrogate"): ['"\\ud800"', '{"\\udc00":1}'],
    ("json", "nul"): ['"a\\u0000"', '{"\\u0000":1}', '["\\\\\\u0000"]'],
    ("json", "control_character"): ['"a\tb"', '"\x01"'],
    ("json", "too_deep"): ["[" * 101 + "]" * 101, '{"a":' * 5000 + "1" + "}" * 5000],
}
REFUSED = [(declared, text, code) for (declared, code), texts in REFUSED_TEXTS.items() for text in texts]


def typed(texts, declared):
    """Typed values and the (row, code) of each fault."""
    text = pl.DataFrame({"column": texts}, schema={"column": pl.String})
    values = type_columns(text, {"column": declared})["column"]
    assert values.dtype == polars_type(declared)
    faults = type_faults(text["column"], values, declared)
    return values.to_list(), [(row["row"], row["code"]) for fault in faults for row in fault.to_dicts()]


@pytest.mark.parametrize(("declared", "text", "value"), ACCEPTED)
def test_a_value_inside_the_limits_is_accepted(declared, text, value):
    assert typed([None, text, None], declared) == ([None, value, None], [])


@pytest.mark.parametrize(("declared", "text", "code"), REFUSED)
def test_a_value_outside_the_limits_is_a_fault(declared, text, code):
    assert typed([None, text, None], declared) == ([None, None, None], [(1, code)])


def test_a_column_of_all_shapes_of_timestamps_is_typed_whole():
    cases = [(text, value) for declared, text, value in ACCEPTED if declared == "timestamp"]
    bad = [text for declared, text, _ in REFUSED if declared == "timestamp"]
    texts = [text for good, text_ in zip(cases * 3, bad * 3, strict=False) for text in (good[0], None, text_)]
    values = [value for good, _ in zip(cases * 3, bad * 3, strict=False) for value in (good[1], None, None)]
    found, faults = typed(texts, "timestamp")
    assert found == values
    assert [row for row, _ in faults] == list(range(2, len(texts), 3))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), min_size=1, max_size=8),
    st.sampled_from(["T", " "]),
    st.integers(0, 3),
    st.sampled_from(["", "Z", "+00:00", "-11:45", "+14:00"]),
)
def test_any_timestamp_means_what_it_means_in_python(times, separator, digits, zone):
    cut = 10 ** (6 - digits)
    times = [time.replace(microsecond=time.microsecond // cut * cut) for time in times]
    fraction = [f".{time.microsecond:06d}"[: digits + 1] if digits else "" for time in times]
    texts = [f"{t.isoformat(separator)[:19]}{part}{zone}" for t, part in zip(times, fraction, strict=True)]
    wanted = [
        t.replace(tzinfo=UTC) - (datetime.fromisoformat(f"2000-01-01T00:00:00{zone or 'Z'}").utcoffset()) for t in times
    ]
    assert typed(texts, "timestamp") == (wanted, [])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("+-01239 _.,eE\t\n٣²\ufeff", max_size=5) | st.integers().map(str), min_size=1, max_size=20))
def test_only_texts_of_the_grammar_are_integers(texts):
    wanted = [int(text) if re.fullmatch("-?[0-9]+", text) else None for text in texts]
    wanted = [value if value is None or -MAX - 1 <= value <= MAX else None for value in wanted]
    assert typed(texts, "integer")[0] == wanted


@settings(max_examples=150, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_float_reads_back_exactly(value):
    assert typed([repr(value)], "float") == ([value + 0.0], [])
    assert str(typed(["-0.0"], "float")[0][0]) == "0.0"


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 34).flatmap(lambda p: st.tuples(st.just(p), st.integers(0, p))), st.data())
def test_any_decimal_that_fits_reads_back_exactly(size, data):
    precision, scale = size
    unscaled = data.draw(st.integers(-(10**precision) + 1, 10**precision - 1))
    value = Decimal(unscaled).scaleb(-scale, Context(prec=precision))
    assert typed([f"{value:f}"], f"decimal({precision},{scale})") == ([value], [])


def test_a_reason_names_column_type_and_value_but_not_all_of_a_long_one():
    text = pl.Series("amount", ["x" * 500])
    (fault,) = type_faults(text, pl.Series("amount", [None], pl.Decimal(12, 2)), "decimal(12,2)")
    assert fault["reason"].item() == f'amount: expected decimal(12,2), found "{"x" * 80}"'
