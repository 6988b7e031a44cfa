"""Several files that are one delivery: nothing of them is seen before the marker, and everything at once after it."""

import asyncio
import json
from typing import Any

import pytest
from asyncpg import Record, UndefinedTableError
from installation import Installation, declaration_yaml, new_dataset, until

pytestmark = pytest.mark.timeout(180)

COLUMNS = {"id": "{type: integer}", "name": "{type: text}"}
MEANING = {
    "mode": "snapshot",
    "files": ["{organisation}/{table}/{day}/*.csv"],
    "group": {"marker": "{organisation}/{table}/{day}/_DONE"},
}
ONE = {"1": "one", "2": "two", "3": "three", "4": "four", "5": "five"}
TWO = {"1": "one", "3": "drei", "6": "six"}


class Delivered:
    """A dataset of snapshots, each in several files."""

    def __init__(self, installation: Installation, name: str) -> None:
        self.installation = installation
        self.name = name

    @classmethod
    async def declared(cls, installation: Installation, **more: Any) -> "Delivered":
        made = cls(installation, new_dataset())
        await installation.apply(declaration_yaml(made.name, ["id"], COLUMNS, **MEANING | more))
        return made

    async def put_parts(self, day: int, rows: dict[str, str], count: int = 3) -> list[str]:
        """Spread the rows over so many files; their keys, once the registry knows them."""
        keys = []
        for number in range(count):
            mine = list(rows.items())[number::count]
            keys.append(f"{self.name}/{day}/part {number}.csv")
            text = "".join(f"{line}\n" for line in ("id,name", *(f"{key},{value}" for key, value in mine)))
            await self.installation.put(keys[-1], text.encode())
        await until(lambda: self.knows(keys), 60, f"{keys} are not known")
        return keys

    async def knows(self, keys: list[str]) -> bool:
        found = await self.installation.rows("registry", "SELECT FROM files WHERE key = ANY ($1)", keys)
        return len(found) == len(keys)

    async def put_marker(self, day: int) -> None:
        await self.installation.put(f"{self.name}/{day}/_DONE", b"")

    async def current(self) -> dict[str, str]:
        """The current rows, as analysts see them."""
        table = self.name.partition("/")[2]
        try:
            rows = await self.installation.rows("orgdata_acme", f'SELECT id, name FROM "{table}"')
        except UndefinedTableError:
            return {}
        return {str(row["id"]): row["name"] for row in rows}

    async def ended(self, count: int) -> list[Record]:
        """The deliveries, once so many have come to an end."""
        found: list[Record] = []

        async def have_ended() -> bool:
            query = "SELECT * FROM files WHERE dataset = $1 AND arrival IS NOT NULL ORDER BY arrival"
            found[:] = await self.installation.rows("registry", query, self.name)
            return len(found) == count and all(
                file["state"] in ("LOADED", "FAILED", "SKIPPED", "HELD") for file in found
            )

        await until(have_ended, 90, lambda: f"{[(file['arrival'], file['state'], file['reason']) for file in found]}")
        return found


async def ask(installation: Installation, *words: str) -> Any:
    code, out, complaint = await installation.waybill(*words, "--json")
    assert code == 0, complaint
    return json.loads(out)


async def test_nothing_of_a_delivery_is_seen_before_its_marker_and_everything_after(running: Installation) -> None:
    orders = await Delivered.declared(running)
    keys = await orders.put_parts(1, ONE)
    await asyncio.sleep(3)  # a sweep comes by as well
    assert await orders.current() == {}
    assert await running.files(orders.name) != []
    assert all(file["arrival"] is None for file in await running.files(orders.name))
    await orders.put_marker(1)
    (delivery,) = await orders.ended(1)
    assert (delivery["state"], await orders.current()) == ("LOADED", ONE)

    told = await ask(running, "file", "show", f"{orders.name}#1")
    assert [(part["key"], part["first_line"], part["rows"]) for part in told["parts"]] == [
        (keys[0], 1, 2),
        (keys[1], 4, 2),
        (keys[2], 7, 1),
    ]
    part = await ask(running, "file", "show", keys[1])
    assert (part["state"], part["reason"]) == ("IGNORED", f"part of {orders.name}#1")
    assert (part["delivery"]["name"], part["delivery"]["state"]) == (f"{orders.name}#1", "LOADED")
    listed = await ask(running, "file", "list", orders.name)
    assert [file["reason"] for file in listed if file["state"] == "IGNORED"] == [f"part of {orders.name}#1"] * 3
    code, text, complaint = await running.waybill("file", "show", keys[1])
    assert code == 0, complaint
    assert f"part of {orders.name}#1, which is LOADED" in " ".join(text.split())


async def test_a_service_that_dies_on_the_way_leaves_one_whole_snapshot_and_then_the_next(
    running: Installation,
) -> None:
    orders = await Delivered.declared(running, guards={"max_delete_share": 1})
    for day, rows in ((1, ONE), (2, TWO)):
        await orders.put_parts(day, rows)
        await orders.put_marker(day)
        if day == 1:
            await orders.ended(1)
    for name in ("registry", "ingestor", "loader"):
        running.processes[name].kill()
        assert await orders.current() in (ONE, TWO)
        await running.start(name)
    await orders.ended(2)
    assert await orders.current() == TWO


async def test_a_fault_in_one_file_leaves_the_snapshot_before_as_it_was(running: Installation) -> None:
    orders = await Delivered.declared(running)
    await orders.put_parts(1, ONE)
    await orders.put_marker(1)
    await orders.ended(1)
    keys = await orders.put_parts(2, TWO)
    await running.put(keys[1], b'id,name\n1,"never closed\n')
    await orders.put_marker(2)
    _, failed = await orders.ended(2)
    assert (failed["state"], failed["code"]) == ("FAILED", "unclosed_quote")
    assert failed["reason"].startswith(f"{keys[1]}: ")
    assert await orders.current() == ONE


async def test_rejects_of_a_delivery_are_told_with_their_file_and_line(running: Installation) -> None:
    orders = await Delivered.declared(running, mode="upsert")
    keys = await orders.put_parts(1, ONE | {"x": "bad"})
    await orders.put_marker(1)
    await orders.ended(1)
    (reject,) = await ask(running, "file", "rejects", f"{orders.name}#1")
    assert (reject["line"], reject["part"], reject["part_line"]) == (9, keys[2], 3)
    assert await orders.current() == ONE
