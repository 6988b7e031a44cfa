"""The warehouse as people see it: history, keys, readers, and names that mean harm."""

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import quote

import asyncpg
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loader.domain.tables import Place
from loader.store import ledger, log
from records.checksum import format_checksum, version_checksums

HOSTILE = [
    'x"; DROP SCHEMA public CASCADE; --',
    "a'b",
    "select",
    "{columns}",
    "%s $1",
    "日本",
    "back\\slash",
    "Ünit Prïce",
]


async def told(warehouse, sender):
    """Two files of two records, and the history after them."""
    facts = [await sender.send(sender.row(1), sender.row(2))]
    facts.append(await sender.send(sender.row(1, customer="new"), deletes=("2",)))
    await warehouse.work()
    return facts, await warehouse.all(f"SELECT * FROM {warehouse.history()} ORDER BY _key, _version")


async def test_history_tells_every_version(warehouse, sender):
    _, rows = await told(warehouse, sender)
    assert [(row["_key"], row["_version"], row["_previous_version"], row["_change"]) for row in rows] == [
        ("1", 1, None, "insert"),
        ("1", 2, 1, "update"),
        ("2", 1, None, "insert"),
        ("2", 2, 1, "delete"),
    ]
    assert [row["customer"] for row in rows] == [sender.row(1)["customer"], "new", sender.row(2)["customer"], None]
    assert (rows[1]["_previous_hash"], rows[3]["_previous_hash"]) == (rows[0]["_hash"], rows[2]["_hash"])
    assert (rows[1]["_changed"], rows[3]["_hash"]) == (["customer"], None)


async def test_history_tells_what_file_each_version_came_from(warehouse, sender):
    (first, second), rows = await told(warehouse, sender)
    assert rows[0]["_file_id"] == first.file_id
    expected = {
        "_organisation": "acme",
        "_table": "orders",
        "_record": "org_acme_orders_1",
        "_file_id": second.file_id,
        "_arrival": second.arrival,
        "_registration": 1,
        "_attempt": second.attempt,
        "_position": 2,
        "_line": 2,
        "_bucket": "landing",
        "_object": "acme/orders/día 2.csv",
        "_object_version": "v2",
        "_size": 1234,
        "_sha256": "ab" * 32,
        "_user": "anna",
        "_reason": "monthly",
        "_registered_at": second.source.registered_at,
        "_rule_version": 1,
        "_rows_read": 2,
        "_rows_rejected": 1,
    }
    assert {name: rows[1][name] for name in expected} == expected


async def test_history_ends_at_the_applied_position(warehouse, sender):
    await sender.send(sender.row(1))
    await warehouse.work()
    fact = await sender.write(sender.row(1, customer="new"), sender.row(2), sender.row(3))
    damaged = fact.model_copy(update={"rows": fact.rows.model_copy(update={"updated": 0, "inserted": 3})})
    await sender.announce(damaged)
    await warehouse.work()
    assert await warehouse.db.fetchval(f"SELECT count(*) FROM {warehouse.log()}") == 4
    assert await warehouse.db.fetchval(f"SELECT count(*) FROM {warehouse.history()}") == 1


async def test_composite_keys_are_shown_with_every_part_escaped(warehouse, make_sender):
    types = {"day": "date", "at": "timestamp", "code": "text", "rate": "decimal(4,2)", "yes": "boolean"}
    sender = make_sender("big-corp", "line_items", key=tuple(types), types=types)
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
    codes = ["a_b%", "ä|\\ ", "tab\t", "", "-.~", "l" * 600]
    await sender.send(
        *[{"day": date(1, 1, 1), "at": moment, "code": code, "rate": Decimal("1.20"), "yes": True} for code in codes]
    )
    await warehouse.work()
    rows = await warehouse.all(f"SELECT _record, code FROM {warehouse.history('big-corp', 'line_items')}")
    expected = {
        code: "_".join(
            ["org_big-corp_line_items"]
            + [
                quote(part, safe="").replace("_", "%5F")
                for part in ("0001-01-01", "2026-01-02T03:04:05.678Z", code, "1.20", "true")
            ]
        )
        for code in codes
    }
    assert {row["code"]: row["_record"] for row in rows} == expected


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_hostile_column_names_stay_names(warehouse, sender, hostile):
    sender.types = {"order_id": "integer", hostile: "text"}
    sender.key = ("order_id", hostile)
    await sender.send({"order_id": 1, hostile: "x"})
    sender.types[hostile + "2"] = "decimal(5,2)"
    await sender.send({"order_id": 1, hostile: "x", hostile + "2": Decimal("1.00")})
    sender.types[hostile + "2"] = "text"
    await sender.send({"order_id": 1, hostile: "x", hostile + "2": "y"})
    await warehouse.work()
    assert [job[1:] for job in await warehouse.jobs()] == [("DONE", None)] * 3
    [row] = await warehouse.all(f"SELECT * FROM {warehouse.current()}")
    assert (row[hostile], row[hostile + "2"]) == ("x", "y")
    rows = await warehouse.all(f"SELECT * FROM {warehouse.history()} ORDER BY _version")
    assert [row[hostile + "2"] for row in rows] == [None, "1.00", "y"]


@pytest.mark.parametrize("table", ["select", "user", "tables", "a" * 41])
async def test_table_names_that_are_words_of_sql_stay_names(warehouse, make_sender, table):
    sender = make_sender("order", table)
    await sender.send(sender.row(1))
    await warehouse.work()
    assert await warehouse.jobs(f"order/{table}") == [(1, "DONE", None)]
    assert await warehouse.db.fetchval(f"SELECT count(*) FROM {warehouse.history('order', table)}") == 1


async def test_a_reader_sees_its_own_organisation_only(warehouse, make_sender):
    for organisation in ("acme", "globex"):
        sender = make_sender(organisation)
        await sender.send(sender.row(1))
    await warehouse.work()
    sender.types["remark"] = "text"
    await sender.send(sender.row(2, remark="added later"))
    await warehouse.work()
    role = warehouse.names.reader_role("globex")
    async with warehouse.db.acquire() as tx, tx.transaction():
        await tx.execute(f'SET LOCAL ROLE "{role}"')
        assert await tx.fetchval(f"SELECT count(*) FROM {warehouse.current('globex')}") == 2
        assert await tx.fetchval(f"SELECT string_agg(_record, ' ') FROM {warehouse.history('globex')}")
        for forbidden in (
            f"SELECT FROM {warehouse.current('acme')}",
            f"SELECT FROM {warehouse.history('acme')}",
            f"SELECT FROM {warehouse.log('globex')}",
            f"SELECT FROM {warehouse.log('acme')}",
            f'SELECT FROM "{warehouse.names.schema("loader")}".facts',
            f"DELETE FROM {warehouse.current('globex')}",
            f"UPDATE {warehouse.history('globex')} SET _version = 1",
            f'CREATE TABLE "{warehouse.names.current_schema("globex")}".mine ()',
        ):
            with pytest.raises(asyncpg.PostgresError) as refused:
                async with tx.transaction():
                    await tx.execute(forbidden)
            assert refused.value.sqlstate in {"42501", "55000"}, forbidden


async def test_a_readers_function_sees_no_facts_of_other_datasets(warehouse, make_sender):
    for organisation in ("acme", "globex"):
        sender = make_sender(organisation)
        await sender.send(sender.row(1))
    await warehouse.work()
    seen = []
    role = warehouse.names.reader_role("globex")
    async with warehouse.db.acquire() as tx:

        def listen(_, message):
            seen.append(message.message)

        tx.add_log_listener(listen)
        await tx.execute(f'SET ROLE "{role}"')
        # What a reader may do to be shown rows before they are sorted out.
        await tx.execute("SET enable_indexscan = off; SET enable_bitmapscan = off")
        await tx.execute(
            "CREATE FUNCTION pg_temp.spy(text) RETURNS boolean COST 0.0001 LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$"
        )
        await tx.fetch(f"SELECT _object FROM {warehouse.history('globex')} WHERE pg_temp.spy(_object)")
        await tx.execute("RESET ROLE; RESET enable_indexscan; RESET enable_bitmapscan")
        tx.remove_log_listener(listen)
    assert seen == ["globex/orders/día 1.csv"]


async def test_the_applied_position_moves_one_at_a_time(warehouse, sender):
    facts = [await sender.write(sender.row(n)) for n in range(3)]
    async with warehouse.db.acquire() as tx, tx.transaction():
        assert (await ledger.open_dataset(tx, "acme/orders")).applied == 0
        assert [await ledger.set_applied(tx, facts[n]) for n in (1, 0, 0, 2, 1)] == [False, True, False, False, True]
        assert (await ledger.open_dataset(tx, "acme/orders")).applied == 2


async def test_two_tables_of_an_organisation_may_be_first_at_once(warehouse, make_sender):
    senders = [make_sender("acme", f"table{n}") for n in range(4)]
    for sender in senders:
        await sender.send(sender.row(1))
    jobs = [await warehouse.claim() for _ in senders]
    await asyncio.gather(*[warehouse.kind.run(job) for job in jobs])
    assert await warehouse.db.fetchval("SELECT count(*) FROM jobs WHERE state = 'DONE'") == 4


async def test_the_warehouse_works_out_the_checksum_that_the_ingestor_did(warehouse, sender):
    await sender.send(sender.row(0))
    await warehouse.work()
    place = Place(warehouse.names.current_schema("acme"), warehouse.names.log_schema("acme"), "", "orders")
    versions = st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))),
            st.integers(1, 2**62),
            st.sampled_from(["insert", "update", "delete"]),
            st.one_of(st.none(), st.binary(min_size=32, max_size=32)),
        ),
        unique_by=lambda version: version[:2],
    )
    schema = {"_key": pl.String, "_version": pl.Int64, "_change": pl.String, "_hash": pl.Binary}
    loop = asyncio.get_running_loop()

    async def warehouse_says(rows):
        async with warehouse.db.acquire() as tx, tx.transaction() as _:
            await tx.execute(f"DELETE FROM {warehouse.log()}")
            await tx.executemany(
                f"INSERT INTO {warehouse.log()} (_key, _version, _change, _hash, _position, _attempt)"
                " VALUES ($1, $2, $3, $4, 9, 1)",
                rows,
            )
            return await log.tally(tx, place, 9)

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(versions)
    def agree(rows):
        found = asyncio.run_coroutine_threadsafe(warehouse_says(rows), loop).result()
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        assert found.checksum == format_checksum(version_checksums(frame))
        assert found.total == len(rows)

    await asyncio.to_thread(agree)
