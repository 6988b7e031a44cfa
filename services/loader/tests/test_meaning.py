"""What declarations mean, in the warehouse: ends of records, records without a key, the order of states."""

from urllib.parse import quote

import pytest
from records.order import row_orders


async def history(warehouse, sender, *columns):
    names = ", ".join(columns)
    place = warehouse.history(sender.organisation, sender.table)
    rows = await warehouse.all(f"SELECT {names} FROM {place} ORDER BY _position, _key, _version")
    return [tuple(row.values()) for row in rows]


@pytest.mark.parametrize("batch_rows", [1, 2, 100], ids=["each alone", "mixed", "in one batch"])
async def test_inserts_updates_and_deletes_of_one_file_take_effect_together(warehouse, sender, batch_rows):
    sender.batch_rows = batch_rows
    await sender.send(*[sender.row(n) for n in range(1, 7)])
    await sender.send(sender.row(2, customer="new"), sender.row(9), deletes=("1", "4", "5"))
    await warehouse.work()
    current = await warehouse.all(f"SELECT _key, _version, _position FROM {warehouse.current()} ORDER BY 1")
    assert [tuple(row.values()) for row in current] == [("2", 2, 2), ("3", 1, 1), ("6", 1, 1), ("9", 1, 2)]
    assert (await warehouse.events())[1][1]["rows"] == {"inserted": 1, "updated": 1, "deleted": 3}


@pytest.mark.parametrize("hostile", ["^x.*$", "*", 'x"; --'])
async def test_a_record_with_a_column_of_any_name_can_end(warehouse, sender, hostile):
    sender.types = {"order_id": "integer", hostile: "text"}
    await sender.send({"order_id": 1, hostile: "x"}, {"order_id": 2, hostile: "y"})
    await sender.send(deletes=("1",))
    await warehouse.work()
    assert [row[hostile] for row in await warehouse.all(f"SELECT * FROM {warehouse.current()}")] == ["y"]


async def test_a_file_may_only_delete(warehouse, sender):
    await sender.send(*[sender.row(n) for n in range(1, 6)])
    fact = await sender.send(deletes=("1", "2", "3", "4", "5"))
    await warehouse.work()
    assert [state for _, state, _ in await warehouse.jobs()] == ["DONE", "DONE"]
    assert await warehouse.all(f"SELECT * FROM {warehouse.current()}") == []
    event = (await warehouse.events())[1][1]
    assert event["rows"] == {"inserted": 0, "updated": 0, "deleted": 5}
    assert int(event["checksum"], 16) == sum(int(batch.checksum, 16) for batch in fact.batches) % 2**128


async def test_a_record_that_ends_and_returns_is_told_as_one(warehouse, sender):
    await sender.send(sender.row(1))
    await sender.send(deletes=("1",))
    await sender.send(sender.row(1, customer="back"))
    await sender.send(deletes=("1",))
    await warehouse.work()
    columns = ("_version", "_previous_version", "_change", "_line", "customer", "_record")
    name, record = sender.row(1)["customer"], "org_acme_orders_1"
    assert await history(warehouse, sender, *columns) == [
        (1, None, "insert", 2, name, record),
        (2, 1, "delete", None, None, record),
        (3, 2, "insert", 2, "back", record),
        (4, 3, "delete", None, None, record),
    ]
    hashes = await history(warehouse, sender, "_hash", "_previous_hash")
    assert [hash_ is None for hash_, _ in hashes] == [False, True, False, True]
    assert [previous for _, previous in hashes] == [None, hashes[0][0], None, hashes[2][0]]


async def test_a_delete_is_shown_under_the_name_of_its_record_however_long(warehouse, sender):
    sender.types, sender.key = {"code": "text", "name": "text"}, ("code",)
    code = "ä_" * 400
    await sender.send({"code": code, "name": "x"})
    [key] = sender.heads
    assert key.startswith("sha256:")
    await sender.send(deletes=(key,))
    await warehouse.work()
    shown = "org_acme_orders_" + quote(code, safe="").replace("_", "%5F")
    assert await history(warehouse, sender, "_change", "_record") == [("insert", shown), ("delete", shown)]


@pytest.mark.parametrize(
    "damage",
    ["DELETE FROM {0} WHERE order_id = 2", "UPDATE {0} SET _version = 7 WHERE order_id = 2"],
    ids=["gone", "of another version"],
)
async def test_a_delete_that_does_not_find_its_row_at_the_version_before_loads_nothing(warehouse, sender, damage):
    await sender.send(sender.row(1), sender.row(2))
    await warehouse.work()
    await warehouse.db.execute(damage.format(warehouse.current()))
    before = await warehouse.state()
    await sender.send(sender.row(3), deletes=("1", "2"))
    await warehouse.work()
    assert (await warehouse.jobs())[1][1:] == (
        "FAILED",
        "acme/orders position 2: the current table took 1 deletes where the waybill says 2",
    )
    after = await warehouse.state()
    assert (after["current"], after["events"]) == (before["current"], before["events"])


async def test_deletes_that_the_waybill_does_not_count_load_nothing(warehouse, sender):
    await sender.send(sender.row(1), sender.row(2))
    await warehouse.work()
    fact = await sender.write(sender.row(1, customer="new"), deletes=("2",))
    await sender.announce(fact.model_copy(update={"rows": fact.rows.model_copy(update={"deleted": 0})}))
    await warehouse.work()
    reason = "acme/orders position 2: the log holds 1 deletes where the waybill says 0"
    assert (await warehouse.jobs())[1] == (2, "FAILED", reason)
    assert await warehouse.db.fetchval(f"SELECT count(*) FROM {warehouse.current()}") == 2


async def test_rows_without_a_key_are_records_of_their_file_and_line(warehouse, make_sender):
    sender = make_sender("big-corp", "log_lines", types={"text": "text"}, key=(), said={"identity": "line"})
    await sender.send({"text": "same"}, {"text": "same"}, {"text": "other"})
    await sender.send({"text": "same"})
    await warehouse.work()
    assert [state for _, state, _ in await warehouse.jobs("big-corp/log_lines")] == ["DONE", "DONE"]
    first, second = sender.files[1], sender.files[2]
    columns = ("_key", "_record", "_line", "_change", "text")
    assert await history(warehouse, sender, *columns) == [
        (f"{first}|2", f"org_big-corp_log_lines_{first}_2", 2, "insert", "same"),
        (f"{first}|3", f"org_big-corp_log_lines_{first}_3", 3, "insert", "same"),
        (f"{first}|4", f"org_big-corp_log_lines_{first}_4", 4, "insert", "other"),
        (f"{second}|2", f"org_big-corp_log_lines_{second}_2", 2, "insert", "same"),
    ]
    assert await warehouse.db.fetchval(f"SELECT count(*) FROM {warehouse.current('big-corp', 'log_lines')}") == 4


async def test_rows_known_by_content_are_records_named_by_their_hash(warehouse, make_sender):
    sender = make_sender(types={"text": "text"}, key=(), said={"identity": "content"})
    await sender.send({"text": "one"}, {"text": "two"})
    await sender.send({"text": "two"}, {"text": "three"})
    await warehouse.work()
    rows = await history(warehouse, sender, "_key", "_record", "_hash", "text")
    assert {text for *_, text in rows} == {"one", "two", "three"}
    assert all(key == f"row:{digest}" for key, _, digest, _ in rows)
    assert all(record == f"org_acme_orders_row%3A{digest}" for _, record, digest, _ in rows)


@pytest.mark.parametrize("identity", ["line", "content"])
async def test_a_record_without_a_key_ends_by_the_name_it_was_given(warehouse, make_sender, identity):
    sender = make_sender(types={"text": "text"}, key=(), said={"identity": identity})
    await sender.send({"text": "one"}, {"text": "two"})
    key = next(iter(sender.heads))
    await sender.send(deletes=(key,))
    await warehouse.work()
    assert [row["text"] for row in await warehouse.all(f"SELECT text FROM {warehouse.current()}")] == ["two"]
    told = await history(warehouse, sender, "_key", "_change")
    assert told[-1] == (key, "delete")


@pytest.mark.parametrize("identity", ["line", "content"])
async def test_a_stored_key_that_is_not_that_of_the_row_is_no_evidence(warehouse, make_sender, identity):
    sender = make_sender(types={"text": "text"}, key=(), said={"identity": identity})
    await sender.send({"text": "one"}, {"text": "two"})
    one, two = sender.heads
    await sender.collection.update_one({"key": two}, {"$set": {"key": one[:-1] + "9"}})
    await warehouse.work()
    reason = "acme/orders position 1 batch 1: 1 documents with a wrong key, the first from line 3"
    assert await warehouse.jobs() == [(1, "FAILED", reason)]


async def test_the_order_of_a_file_is_told_of_all_its_versions(warehouse, sender):
    await sender.send(*[sender.row(n) for n in (1, 2, 3)])
    sender.said = {"order": "008|20261121"}
    await sender.send(sender.row(1, customer="new"), sender.row(4), deletes=("2",))
    await warehouse.work()
    assert await history(warehouse, sender, "_key", "_order") == [
        ("1", None),
        ("2", None),
        ("3", None),
        *[(key, "008|20261121") for key in ("1", "2", "4")],
    ]


async def test_the_order_of_a_row_is_that_of_its_column(warehouse, sender):
    sender.said = {"order_column": "order_id"}
    await sender.send(*[sender.row(n) for n in (-5, 10, 9)])
    await sender.send(sender.row(9, customer="new"), deletes=("10",))
    await warehouse.work()
    values = row_orders(sender.frame([sender.row(n) for n in (-5, 9, 10)])["order_id"]).to_list()
    told = await history(warehouse, sender, "_key", "_order")
    assert told == [("-5", values[0]), ("10", values[2]), ("9", values[1]), ("10", None), ("9", values[1])]
    ordered = await warehouse.all(f"SELECT _key FROM {warehouse.history()} WHERE _position = 1 ORDER BY _order")
    assert [row["_key"] for row in ordered] == ["-5", "9", "10"]


async def test_orders_sort_byte_by_byte_whatever_the_database_is_used_to(warehouse, sender):
    orders = ["", "0019", "00210", "B", "a", "~B", "~a", "~é"]
    for number, order in enumerate(orders):
        sender.said = {"order": order}
        await sender.send(sender.row(number))
    await warehouse.work()
    told = await warehouse.all(f"SELECT _order FROM {warehouse.history()} ORDER BY _order")
    assert [row["_order"] for row in told] == orders
    # The database may be used to this order, or not.
    assert await warehouse.db.fetchval(f"SELECT pg_collation_for(_order) FROM {warehouse.history()}") == '"C"'
