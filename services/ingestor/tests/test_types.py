"""Declared formats, zones, microseconds, nested values and texts for null, as an attempt leaves them."""

from datetime import datetime
from typing import Any

from driven_ingestor import Ingestor, declaration
from waybill_contracts import Declaration

COLUMNS: dict[str, dict[str, Any]] = {
    "order_id": {"type": "integer"},
    "at": {"type": "timestamp", "format": "%d.%m.%Y %H:%M", "zone": "Europe/Berlin"},
    "exact": {"type": "timestamp(6)"},
    "doc": {"type": "json"},
    "note": {"null_values": ["-"]},
}
HEADER = "order_id,at,exact,doc,note"


def declared(**columns: dict[str, Any]) -> Declaration:
    return declaration(columns=COLUMNS | columns)


def file(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in (HEADER, *rows)).encode()


FIRST = file(
    '1,31.07.2026 12:00,2026-01-02T03:04:05.678901Z,"{""b"":1.0,""a"":""$.""}",-',
    '2,31.01.2026 12:00,,null,""',
)


async def test_documents_hold_microseconds_and_nested_values_as_their_canonical_texts(ingestor: Ingestor) -> None:
    await ingestor.deliver(FIRST, declared())
    assert [document["data"] for document in await ingestor.stored()] == [
        {
            "order_id": 1,
            "at": datetime(2026, 7, 31, 10),
            "exact": "2026-01-02T03:04:05.678901Z",
            "doc": '{"a":"$.","b":1}',
        },
        {"order_id": 2, "at": datetime(2026, 1, 31, 11), "doc": "null", "note": ""},
    ]


async def test_another_notation_of_the_same_values_makes_no_versions_and_other_values_name_their_fields(
    ingestor: Ingestor,
) -> None:
    await ingestor.deliver(FIRST, declared())
    same = '1,31.07.2026 12:00,2026-01-02 04:04:05.678901+01:00,"{""a"":""$."", ""b"":1}",'
    await ingestor.deliver(file(same, '2,31.01.2026 12:00,2026-01-02T03:04:05Z,"{}",-'), declared())
    said = await ingestor.last_event()
    assert (said["rows"]["unchanged"], said["rows"]["updated"]) == (1, 1)
    newest = (await ingestor.stored())[-1]
    assert (newest["key"], newest["changed"]) == ("2", ["doc", "exact", "note"])


async def test_a_column_of_milliseconds_may_become_one_of_microseconds_and_no_other_way_round(
    ingestor: Ingestor,
) -> None:
    plain = {"type": "timestamp"}
    row = '1,31.07.2026 12:00,2026-01-02T03:04:05.678Z,"{}",x'
    await ingestor.deliver(file(row), declared(exact=plain))
    await ingestor.deliver(file(row), declared())
    said = await ingestor.last_event()
    # As with integers that become decimals: the same moment has another canonical text, so another hash.
    assert said["rows"]["updated"] == 1
    assert (await ingestor.stored())[-1]["changed"] == ["exact"]
    await ingestor.deliver(file(row), declared(exact=plain))
    held = await ingestor.last_event()
    assert (held["type"], held["holds"][0]["code"]) == ("file-held", "narrowed_type")


async def test_json_becomes_text_without_a_version(ingestor: Ingestor) -> None:
    await ingestor.deliver(FIRST, declared())
    await ingestor.deliver(
        file('1,31.07.2026 12:00,2026-01-02T03:04:05.678901Z,"{""a"":""$."",""b"":1}",-', "3,,,no json,"),
        declared(doc={}),
    )
    rows = (await ingestor.last_event())["rows"]
    assert (rows["unchanged"], rows["inserted"], rows["rejected"]) == (1, 1, 0)


async def test_values_that_are_none_are_rejects_with_their_columns_and_the_others_are_taken(ingestor: Ingestor) -> None:
    await ingestor.deliver(
        file(
            "1,29.03.2026 02:30,,,",
            "2,25.10.2026 02:30,,,",
            "3,1.1.2026 02:30,2026-01-02T03:04:05.6789012Z,NaN,-",
            "4,01.01.2026 02:30,,[],",
        ),
        declared(),
    )
    assert (await ingestor.last_event())["rows"]["inserted"] == 1
    rejects = await ingestor.all("SELECT codes, columns FROM rejects ORDER BY number")
    assert [(row["codes"], row["columns"]) for row in rejects] == [
        (["no_such_time"], ["at"]),
        (["ambiguous_time"], ["at"]),
        (["wrong_type", "too_many_digits", "not_finite"], ["at", "exact", "doc"]),
    ]


async def test_microseconds_say_which_state_of_a_record_is_newer(ingestor: Ingestor) -> None:
    by_time = declaration(columns=COLUMNS, order_by={"column": "exact"})
    await ingestor.deliver(file("1,,2026-01-02T03:04:05.000002Z,1,"), by_time)
    await ingestor.deliver(file("1,,2026-01-02T03:04:05.000001Z,2,"), by_time)
    assert (await ingestor.last_event())["rows"]["stale"] == 1
    await ingestor.deliver(file("1,,2026-01-02T03:04:05.000003Z,3,"), by_time)
    assert (await ingestor.last_event())["rows"]["updated"] == 1
