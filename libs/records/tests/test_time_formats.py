"""Dates and timestamps in declared formats: the whole text, in exact widths, or a fault."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records.types import Notation, polars_type, type_columns, type_faults

WRONG, RANGE, DIGITS = "wrong_type", "out_of_range", "too_many_digits"


def typed(texts, declared, written):
    """Typed values and the codes of the faults."""
    text = pl.DataFrame({"at": texts}, schema={"at": pl.String})
    notation = Notation(written)
    values = type_columns(text, {"at": declared}, {"at": notation})["at"]
    assert values.dtype == polars_type(declared)
    faults = type_faults(text["at"], values, declared, notation)
    return values.to_list(), [code for fault in faults for code in fault["code"]]


def moment(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("declared", "written", "text", "value"),
    [
        ("date", "%d.%m.%Y", "01.02.2026", date(2026, 2, 1)),
        ("date", "%d.%m.%Y", "29.02.2024", date(2024, 2, 29)),
        ("date", "%d.%m.%Y", "01.01.0001", date(1, 1, 1)),
        ("date", "%Y%m%d", "99991231", date(9999, 12, 31)),
        ("date", "%d-%b-%Y", "31-JAN-2026", date(2026, 1, 31)),
        ("date", "%d-%b-%Y", "31-jan-2026", date(2026, 1, 31)),
        ("date", "%B %d, %Y", "September 05, 2026", date(2026, 9, 5)),
        ("date", "%B %d, %Y", "May 05, 2026", date(2026, 5, 5)),
        ("date", "%Y年%m月%d日", "2026年01月31日", date(2026, 1, 31)),
        ("date", "%%%Y (%m) [%d]+$", "%2026 (01) [31]+$", date(2026, 1, 31)),
        ("timestamp", "%d.%m.%Y %H:%M:%S", "31.01.2026 23:59:59", moment(2026, 1, 31, 23, 59, 59)),
        ("timestamp", "%d.%m.%Y %H:%M", "31.01.2026 23:59", moment(2026, 1, 31, 23, 59)),
        ("timestamp", "%Y%m%d%H", "2026013123", moment(2026, 1, 31, 23)),
        ("timestamp", "%m/%d/%Y %I:%M %p", "01/31/2026 12:05 AM", moment(2026, 1, 31, 0, 5)),
        ("timestamp", "%m/%d/%Y %I:%M %p", "01/31/2026 12:05 pm", moment(2026, 1, 31, 12, 5)),
        ("timestamp", "%m/%d/%Y %I:%M %p", "01/31/2026 11:05 PM", moment(2026, 1, 31, 23, 5)),
        ("timestamp", "%d.%m.%Y %H:%M:%S,%f", "31.01.2026 00:00:00,5", moment(2026, 1, 31, 0, 0, 0, 500_000)),
        ("timestamp", "%d.%m.%Y %H:%M:%S,%f", "31.01.2026 00:00:00,005", moment(2026, 1, 31, 0, 0, 0, 5_000)),
        ("timestamp(6)", "%f %d.%m.%Y %H:%M:%S", "000001 31.01.2026 00:00:00", moment(2026, 1, 31, 0, 0, 0, 1)),
        ("timestamp", "%Y-%m-%dT%H:%M%z", "2026-01-31T00:30+0130", moment(2026, 1, 30, 23)),
        ("timestamp", "%Y-%m-%dT%H:%M%z", "2026-01-31T00:30-01:30", moment(2026, 1, 31, 2)),
        ("timestamp(6)", "%Y-%m-%dT%H:%M:%S.%f%z", "2026-01-31T00:30:00.000001Z", moment(2026, 1, 31, 0, 30, 0, 1)),
        ("timestamp(6)", "%H:%M:%S.%f%z %Y%m%d", "00:30:00.25-00:01 20260131", moment(2026, 1, 31, 0, 31, 0, 250_000)),
        ("timestamp", "%Y%m%d%H%z", "0001010101+0100", moment(1, 1, 1)),
    ],
)
def test_a_text_of_the_format_is_the_day_or_moment_that_it_says(declared, written, text, value):
    assert typed([None, text, None], declared, written) == ([None, value, None], [])


DAYS = {
    WRONG: [
        *("1.2.2026", "01.2.2026", "1.02.2026", "01.02.26", "01.02.10000", "01.02.226", "01.02.2026 ", " 01.02.2026"),
        *("01.02.2026\n", "01.02.2026x", "01.02.2026 00:00", "01-02-2026", "01/02/2026", "2026-02-01", "01.02.-2026"),
        *("+1.02.2026", "-1.02.2026", "01.+2.2026", "٠١.٠٢.٢٠٢٦", "0².02.2026", "01.02.202٦", "０１.02.2026", ""),
        *("01. 2.2026", "01.02. 2026", "01.02.+026", "01.feb.2026", "01.02.2026\0", "0x.02.2026", "1_.02.2026"),
    ],
    RANGE: [
        *("31.02.2026", "29.02.2023", "29.02.1900", "31.04.2026", "00.01.2026", "32.01.2026", "01.00.2026"),
        *("01.13.2026", "01.01.0000", "99.99.9999"),
    ],
}
TIMES = {
    WRONG: [
        *("31.01.2026", "31.01.2026 1:00:00", "31.01.2026 01:00", "31.01.2026T01:00:00", "31.01.2026 01:00:00Z"),
        *("31.01.2026  01:00:00", "31.01.2026 01:00:00.5", "31.01.2026 01:00: 0", "31.01.2026 ٠١:00:00"),
    ],
    RANGE: ["31.01.2026 24:00:00", "31.01.2026 23:60:00", "31.01.2026 23:59:60", "31.02.2026 00:00:00"],
}


@pytest.mark.parametrize(
    ("declared", "written", "faults"),
    [
        ("date", "%d.%m.%Y", DAYS),
        ("timestamp", "%d.%m.%Y %H:%M:%S", TIMES),
        ("date", "%d-%b-%Y", {WRONG: ["31-Jän-2026", "31-JaN-2026", "31-January-2026", "31-01-2026", "31-ſep-2026"]}),
        ("date", "%d-%b-%Y", {RANGE: ["31-FEB-2026", "00-Jan-2026"]}),
        ("date", "%d %B %Y", {WRONG: ["31 Jan 2026", "31 Januar 2026", "31 JaNUARY 2026"]}),
        ("timestamp", "%Y%m%d %I%p", {WRONG: ["20260131 1AM", "20260131 11Am", "20260131 11"]}),
        ("timestamp", "%Y%m%d %I%p", {RANGE: ["20260131 00AM", "20260131 13PM"]}),
        ("timestamp", "%Y%m%d%H%M%S.%f", {DIGITS: ["20260131000000.1234", "20260131000000.000000"]}),
        ("timestamp", "%Y%m%d%H%M%S.%f", {WRONG: ["20260131000000.", "20260131000000", "20260131000000,1"]}),
        ("timestamp(6)", "%Y%m%d%H%M%S.%f", {DIGITS: ["20260131000000.1234567"]}),
        (
            "timestamp",
            "%Y%m%d%H%z",
            {WRONG: ["2026013100", "2026013100z", "2026013100+1", "2026013100+01", "2026013100 Z"]},
        ),
        (
            "timestamp",
            "%Y%m%d%H%z",
            {RANGE: ["2026013100+2400", "2026013100+0160", "0001010100+0001", "9999123123-0100"]},
        ),
    ],
)
def test_any_other_text_is_a_fault(declared, written, faults):
    for code, texts in faults.items():
        for text in texts:
            assert typed([text], declared, written) == ([None], [code]), text


def test_a_reason_names_the_format():
    text = pl.Series("day", ["2026-01-31"])
    (fault,) = type_faults(text, pl.Series("day", [None], pl.Date), "date", Notation("%d.%m.%Y"))
    assert fault["reason"].item() == 'day: expected date as %d.%m.%Y, found "2026-01-31"'


FORMATS = [
    "%d.%m.%Y %H:%M:%S.%f",
    "%Y%m%d%H%M%S%f",
    "%b %d %Y %I:%M:%S.%f %p",
    "%f-%B-%d/%Y %p%I%M%S",
    "%H%M%S.%f%z %d%m%Y",
]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), min_size=1, max_size=8),
    st.sampled_from(FORMATS),
    st.integers(-1439, 1439),
)
def test_any_moment_that_python_writes_reads_back_exactly(times, written, minutes):
    zone = timezone(timedelta(minutes=minutes))
    times = [time.replace(tzinfo=zone if "%z" in written else UTC) for time in times]
    # Not all C libraries write the zeros of early years.
    texts = [time.strftime(written.replace("%Y", f"{time.year:04d}")) for time in times]
    assert typed(texts, "timestamp(6)", written) == (times, [])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.from_regex(r"[0-3]?[0-9٣²+ ][.][01]?[0-9][.][0-9]{3,5}\n?", fullmatch=True), min_size=1, max_size=20)
)
def test_only_texts_in_exact_widths_are_days(texts):
    wanted = []
    for text in texts:
        try:
            is_written = re.fullmatch(r"[0-9]{2}\.[0-9]{2}\.[0-9]{4}", text)
            wanted.append(datetime.strptime(text, "%d.%m.%Y").date() if is_written else None)
        except ValueError:
            wanted.append(None)
    assert typed(texts, "date", "%d.%m.%Y")[0] == wanted
