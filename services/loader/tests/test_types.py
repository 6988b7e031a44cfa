"""Values of every type come to the warehouse as they stand in MongoDB, and back as the texts that were hashed."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

TYPES = {
    "id": "integer",
    "t": "text",
    "d": "decimal(34,7)",
    "f": "float",
    "b": "boolean",
    "day": "date",
    "at": "timestamp",
    "exact": "timestamp(6)",
    "doc": "json",
}
DOC = '{"":[1,1e+21,0.1,null],"$set":{"a.b":"\\u001f\\"\\\\"},"a":{"b":{}},"é":"e\u0301\ufffe"}'
ROW = {
    "id": 1,
    "t": "",
    "d": Decimal("-999999999999999999999999999.0000001"),
    "f": 5e-324,
    "b": False,
    "day": date(9999, 12, 31),
    "at": datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC),
    "exact": datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC),
    "doc": DOC,
}
LEAST = ROW | {
    "id": 2,
    "t": "".join(map(chr, [*range(1, 32), 127, 0x85, 0x2028, 0xFFFE, 0xFFFF, 0x10FFFF])),
    "day": date(1, 1, 1),
    "at": datetime(1, 1, 1, tzinfo=UTC),
    "exact": datetime(1, 1, 1, 0, 0, 0, 1, UTC),
    "doc": "null",
}
NOTHING = dict.fromkeys(TYPES) | {"id": 3}


@pytest.fixture
def all_types(make_sender):
    return make_sender("acme", "everything", key=("id",), types=dict(TYPES))


async def rows_of(warehouse, place):
    """Business values of a table, json as the text that is there."""
    names = ", ".join(f"{name}::text" if kind == "json" else name for name, kind in TYPES.items())
    rows = await warehouse.all(f"SELECT {names} FROM {place} ORDER BY id")
    return [dict(row) for row in rows]


async def test_the_log_and_the_current_table_hold_what_was_sent(warehouse, all_types):
    await all_types.send(ROW, LEAST, NOTHING)
    await warehouse.work()
    assert await warehouse.jobs("acme/everything") == [(1, "DONE", None)]
    for place in (warehouse.log("acme", "everything"), warehouse.current("acme", "everything")):
        assert await rows_of(warehouse, place) == [ROW, LEAST, NOTHING]
    history = await warehouse.all(f"SELECT doc::text FROM {warehouse.history('acme', 'everything')} ORDER BY id")
    assert [row["doc"] for row in history] == [DOC, "null", None]


async def test_changes_of_nested_values_and_microseconds_are_updates_and_an_end_has_none(warehouse, all_types):
    later = ROW | {"exact": ROW["exact"].replace(microsecond=999_998), "doc": "[]"}
    await all_types.send(ROW, LEAST)
    await all_types.send(later, deletes=("2",))
    await warehouse.work()
    assert [state for _, state, _ in await warehouse.jobs("acme/everything")] == ["DONE"] * 2
    assert await rows_of(warehouse, warehouse.current("acme", "everything")) == [later]


async def test_microseconds_are_a_part_of_a_key_in_their_canonical_text(warehouse, make_sender):
    sender = make_sender("acme", "ticks", key=("exact",), types={"exact": "timestamp(6)", "doc": "json"})
    await sender.send({"exact": datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC), "doc": "{}"})
    await warehouse.work()
    rows = await warehouse.all(f"SELECT _key, _record FROM {warehouse.history('acme', 'ticks')}")
    (found,) = [tuple(row.values()) for row in rows]
    assert found == ("2026-01-02T03:04:05.678901Z", "org_acme_ticks_2026-01-02T03%3A04%3A05.678901Z")


async def test_a_digested_key_of_microseconds_is_shown_in_full(warehouse, make_sender):
    sender = make_sender("acme", "long", key=("t", "exact"), types={"t": "text", "exact": "timestamp(6)"})
    await sender.send({"t": "x" * 600, "exact": datetime(1, 1, 1, 0, 0, 0, 1, UTC)})
    await warehouse.work()
    (row,) = await warehouse.all(f"SELECT _record FROM {warehouse.history('acme', 'long')}")
    assert row["_record"] == f"org_acme_long_{'x' * 600}_0001-01-01T00%3A00%3A00.000001Z"


async def test_timestamps_widen_to_microseconds_and_json_to_text_and_nothing_is_lost(warehouse, make_sender):
    types = {"id": "integer", "at": "timestamp", "doc": "json"}
    sender = make_sender("acme", "wider", key=("id",), types=types)
    await sender.send({"id": 1, "at": ROW["at"], "doc": DOC}, {"id": 2, "at": LEAST["at"], "doc": "null"})
    sender.types |= {"at": "timestamp(6)", "doc": "text"}
    await sender.send({"id": 3, "at": ROW["exact"], "doc": "no json"})
    await warehouse.work()
    assert await warehouse.jobs("acme/wider") == [(1, "DONE", None), (2, "DONE", None)]
    for place in (warehouse.log("acme", "wider"), warehouse.current("acme", "wider")):
        rows = await warehouse.all(f"SELECT at, doc FROM {place} ORDER BY id")
        found = [tuple(row.values()) for row in rows]
        assert found == [(ROW["at"], DOC), (LEAST["at"], "null"), (ROW["exact"], "no json")]


async def test_a_nested_value_that_was_altered_in_mongodb_is_not_loaded(warehouse, all_types):
    fact = await all_types.write(ROW)
    await all_types.collection.update_one({}, {"$set": {"data.doc": '{"a":2}'}})
    await all_types.announce(fact)
    await warehouse.work()
    ((_, state, reason),) = await warehouse.jobs("acme/everything")
    assert state == "FAILED"
    assert "documents with a wrong hash" in reason


@pytest.mark.parametrize(
    "change", ["NEW.exact = NEW.exact + '1us'", "NEW.doc = replace(NEW.doc::text, 'a', ' a')::json"]
)
async def test_a_log_that_gives_another_moment_or_text_back_is_not_believed(warehouse, all_types, change):
    await all_types.send(NOTHING)
    await warehouse.work()
    log = warehouse.log("acme", "everything")
    await warehouse.db.execute(
        f"""
        CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {change}; RETURN NEW; END $$;
        CREATE TRIGGER spoil BEFORE INSERT ON {log} FOR EACH ROW EXECUTE FUNCTION spoil();
        """
    )
    await all_types.send(LEAST | {"doc": DOC})
    await warehouse.work()
    (_, state, reason) = (await warehouse.jobs("acme/everything"))[-1]
    assert state == "FAILED"
    assert "rows read back from the log are not those that were written" in reason
