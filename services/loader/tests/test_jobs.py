"""Loading on real PostgreSQL and MongoDB: what is loaded, in which order, and what is never loaded."""

from decimal import Decimal

import pytest
from chassis import Fenced


async def test_first_file_becomes_the_current_rows_and_the_log(warehouse, sender):
    fact = await sender.send(*[sender.row(n) for n in range(1, 6)], sender.row(6, customer=None, amount=None))
    await warehouse.work()
    assert await warehouse.jobs() == [(1, "DONE", None)]
    current = await warehouse.all(f"SELECT * FROM {warehouse.current()} ORDER BY order_id")
    assert [row["order_id"] for row in current] == [1, 2, 3, 4, 5, 6]
    business = {name: current[0][name] for name in sender.types}
    assert business == sender.row(1)
    assert (current[5]["customer"], current[5]["amount"]) == (None, None)
    assert {(row["_version"], row["_position"]) for row in current} == {(1, 1)}
    log = await warehouse.all(f"SELECT * FROM {warehouse.log()} ORDER BY order_id")
    assert [(row["_key"], row["_change"], row["_attempt"], row["_line"]) for row in log] == [
        (str(n), "insert", fact.attempt, n + 1) for n in range(1, 7)
    ]


async def test_file_loaded_says_what_was_found_in_the_warehouse(warehouse, sender):
    fact = await sender.send(sender.row(1), sender.row(2), sender.row(3))
    await warehouse.work()
    [(type_, event)] = await warehouse.events()
    assert type_ == "waybill.file-loaded.v1"
    assert event["rows"] == {"inserted": 3, "updated": 0, "deleted": 0}
    assert int(event["checksum"], 16) == sum(int(batch.checksum, 16) for batch in fact.batches) % 2**128
    assert (event["file_id"], event["position"], event["attempt"]) == (str(fact.file_id), 1, fact.attempt)


async def test_updates_and_deletes_change_exactly_their_rows(warehouse, sender):
    await sender.send(*[sender.row(n) for n in range(1, 6)])
    await sender.send(sender.row(2, amount=Decimal("1.10")), sender.row(6), deletes=("4",))
    await warehouse.work()
    current = await warehouse.all(f"SELECT order_id, amount, _version, _position FROM {warehouse.current()} ORDER BY 1")
    assert [tuple(row.values()) for row in current] == [
        (1, Decimal("76.00"), 1, 1),
        (2, Decimal("1.10"), 2, 2),
        (3, Decimal("76.00"), 1, 1),
        (5, Decimal("76.00"), 1, 1),
        (6, Decimal("76.00"), 1, 2),
    ]
    assert (await warehouse.events())[1][1]["rows"] == {"inserted": 1, "updated": 1, "deleted": 1}


async def test_a_deleted_record_that_comes_back_continues_its_versions(warehouse, sender):
    await sender.send(sender.row(1), sender.row(2))
    await sender.send(deletes=("1",))
    await sender.send(sender.row(1, customer="again"))
    await warehouse.work()
    current = await warehouse.all(f"SELECT order_id, _version FROM {warehouse.current()} ORDER BY 1")
    assert [tuple(row.values()) for row in current] == [(1, 3), (2, 1)]


async def test_a_file_without_changes_takes_effect_too(warehouse, sender):
    await sender.send(sender.row(1))
    await sender.send(sender.row(1))
    await warehouse.work()
    assert await warehouse.jobs() == [(1, "DONE", None), (2, "DONE", None)]
    assert (await warehouse.events())[1][1] | {"file_id": ""} == {
        "organisation": "acme",
        "table": "orders",
        "file_id": "",
        "attempt": 4,
        "position": 2,
        "rows": {"inserted": 0, "updated": 0, "deleted": 0},
        "checksum": "0" * 32,
    }


async def test_a_header_only_first_file_makes_empty_tables(warehouse, sender):
    await sender.send()
    await warehouse.work()
    assert await warehouse.jobs() == [(1, "DONE", None)]
    assert await warehouse.all(f"SELECT * FROM {warehouse.history()}") == []


async def test_a_batch_larger_than_one_reply_is_read_whole(warehouse, sender):
    sender.batch_rows = 10
    await sender.send(*[sender.row(n, customer=f"{n}" * 4_000_000) for n in range(9)])
    await warehouse.work()
    assert await warehouse.jobs() == [(1, "DONE", None)]
    lengths = await warehouse.all(f"SELECT order_id, length(customer) AS l FROM {warehouse.current()} ORDER BY 1")
    assert [tuple(row.values()) for row in lengths] == [(n, 4_000_000) for n in range(9)]


async def test_positions_announced_out_of_order_end_as_in_order(warehouse, sender):
    facts = [await sender.write(sender.row(1, weight=float(n)), sender.row(10 + n)) for n in range(4)]
    for fact in [facts[2], facts[3], facts[1]]:
        await sender.announce(fact)
    assert await warehouse.work() == 0
    await sender.announce(facts[0])
    assert await warehouse.work() == 4
    current = await warehouse.all(f"SELECT order_id, weight, _version FROM {warehouse.current()} ORDER BY 1")
    assert [tuple(row.values()) for row in current[:2]] == [(1, 3.0, 4), (10, 0.1, 1)]


async def test_a_position_that_is_applied_is_never_applied_again(warehouse, sender):
    fact = await sender.send(sender.row(1))
    await sender.send(sender.row(1, customer="new"))
    await warehouse.work()
    before = await warehouse.state()
    await warehouse.db.execute("UPDATE jobs SET state = 'QUEUED', tries = 0 WHERE seq = $1", fact.position)
    assert await warehouse.work() == 1
    assert await warehouse.state() == before


async def test_columns_are_added_and_stay_null_where_they_were_not_sent(warehouse, sender):
    await sender.send(sender.row(1), sender.row(2))
    sender.types["remark"] = "text"
    await sender.send(sender.row(1, remark="late"))
    del sender.types["weight"]
    await sender.send({name: value for name, value in sender.row(2, remark="x").items() if name != "weight"})
    await warehouse.work()
    assert await warehouse.jobs() == [(seq, "DONE", None) for seq in (1, 2, 3)]
    current = await warehouse.all(f"SELECT order_id, remark, weight FROM {warehouse.current()} ORDER BY 1")
    assert [tuple(row.values()) for row in current] == [(1, "late", 0.1), (2, "x", None)]
    history = await warehouse.all(f"SELECT remark FROM {warehouse.history()} ORDER BY _key, _version")
    assert [row["remark"] for row in history] == [None, "late", None, "x"]


@pytest.mark.parametrize(
    ("made", "wanted", "old", "new", "read"),
    [
        ("integer", "text", 7, "007", ["7", "007"]),
        ("integer", "decimal(21,2)", 7, Decimal("0.01"), [Decimal("7.00"), Decimal("0.01")]),
        ("decimal(4,2)", "decimal(6,3)", Decimal("1.20"), Decimal("1.234"), [Decimal("1.200"), Decimal("1.234")]),
        ("decimal(4,2)", "text", Decimal("1.20"), "n/a", ["1.20", "n/a"]),
    ],
)
async def test_types_widen_with_everything_that_shows_them(warehouse, sender, made, wanted, old, new, read):
    sender.types = {"order_id": "integer", "value": made}
    await sender.send({"order_id": 1, "value": old})
    sender.types["value"] = wanted
    await sender.send({"order_id": 2, "value": new})
    await warehouse.work()
    for table in (warehouse.current(), warehouse.log(), warehouse.history()):
        assert [row["value"] for row in await warehouse.all(f"SELECT value FROM {table} ORDER BY order_id")] == read


async def test_a_type_that_does_not_widen_fails_visibly(warehouse, sender):
    sender.types = {"order_id": "integer", "value": "text"}
    await sender.send({"order_id": 1, "value": "x"})
    sender.types["value"] = "integer"
    await sender.send({"order_id": 2, "value": 5})
    await warehouse.work()
    reason = "acme/orders position 2: column value is text and cannot become integer"
    assert await warehouse.jobs() == [(1, "DONE", None), (2, "FAILED", reason)]


async def test_log_that_lost_rows_before_the_apply_is_appended_again(warehouse, sender, monkeypatch):
    await sender.send(*[sender.row(n) for n in range(5)])
    from loader import jobs

    apply_file = jobs.apply_file

    async def damaged(*arguments, **more):
        monkeypatch.setattr(jobs, "apply_file", apply_file)
        await warehouse.db.execute(f"DELETE FROM {warehouse.log()} WHERE order_id = 3")
        await apply_file(*arguments, **more)

    monkeypatch.setattr(jobs, "apply_file", damaged)
    assert await warehouse.work() == 2
    assert await warehouse.jobs() == [(1, "DONE", None)]
    assert len(await warehouse.all(f"SELECT * FROM {warehouse.current()}")) == 5


async def test_rows_of_a_position_in_the_log_that_are_not_the_files_are_forgotten(warehouse, sender):
    await sender.send(sender.row(1))
    await warehouse.work()
    await warehouse.db.execute(
        f"INSERT INTO {warehouse.log()} (_key, _version, _change, _position, _attempt) VALUES ('9', 1, 'insert', 2, 4)"
    )
    await sender.send(sender.row(2))
    assert await warehouse.work() == 2
    assert await warehouse.jobs() == [(1, "DONE", None), (2, "DONE", None)]
    keys = await warehouse.all(f"SELECT _key FROM {warehouse.log()} WHERE _position = 2")
    assert [row["_key"] for row in keys] == ["2"]


async def test_a_file_of_one_batch_that_is_not_applied_is_not_in_the_log_either(warehouse, sender):
    await sender.send(sender.row(1))
    await warehouse.work()
    fact = await sender.write(sender.row(2))
    await sender.announce(fact.model_copy(update={"rows": fact.rows.model_copy(update={"inserted": 0, "updated": 1})}))
    await warehouse.work()
    assert [state for _, state, _ in await warehouse.jobs()] == ["DONE", "FAILED"]
    assert await warehouse.db.fetchval(f"SELECT max(_position) FROM {warehouse.log()}") == 1
    assert await warehouse.db.fetchval("SELECT max(position) FROM batches") == 1


async def test_counts_that_are_not_the_waybills_load_nothing(warehouse, sender):
    fact = await sender.write(sender.row(1), sender.row(2), sender.row(3))
    await sender.announce(fact.model_copy(update={"rows": fact.rows.model_copy(update={"inserted": 2, "updated": 1})}))
    await warehouse.work()
    [(_, state, reason)] = await warehouse.jobs()
    assert state == "FAILED"
    assert reason == (
        "acme/orders position 1: the log holds 3 inserts where the waybill says 2, 0 updates where the waybill says 1"
    )
    assert await warehouse.all(f"SELECT * FROM {warehouse.current()}") == []
    assert await warehouse.events() == []


@pytest.mark.parametrize("damage", ["DELETE FROM {0} WHERE order_id = 2", "UPDATE {0} SET _version = 7"])
async def test_a_change_that_does_not_find_its_row_loads_nothing(warehouse, sender, damage):
    await sender.send(sender.row(1), sender.row(2))
    await warehouse.work()
    await warehouse.db.execute(damage.format(warehouse.current()))
    before = await warehouse.state()
    await sender.send(sender.row(2, customer="new"), sender.row(3))
    await warehouse.work()
    assert (await warehouse.jobs())[1][1:] == (
        "FAILED",
        "acme/orders position 2: the current table took 0 updates where the waybill says 1",
    )
    after = await warehouse.state()
    assert (after["current"], after["events"]) == (before["current"], before["events"])


async def test_an_insert_that_finds_a_row_loads_nothing(warehouse, sender):
    await sender.send(sender.row(1))
    await warehouse.work()
    await warehouse.db.execute(f"INSERT INTO {warehouse.current()} (_key, _version, _position) VALUES ('2', 1, 1)")
    await sender.send(sender.row(2), sender.row(3))
    await warehouse.work()
    [_, (_, state, reason)] = await warehouse.jobs()
    assert state == "FAILED"
    assert "an insert found a current row" in reason
    assert await warehouse.db.fetchval(f"SELECT count(*) FROM {warehouse.current()}") == 2


async def test_a_runner_that_lost_its_claim_writes_nothing(warehouse, sender):
    await sender.send(sender.row(1))
    stale = await warehouse.claim()
    await warehouse.db.execute("UPDATE jobs SET lease = now() - interval '1 second'")
    await warehouse.work()
    before = await warehouse.state()
    with pytest.raises(Fenced):
        await warehouse.kind.run(stale)
    assert await warehouse.state() == before
