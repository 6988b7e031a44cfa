"""Local times of a declared zone: moments of UTC, and rejects where daylight saving skips or doubles them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records.judge import judge
from records.rules import check_declaration
from records.types import Notation, type_columns, type_faults
from waybill_contracts import Declaration

from .blocks import block

BERLIN = "Europe/Berlin"


def typed(texts, zone, declared="timestamp", written=None):
    """Moments, and code and reason of each fault."""
    text = pl.DataFrame({"at": texts}, schema={"at": pl.String})
    notation = Notation(written, zone)
    values = type_columns(text, {"at": declared}, {"at": notation})["at"]
    found = type_faults(text["at"], values, declared, notation)
    return values.to_list(), [(row["code"], row["reason"]) for fault in found for row in fault.to_dicts()]


def moment(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "zone", "value"),
    [
        ("2026-01-31T12:00:00", BERLIN, moment(2026, 1, 31, 11)),
        ("2026-07-31 12:00:00.5", BERLIN, moment(2026, 7, 31, 10, 0, 0, 500_000)),
        ("2026-03-29T01:59:59.999", BERLIN, moment(2026, 3, 29, 0, 59, 59, 999_000)),
        ("2026-03-29T03:00:00", BERLIN, moment(2026, 3, 29, 1)),
        ("2026-10-25T01:59:59", BERLIN, moment(2026, 10, 24, 23, 59, 59)),
        ("2026-10-25T03:00:00", BERLIN, moment(2026, 10, 25, 2)),
        ("2026-07-31T12:00:00", "Asia/Kathmandu", moment(2026, 7, 31, 6, 15)),
        ("2026-01-31T12:00:00", "Australia/Lord_Howe", moment(2026, 1, 31, 1)),
        ("2026-01-31T12:00:00", "UTC", moment(2026, 1, 31, 12)),
        ("2099-12-31T23:59:59", BERLIN, moment(2099, 12, 31, 22, 59, 59)),
    ],
)
def test_a_time_without_an_offset_is_of_the_zone(text, zone, value):
    assert typed([None, text], zone) == ([None, value], [])


@pytest.mark.parametrize("text", ["2026-03-29T02:30:00Z", "2026-10-25 02:30:00.000+00:00", "2026-10-25T01:00:00-01:30"])
def test_a_time_with_its_own_offset_is_what_it_says_whatever_the_zone(text):
    found, faults = typed([text, "2026-01-01T00:00:00"], BERLIN)
    assert found == [datetime.fromisoformat(text), moment(2025, 12, 31, 23)]
    assert faults == []


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("2026-03-29T02:00:00", BERLIN),
        ("2026-03-29 02:59:59.999", BERLIN),
        ("2026-03-08T02:30:00", "America/New_York"),
        ("2026-10-04T02:15:00", "Australia/Lord_Howe"),
        ("2011-12-30T12:00:00", "Pacific/Apia"),
    ],
)
def test_a_time_that_clocks_skipped_is_a_reject(text, zone):
    values, [(code, reason)] = typed([text, None], zone)
    assert (values, code) == ([None, None], "no_such_time")
    assert reason == f'at: "{text}" never was in {zone}, where clocks were put forward'


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("2026-10-25T02:00:00", BERLIN),
        ("2026-10-25 02:59:59.999", BERLIN),
        ("2026-11-01T01:30:00", "America/New_York"),
        ("2026-04-05T01:45:00", "Australia/Lord_Howe"),
    ],
)
def test_a_time_that_clocks_gave_twice_is_a_reject(text, zone):
    values, [(code, reason)] = typed([text], zone)
    assert (values, code) == ([None], "ambiguous_time")
    assert reason == f'at: "{text}" was twice in {zone}, where clocks were put back: only an offset tells which'


def test_after_the_years_for_which_the_rules_are_known_a_time_needs_an_offset():
    values, [(code, reason)] = typed(["2100-01-01T00:00:00", "9999-12-31T23:59:59Z"], BERLIN)
    assert values == [None, moment(9999, 12, 31, 23, 59, 59)]
    assert code == "out_of_range"
    assert reason.endswith("is after 2099, to which the rules of Europe/Berlin are known: give an offset")


def test_a_moment_before_the_year_1_is_out_of_range():
    values, faults = typed(["0001-01-01T00:00:00", "x", "0001-01-02T00:00:00"], "Asia/Tokyo")
    assert values[:2] == [None, None]
    assert values[2] is not None
    assert [code for code, _ in faults] == ["out_of_range", "wrong_type"]


def test_formats_and_zones_go_together():
    texts = ["31.01.2026 12:00", "29.03.2026 02:30", "25.10.2026 02:30", "31.02.2026 12:00", "31.1.2026 12:00"]
    for declared in ("timestamp", "timestamp(6)"):
        values, faults = typed(texts, BERLIN, declared, "%d.%m.%Y %H:%M")
        assert values == [moment(2026, 1, 31, 11), None, None, None, None]
        assert [code for code, _ in faults] == ["no_such_time", "ambiguous_time", "out_of_range", "wrong_type"]


ZONES = [BERLIN, "America/New_York", "Australia/Lord_Howe", "Europe/Dublin", "America/St_Johns", "Asia/Kathmandu"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.datetimes(datetime(1971, 1, 1), datetime(2099, 12, 31)), min_size=1), st.sampled_from(ZONES))
def test_any_local_time_is_the_moment_that_the_time_zone_database_says(times, zone):
    texts = [time.isoformat(timespec="microseconds") for time in times]
    values, _ = typed(texts, zone, "timestamp(6)")
    for time, value in zip(times, values, strict=True):
        first, second = (time.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))
        assert value == (first if first == second else None)


def declare(**column):
    columns = {"id": {"type": "integer"}, "at": {"type": "timestamp"} | column}
    return Declaration.model_validate({"organisation": "acme", "table": "orders", "key": ["id"], "columns": columns})


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "europe/berlin", "CEST", "localtime", "Factory"])
def test_a_zone_that_nobody_knows_is_refused_with_its_field(zone):
    (problem,) = check_declaration(declare(zone=zone))
    assert problem == f"columns.at.zone: expected the name of a time zone, as Europe/Berlin, found '{zone}'"


def test_zones_that_are_known_are_no_problem():
    assert [
        check_declaration(declare(zone=zone)) for zone in (BERLIN, "UTC", "Etc/GMT+5", "America/Port-au-Prince")
    ] == [[]] * 4


def test_rejects_for_their_time_name_column_and_line():
    judged = judge(
        block(["id", "at"], ["1", "2026-03-29 02:30:00"], ["2", "2026-03-29 03:30:00"]), declare(zone=BERLIN)
    )
    assert judged.frame.rows() == [(2, moment(2026, 3, 29, 1, 30), 3)]
    (reject,) = judged.rejects.to_dicts()
    assert (reject["line"], reject["codes"], reject["columns"]) == (2, ["no_such_time"], ["at"])
