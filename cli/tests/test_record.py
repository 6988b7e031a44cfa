"""How people name a record, and what they are told of it."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from unittest.mock import patch
from uuid import UUID

import asyncpg
import polars as pl
import pytest
from bson import ObjectId
from chassis import Names, open_pool
from chassis.database import migrate
from chassis.settings import load
from hypothesis import given
from hypothesis import strategies as st
from loader.domain.tables import Place, Tables
from loader.store import facts, ledger, tables
from records.key import keys
from stack.namespaces import Namespace
from waybill.environment import CliSettings
from waybill.output import Refusal
from waybill.record import content_key_text, key_text, line_key_text, versions, write_versions
from waybill.stores import Stores, open_documents, open_stores
from waybill_contracts import ColumnType, RecordsIngested, RepairCount, RowCounts, Source

FILE = UUID("01a1fd7d-bf76-73ed-8b82-7d535d304b02")
DIGEST = sha256(b"content").digest()
AT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("types", "parts", "text"),
    [
        ({"number": "integer"}, ["007"], "7"),
        ({"amount": "decimal(6,2)"}, ["1.5"], "1.50"),
        ({"country": "text", "number": "integer"}, ["D|E", "1"], r"D\|E|1"),
        ({"name": "text"}, ["a\\b\n"], r"a\\b\x0a"),
        ({"name": "text"}, ["sha256:x"], f"sha256:{sha256(b'sha256:x').hexdigest()}"),
    ],
)
def test_a_key_is_looked_up_as_it_is_stored(types: dict[str, str], parts: list[str], text: str) -> None:
    assert key_text("acme/orders", types, parts) == text


@given(st.text(max_size=600))
def test_every_text_finds_the_key_that_the_ingestor_stored(part: str) -> None:
    found = key_text("acme/orders", {"name": "text"}, [part])
    assert found == keys(pl.DataFrame({"name": [part]}), ("name",))[0]


def test_a_key_of_another_type_or_with_other_parts_is_refused() -> None:
    with pytest.raises(Refusal, match="number of acme/orders is integer; 'one' is none"):
        key_text("acme/orders", {"number": "integer"}, ["one"])
    with pytest.raises(Refusal, match="the parts country, number; found 1"):
        key_text("acme/orders", {"country": "text", "number": "integer"}, ["DE"])


def test_a_line_is_looked_up_as_the_ingestor_writes_it() -> None:
    assert line_key_text(FILE, "0012") == f"{FILE}|12"


@pytest.mark.parametrize("line", ["", "-1", "one", "1.0", "²", "9" * 19])
def test_what_is_no_number_of_a_line_is_refused(line: str) -> None:
    with pytest.raises(Refusal, match="is not the number of a line"):
        line_key_text(FILE, line)


@pytest.mark.parametrize("part", [DIGEST.hex(), DIGEST.hex().upper(), f"row:{DIGEST.hex()}"])
def test_a_content_is_looked_up_by_its_hash(part: str) -> None:
    assert content_key_text("acme/events", [part]) == f"row:{DIGEST.hex()}"


@pytest.mark.parametrize("parts", [[], ["a"], [DIGEST.hex()[1:]], [DIGEST.hex()] * 2, ["acme/events#1", "2"]])
def test_what_is_no_hash_of_a_content_is_refused(parts: list[str]) -> None:
    with pytest.raises(Refusal, match="a record of acme/events is named by the hash of its content"):
        content_key_text("acme/events", parts)


@pytest.fixture
async def stores(namespace: Namespace) -> AsyncIterator[Stores]:
    """The schemas of registry and loader, empty."""
    dsn, names = namespace.environment["WAYBILL_POSTGRES__DSN"], Names(namespace.name)
    for service in ("registry", "loader"):
        await migrate(dsn, names.schema(service), "chassis.migrations", f"{service}.migrations")
    with patch.dict(os.environ, namespace.environment):
        async with open_stores(load(CliSettings)) as found:
            yield found


def fact_of(identity: str, order: str | None, repairs: tuple[RepairCount, ...]) -> RecordsIngested:
    return RecordsIngested(
        organisation="acme",
        table="events",
        file_id=FILE,
        arrival=1,
        registration=1,
        attempt=1,
        position=1,
        sha256="0" * 64,
        columns=(ColumnType(name="id", type="integer"), ColumnType(name="text", type="text")),
        key=("id",) if identity == "key" else (),
        rule_version=1,
        batches=(),
        rows=RowCounts(),
        source=Source(bucket="b", object_key="k", version_id="v", size=1, user="anna", registered_at=AT),
        identity=identity,
        order=order,
        repairs=repairs,
    )


async def tell(
    stores: Stores, identity: str, key: str, order: str | None = None, repairs: tuple[RepairCount, ...] = ()
) -> None:
    """A record of acme/events that came and went, as the loader leaves it."""
    names, fact = stores.settings.names, fact_of(identity, order, repairs)
    place = Place(names.current_schema("acme"), names.log_schema("acme"), names.reader_role("acme"), "events")
    made = Tables({column.name: column.type for column in fact.columns})
    async with (
        open_pool(stores.settings.warehouse_dsn, names.schema("loader")) as pool,
        pool.acquire() as tx,
        tx.transaction(),
    ):
        await facts.store_fact(tx, fact)
        await ledger.open_dataset(tx, fact.dataset)
        await tables.change_tables(tx, place, Tables({}), made, fact)
        rows: list[tuple[Any, ...]] = [
            (1, "x", key, 1, "insert", DIGEST, None, order, 3),
            (None, None, key, 2, "delete", None, DIGEST, order, None),
        ]
        await tx.executemany(
            f'INSERT INTO "{place.log_schema}".events (id, text, _key, _version, _change, _hash, _previous_hash,'
            " _order, _line, _position, _attempt) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, 1)",
            rows,
        )
        await ledger.set_applied(tx, fact)


async def register(stores: Stores, dataset: str = "acme/events") -> None:
    """The file as the registry knows it."""
    async with stores.db.transaction():
        await stores.db.execute("SELECT set_config('search_path', $1, true)", stores.settings.names.schema("registry"))
        await stores.db.execute(
            "INSERT INTO datasets (dataset, organisation, table_name) VALUES ($1, 'acme', 'events')", dataset
        )
        await stores.db.execute(
            "INSERT INTO files (file_id, bucket, key, version_id, size, etag, last_modified, found_by, state,"
            " dataset, arrival) VALUES ($1, 'b', 'k', 'v', 1, 'e', $2, 'sweep', 'LOADED', $3, 1)",
            FILE,
            AT,
            dataset,
        )


@pytest.mark.parametrize("reference", ["acme/events#1", "k", "01a1fd7d", str(FILE)])
async def test_a_record_without_a_key_is_found_by_its_file_and_line(stores: Stores, reference: str) -> None:
    await register(stores)
    await tell(stores, "line", f"{FILE}|3")
    found = await versions(stores, "acme/events", [reference, "3"])
    assert [(row["version"], row["change"], row["line"]) for row in found] == [(1, "insert", 3), (2, "delete", None)]
    assert [row["values"] for row in found] == [{"id": 1, "text": "x"}, {}]
    with pytest.raises(Refusal, match=rf"acme/events never had a record with the key {FILE}\|4"):
        await versions(stores, "acme/events", [reference, "4"])


async def test_file_and_line_must_both_be_of_the_dataset(stores: Stores) -> None:
    await register(stores, "acme/others")
    await tell(stores, "line", f"{FILE}|3")
    with pytest.raises(Refusal, match="the file and the line, as acme/events#12 7; found 1 parts"):
        await versions(stores, "acme/events", ["3"])
    with pytest.raises(Refusal, match="acme/others#1 is no file of acme/events"):
        await versions(stores, "acme/events", [str(FILE), "3"])


async def test_a_record_known_by_its_content_is_found_by_its_hash(stores: Stores) -> None:
    await tell(stores, "content", f"row:{DIGEST.hex()}")
    found = await versions(stores, "acme/events", [DIGEST.hex()])
    assert [(row["change"], row["hash"]) for row in found] == [("insert", DIGEST.hex()), ("delete", None)]


async def test_a_record_is_found_by_its_key_with_its_order(stores: Stores, capsys: pytest.CaptureFixture[str]) -> None:
    await tell(stores, "key", "1", "003|7")
    found = await versions(stores, "acme/events", ["01"])
    assert [row["order"] for row in found] == ["003|7"] * 2
    write_versions(found)
    heading, _, insert, delete = capsys.readouterr().out.splitlines()
    assert heading.split()[-2:] == ["order", "values"]
    assert "003|7" in insert
    assert "id=1, text=x" in insert
    assert delete.split()[:3] == ["2", "delete", "acme/events#1"]
    assert delete.rstrip().endswith("003|7")


async def test_without_an_order_none_is_shown(stores: Stores, capsys: pytest.CaptureFixture[str]) -> None:
    await tell(stores, "key", "1")
    write_versions(await versions(stores, "acme/events", ["1"]))
    assert "order" not in capsys.readouterr().out


async def test_the_history_of_before_there_were_orders_is_still_told(stores: Stores) -> None:
    await tell(stores, "key", "1", "003|7")
    view = f'"{stores.settings.names.current_schema("acme")}".events_history'
    connection = await asyncpg.connect(stores.settings.warehouse_dsn)
    definition = await connection.fetchval("SELECT pg_get_viewdef($1::text::regclass)", view)
    await connection.execute(f"DROP VIEW {view}")
    await connection.execute(f"CREATE VIEW {view} AS {definition.replace('l._order,', '')}")
    await connection.close()
    assert [row["order"] for row in await versions(stores, "acme/events", ["1"])] == [None, None]


async def mend(stores: Stores, *marked: int) -> None:
    """These versions of the record 1 were made of mended rows, as the ingestor leaves it."""
    names = stores.settings.names
    ids = [bytes([0, 0, 0, version, *bytes(8)]) for version in (1, 2)]
    await migrate(stores.settings.postgres.dsn, names.schema("ingestor"), "chassis.migrations", "ingestor.migrations")
    async with open_pool(stores.settings.postgres.dsn, names.schema("ingestor")) as pool:
        number = await pool.fetchval("INSERT INTO datasets (dataset) VALUES ('acme/events') RETURNING dataset_id")
        await pool.execute(
            "INSERT INTO heads (dataset_id, key, version, hash, deleted, record) VALUES ($1, '1', 2, $2, true, $3)",
            number,
            DIGEST,
            ids[1],
        )
    async with open_documents(stores.settings) as database:
        for version, document_id in enumerate(ids, 1):
            document = {"_id": ObjectId(document_id), "key": "1", "version": version, "position": version}
            before = {"prev": ObjectId(ids[0])} if version == 2 else {}
            mark = {"repaired": ["missing_fields"]} if version in marked else {}
            await database[names.collection("acme", "events")].insert_one(document | before | mark)


async def test_what_was_mended_in_a_row_is_told_with_the_version_that_it_made(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    await tell(stores, "key", "1", repairs=(RepairCount(repair="missing_fields", rows=1),))
    await mend(stores, 1)
    found = await versions(stores, "acme/events", ["1"])
    assert [row["repaired"] for row in found] == [["missing_fields"], []]
    write_versions(found)
    heading, _, insert, delete = capsys.readouterr().out.splitlines()
    assert heading.split()[-2:] == ["mended", "values"]
    assert ("missing_fields" in insert, "missing_fields" in delete) == (True, False)


async def test_mongodb_is_asked_only_where_a_file_had_mended_rows(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    await tell(stores, "key", "1")
    with patch("waybill.marks.open_documents", side_effect=AssertionError("nothing was mended")):
        found = await versions(stores, "acme/events", ["1"])
    assert [row["repaired"] for row in found] == [[], []]
    write_versions(found)
    assert "mended" not in capsys.readouterr().out


async def test_what_is_no_dataset_and_what_has_nothing_loaded_are_told_apart(stores: Stores) -> None:
    with pytest.raises(Refusal, match="no dataset is called 'acme/events'"):
        await versions(stores, "acme/events", ["1"])
    await register(stores)
    with pytest.raises(Refusal, match="nothing of acme/events was loaded yet"):
        await versions(stores, "acme/events", ["1"])
