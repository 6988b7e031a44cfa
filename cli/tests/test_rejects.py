"""Rejects as people see them: of a new attempt with columns and bytes, of one from before without."""

import os
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import polars as pl
import pytest
from chassis import Names, open_pool
from chassis.database import migrate
from chassis.settings import load
from ingestor.store.rejects import insert_rejects
from records.rejects import REJECTS
from stack.namespaces import Namespace
from waybill.correcting import find_rejects, write_rejects
from waybill.environment import CliSettings
from waybill.stores import Stores, open_stores

FILE: Any = {"dataset": "acme/orders", "file_id": uuid4()}
HOSTILE = "\x1b[2J\n\u202e=1\x00\x9b"


@pytest.fixture
async def stores(namespace: Namespace) -> AsyncIterator[Stores]:
    """An attempt from before (1) and one of now (2), with a reject each."""
    dsn, names = namespace.environment["WAYBILL_POSTGRES__DSN"], Names(namespace.name)
    for service in ("registry", "ingestor"):
        await migrate(dsn, names.schema(service), "chassis.migrations", f"{service}.migrations")
    async with open_pool(dsn, names.schema("ingestor")) as pool, pool.acquire() as tx, tx.transaction():
        await tx.execute("INSERT INTO datasets (dataset_id, dataset) OVERRIDING SYSTEM VALUE VALUES (1, 'acme/orders')")
        await tx.execute(
            "INSERT INTO rejects (dataset_id, attempt, number, line, codes, reasons, raw)"
            " VALUES (1, 1, 1, 3, '{wrong_type}', '{id: x}', 'x,1')"
        )
        await tx.execute(
            "INSERT INTO rejects (dataset_id, attempt, number, line, codes, reasons, raw)"
            " VALUES (1, 3, 1, 3, '{wrong_type}', '{id: x}', 'x,1'), (1, 3, 2, 8, '{wrong_type}', '{id: y}', 'y,1')"
        )
        # Of the second entry there is nothing to read, so the third begins with the same line.
        await tx.execute(
            "INSERT INTO parts (dataset_id, attempt, file_id, entry, first_line, rows) SELECT 1, 3, $1::uuid, e.*"
            " FROM (VALUES ('a.csv', 1, 2), ('b.csv', 6, 0), ('c.csv', 6, 2)) e",
            FILE["file_id"],
        )
        row = (3, ["wrong_type", "rule"], ["id: x", HOSTILE], ["id", None], HOSTILE, 12, 4)
        await insert_rejects(tx, 1, 2, pl.DataFrame([row], REJECTS, orient="row"))
    with patch.dict(os.environ, namespace.environment):
        async with open_stores(load(CliSettings)) as found:
            yield found


async def test_a_reject_is_told_with_the_columns_of_its_faults_and_its_bytes(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    (told,) = await find_rejects(stores, FILE | {"attempt": 2}, 10)
    assert (told["line"], told["columns"], told["start"], told["size"]) == (3, ["id", None], 12, 4)
    write_rejects([told])
    heading, _, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["line", "bytes", "why", "row", "as", "it", "came"]
    assert row.split()[:2] == ["3", "12-15"]


async def test_a_reject_of_an_archive_is_told_with_its_entry_and_line_there(stores: Stores) -> None:
    told = await find_rejects(stores, FILE | {"attempt": 3}, 10)
    assert [(row["line"], row["part"], row["part_line"]) for row in told] == [(3, "a.csv", 3), (8, "c.csv", 3)]


async def test_a_reject_of_a_database_that_was_filled_before_is_told_without_them(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    (told,) = await find_rejects(stores, FILE | {"attempt": 1}, 10)
    assert told == {
        "line": 3,
        "part": None,
        "part_line": None,
        "codes": ["wrong_type"],
        "reasons": ["id: x"],
        "columns": None,
        "raw": "x,1",
        "start": None,
        "size": None,
    }
    write_rejects([told])
    heading, _, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["line", "why", "row", "as", "it", "came"]
    assert row.split() == ["3", "id:", "x", "x,1"]


async def test_no_row_and_no_reason_moves_the_cursor_or_turns_the_line(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rejects(await find_rejects(stores, FILE | {"attempt": 2}, 10))
    row = capsys.readouterr().out.splitlines()[2]
    assert row.isprintable()
    assert row.count(r"\x1b[2J\n\u202e=1") == 2
