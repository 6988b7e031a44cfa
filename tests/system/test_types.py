"""Values of every type, from a file through both stores and back: exact, or refused with the reason."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import checker
import pytest
from bson import Decimal128
from installation import Installation, declaration_yaml, new_dataset
from pymongo import AsyncMongoClient
from waybill_contracts import RecordsIngested

pytestmark = pytest.mark.timeout(180)

COLUMNS = {
    "id": "{type: integer}",
    "t": '{null_values: ["NULL"]}',
    "d": '{type: "decimal(12,2)", null_values: [""]}',
    "f": "{type: float}",
    "b": "{type: boolean}",
    "day": '{type: date, format: "%d.%m.%Y"}',
    "at": "{type: timestamp, zone: Europe/Berlin}",
    "exact": '{type: "timestamp(6)"}',
    "doc": "{type: json}",
}
CONTROLS = "".join(map(chr, [*range(1, 32), 127])) + "\ufffe\uffff\U0010ffff e\u0301 é"
SENT: list[list[str | None]] = [
    [
        *("1", "", "-0.5", "1e-7", "TRUE", "31.01.2026", "2026-07-01 12:00:00.5", "2026-01-02T03:04:05.678901Z"),
        '{"b": 1.0, "a": ["\\u00e9\\u001f", null], "$set": {"a.b": 1e21}}',
    ],
    [
        *("2", CONTROLS, "9999999999.99", "-0", "false", "29.02.2024", "2026-01-01T00:00:00Z"),
        *("0001-01-01 00:00:00.000001", "null"),
    ],
    ["3", *[None] * 8],
    ["4", "NULL", "", *["n/a"] * 6],
]
REFUSED: list[tuple[list[str | None], str]] = [
    (["5", "x", "1", "1", "true", "31.02.2026", None, None, None], "out_of_range"),
    (["6", "x", "1", "1", "true", "1.2.2026", None, None, None], "wrong_type"),
    (["7", "x", "1", "1", "true", None, "2026-03-29T02:30:00", None, None], "no_such_time"),
    (["8", "x", "1", "1", "true", None, "2026-10-25T02:30:00", None, None], "ambiguous_time"),
    (["9", "x", "1", "1", "true", None, None, "2026-01-02T03:04:05.6789012Z", None], "too_many_digits"),
    (["10", "x", "1", "1", "true", None, None, None, '{"a": 1, "a": 1}'], "doubled_key"),
    (["11", "x", "1", "1", "true", None, None, None, '["\\ud800"]'], "lone_surrogate"),
    (["12", "x", "1" * 4_400, "1", "true", None, None, None, None], "out_of_range"),
    (["13", "x", "1_000", "1", "true", None, None, None, None], "wrong_type"),
    (["14", "x", "1", "1e400", "true", None, None, None, None], "out_of_range"),
    (["15", "x\0", "1", "1", "true", None, None, None, None], "nul"),
]
NESTED = '{"$set":{"a.b":1e+21},"a":["é\\u001f",null],"b":1}'
NOTHING = dict.fromkeys(COLUMNS)
STORED: list[dict[str, Any]] = [
    {
        "id": 1,
        "t": "",
        "d": Decimal("-0.50"),
        "f": 1e-7,
        "b": True,
        "day": date(2026, 1, 31),
        "at": datetime(2026, 7, 1, 10, 0, 0, 500_000, UTC),
        "exact": datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC),
        "doc": NESTED,
    },
    {
        "id": 2,
        "t": CONTROLS,
        "d": Decimal("9999999999.99"),
        "f": 0.0,
        "b": False,
        "day": date(2024, 2, 29),
        "at": datetime(2026, 1, 1, tzinfo=UTC),
        "exact": datetime(1, 1, 1, 0, 0, 0, 1, UTC),
        "doc": "null",
    },
    NOTHING | {"id": 3},
    NOTHING | {"id": 4},
]


def written(rows: list[list[str | None]]) -> bytes:
    """A CSV in which null is an empty field, and every text has quotes."""
    lines = [
        ",".join("" if text is None else f'"{text.replace(chr(34), chr(34) * 2)}"' for text in row) for row in rows
    ]
    return "\n".join([",".join(COLUMNS), *lines, ""]).encode()


async def declared(running: Installation) -> str:
    dataset = new_dataset()
    more = {"format": {"null_values": ["n/a"]}, "guards": {"min_rows_for_shares": 1000}}
    await running.apply(declaration_yaml(dataset, ["id"], COLUMNS, **more))
    return dataset


async def warehouse_rows(running: Installation, table: str) -> list[dict[str, Any]]:
    names = ", ".join(f"{name}::text" if name == "doc" else name for name in COLUMNS)
    return [dict(row) for row in await running.db.fetch(f"SELECT {names} FROM {table} ORDER BY id")]


async def documents(running: Installation, dataset: str) -> list[dict[str, Any]]:
    """The data of the dataset's documents, in the order in which they were written."""
    collection = f"raw_{dataset.replace('/', '_')}"
    async with AsyncMongoClient(running.environment["WAYBILL_MONGO__URI"], tz_aware=True) as client:
        found = client[running.namespace][collection].find(sort=[("_id", 1)])
        return [document["data"] async for document in found]


def as_document(row: dict[str, Any]) -> dict[str, Any]:
    """A row as MongoDB holds it: microseconds and nested values as texts, null left out."""
    read = {
        "d": Decimal128,
        "day": lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC),
        "exact": lambda at: at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }
    return {name: read.get(name, lambda same: same)(value) for name, value in row.items() if value is not None}


async def test_values_of_every_type_are_in_both_stores_as_they_were_sent_or_refused(running: Installation) -> None:
    dataset = await declared(running)
    await running.put(f"{dataset}/all.csv", written([*SENT, *(row for row, _ in REFUSED)]))
    (file,) = await running.settled(dataset, 1)
    assert (file["state"], file["balanced"]) == ("LOADED", True), file["reason"]
    assert await documents(running, dataset) == [as_document(row) for row in STORED]
    for table in checker.tables(running, dataset):
        assert await warehouse_rows(running, table) == STORED
    code, out, _ = await running.waybill("file", "rejects", f"{dataset}#1", "--json")
    assert code == 0
    assert [reject["codes"] for reject in json.loads(out)] == [[code] for _, code in REFUSED]


async def test_the_same_values_written_otherwise_are_unchanged_and_a_replay_changes_nothing(
    running: Installation,
) -> None:
    dataset = await declared(running)
    await running.put(f"{dataset}/1.csv", written(SENT))
    await running.settled(dataset, 1)
    other = [row.copy() for row in SENT]
    other[0][2:5] = ["-0.50", "0.0000001", "true"]
    other[0][6:] = ["2026-07-01T12:00:00.500+02:00", "2026-01-02 04:04:05.678901+01:00", NESTED]
    await running.put(f"{dataset}/2.csv", written(other))
    files = await running.settled(dataset, 2)
    assert [json.loads(file["rows"])["unchanged"] for file in files] == [0, 4]
    (fact,) = await running.rows("loader", "SELECT event FROM facts WHERE dataset = $1 AND position = 1", dataset)
    await running.publish(RecordsIngested.model_validate_json(fact["event"]), replay_id="again")
    await running.put(f"{dataset}/3.csv", written(other[:1]))
    await running.settled(dataset, 3)
    for table in checker.tables(running, dataset):
        assert await warehouse_rows(running, table) == STORED


async def test_the_command_line_tells_microseconds_and_nested_values_as_they_are(running: Installation) -> None:
    dataset = await declared(running)
    await running.put(f"{dataset}/1.csv", written(SENT))
    await running.settled(dataset, 1)
    code, out, _ = await running.waybill("record", "history", dataset, "1", "--json")
    (version,) = json.loads(out)
    assert code == 0
    assert version["values"]["doc"] == NESTED
    assert version["values"]["exact"].startswith("2026-01-02T03:04:05.678901")
    code, out, _ = await running.waybill("record", "history", dataset, "1")
    assert code == 0
    # The table breaks long values into lines.
    table = "".join(out.split())
    assert "exact=2026-01-0203:04:05.678901Z" in table
    assert f"doc={NESTED}" in table
