"""Names that are words, signs or traps elsewhere: what a declaration allows is only a name, the rest is refused."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path

import asyncpg
import pytest
from checker import tables
from dataset import Dataset, rows
from installation import Installation, declaration_yaml
from oracle import Oracle

pytestmark = pytest.mark.timeout(240)

LONGEST_TABLE = "t" * 41
LONGEST_ORGANISATION = "o" * 31
LONGEST_COLUMN = "ä" * 31 + "z"
# Pairs whose names come close when they are joined by `_`, or are words of SQL, MongoDB, Python or ourselves.
DATASETS = (
    "select/table",
    "a/b_c",
    "a-b/c",
    "public/user",
    "pg-catalog/pg_class",
    "waybill/heads",
    "raw/files",
    "null/true",
    f"{LONGEST_ORGANISATION}/{LONGEST_TABLE}",
)
# Business name: how the sender writes it in the header.
HEADERS = {
    "select": "SELECT",
    "order": '"order"',
    "robert_drop_table_heads": "Robert'); DROP TABLE heads;--",
    "where_this_a": "$where: this.a",
    "data_key": "data.$key",
    "key": "_key",
    "version": "_version",
    "id": "_id",
    "x1": "1",
    "proto": "__proto__",
    "s": "%s",
    "n": "{n}",
    "oid": "OID",
    "größe": "Größe",
    "名前": "名前",
    LONGEST_COLUMN: LONGEST_COLUMN,
}
KEY = ("order", "key", "größe")
TYPES = dict.fromkeys(HEADERS, "text") | {"order": "integer", "version": "integer", "x1": "decimal(8,2)"}

REFUSED_COLUMNS = {
    "quote": 'a"b',
    "semicolon": "a; DROP TABLE heads",
    "dollar": "$where",
    "dot": "a.b",
    "system column": "_key",
    "system column of PostgreSQL": "ctid",
    "too long": "ä" * 32,
    "NUL": "a\0b",
    "upper case": "Name",
    "not composed": "a\u0308b",
}
REFUSED_DATASETS = {
    "organisation in upper case": ("Acme", "orders"),
    "organisation with _": ("a_b", "orders"),
    "organisation with a quote": ('a"b', "orders"),
    "table with a dot": ("acme", "orders.heads"),
    "table with a dollar": ("acme", "system$"),
    "table that leads out": ("acme", "../heads"),
    "table of ours": ("acme", "orders_history"),
    "table that begins with _": ("acme", "_orders"),
    "table too long": ("acme", "t" * 42),
    "organisation too long": ("o" * 32, "orders"),
}


class Hostile(Dataset):
    """A dataset with all the columns above."""

    def __init__(self, installation: Installation, name: str) -> None:
        super().__init__(installation, name)
        self.oracle = Oracle(KEY, {column: (kind, column in KEY) for column, kind in TYPES.items()})

    def declaration(self) -> str:
        return declaration_yaml(
            self.name, map(json.dumps, KEY), {json.dumps(name): f'{{type: "{kind}"}}' for name, kind in TYPES.items()}
        )

    async def send(self, *versions: str) -> None:
        """A file whose header the sender wrote; the oracle is told the business names."""
        lines = "".join(f"{line}\n" for line in versions)
        version = await self.drop(f"{_line(HEADERS.values())}\n{lines}".encode())
        self.contents[version] = f"{','.join(HEADERS)}\n{lines}".encode()


def _line(fields: Iterable[object]) -> str:
    """Nothing at all for an empty field: that is null."""
    return ",".join('"' + str(field).replace('"', '""') + '"' if field != "" else "" for field in fields)


def _row(number: int, text: str, amount: str) -> str:
    values = {name: f"{text} {name}" for name in HEADERS} | {"order": number, "version": number * 7, "x1": amount}
    return _line((values | {"key": f"k|{number}", "größe": "ö\\"}).values())


async def test_names_that_mean_something_elsewhere_come_through_to_both_stores_and_reach_nobody_else(
    running: Installation,
) -> None:
    neighbour = await Dataset.declared(running)
    await neighbour.deliver(rows("1,one,1.00", "2,two,2.00"))
    before = await neighbour.digest()
    datasets = [Hostile(running, name) for name in DATASETS]
    await asyncio.gather(*(running.apply(each.declaration()) for each in datasets))
    for each in datasets:
        await each.send(_row(1, each.name, "1.00"), _row(2, each.name, ""), _row(3, "'; --", "3.50"))
        await each.send(_row(2, each.name, "2.25"), _row(3, "'; --", "3.50"), _row(4, '$"', "0.01"), "too,few")
    for each in datasets:
        await each.check()
        await _is_read_by_its_readers_alone(each, neighbour)
    assert await neighbour.digest() == before
    await neighbour.check()


async def _is_read_by_its_readers_alone(mine: Dataset, other: Dataset) -> None:
    """The organisation's role reads its current rows and history, and nothing of another's or of any log."""
    running = mine.installation
    current, log = tables(running, mine.name)
    role = current.split(".")[0][:-1] + '_reader"'
    readable, closed = [current, f'{current[:-1]}_history"'], [log, *tables(running, other.name)]
    for table in readable:
        assert await _count(running, role, table) > 0
    for table in closed:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _count(running, role, table)


async def _count(running: Installation, role: str, table: str) -> int:
    async with running.db.acquire() as connection, connection.transaction():
        await connection.execute(f"SET LOCAL ROLE {role}")
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


@pytest.mark.parametrize("what", REFUSED_COLUMNS)
async def test_a_column_name_that_is_not_plain_is_refused_with_its_place_and_what_was_expected(
    running: Installation, tmp_path: Path, what: str
) -> None:
    orders = await Dataset.declared(running)
    await orders.deliver(rows("1,one,1.00"))
    name = REFUSED_COLUMNS[what]
    text = declaration_yaml(orders.name, ["id"], {"id": "{type: integer}", json.dumps(name): "{type: text}"})
    complaint = await _refusal(running, tmp_path, text)
    assert "hostile.yaml:" in complaint, complaint
    assert f"columns: {name!r}: expected" in complaint, complaint
    await orders.deliver(rows("1,one,2.00"))
    await orders.check()


@pytest.mark.parametrize("what", REFUSED_DATASETS)
async def test_the_name_of_a_dataset_that_is_not_plain_is_refused_with_its_place_and_what_was_expected(
    running: Installation, tmp_path: Path, what: str
) -> None:
    organisation, table = REFUSED_DATASETS[what]
    text = f"organisation: {json.dumps(organisation)}\ntable: {json.dumps(table)}\nkey: [id]\ncolumns: {{id: {{}}}}\n"
    complaint = await _refusal(running, tmp_path, text)
    line = 1 if what.startswith("organisation") else 2
    assert f"hostile.yaml:{line}" in complaint, complaint
    assert "expected" in complaint.lower(), complaint
    known = await running.rows("registry", "SELECT dataset FROM datasets")
    assert f"{organisation}/{table}" not in {row["dataset"] for row in known}


async def _refusal(running: Installation, folder: Path, declaration: str) -> str:
    """What the command line says of a declaration that it refuses."""
    path = folder / "hostile.yaml"
    path.write_text(declaration)
    code, out, complaint = await running.waybill("dataset", "apply", str(path))
    assert (code, out) == (2, ""), complaint
    return complaint
