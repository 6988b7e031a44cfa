"""A file whose format is in doubt waits for one decision; then all is as if that format had been declared at first."""

import asyncio
import json
from typing import Any

import pytest
from checker import tables
from dataset import COLUMNS, Dataset, rows
from installation import Installation, declaration_yaml, new_dataset

pytestmark = pytest.mark.timeout(120)

LATIN = rows("1,Zoë,1.00", "2,René,2.00", "3,Chloé,3.00", "4,Noël,4.00", "5,Ösp,5.00").decode().encode("windows-1252")
LATER = rows("5,Ærø,5.50", "6,Åsa,6.00").decode().encode("windows-1252")
LAST = rows("7,Plain,7.00")
HEADLESS = rows("1,one,1.00", "2,two,2.00", header=b"")
MORE_HEADLESS = rows("2,zwei,2.50", "3,three,", header=b"")
CASES: dict[str, tuple[tuple[bytes, ...], dict[str, Any]]] = {
    "an encoding": ((LATIN, LATER, LAST), {"encoding": "windows-1252"}),
    "no header": ((HEADLESS, MORE_HEADLESS), {"header": False}),
}


async def declared(running: Installation, **more: object) -> Dataset:
    dataset = Dataset(running, new_dataset("acme"))
    await running.apply(declaration_yaml(dataset.name, ["id"], COLUMNS, **more))
    return dataset


async def stored(dataset: Dataset) -> list[list[tuple[Any, ...]]]:
    """Its current rows and every version, but for when and in which attempt."""
    found = []
    for table in tables(dataset.installation, dataset.name):
        kept = await dataset.installation.db.fetch(f"SELECT * FROM {table} ORDER BY _key, _version")
        left_out = {"_loaded_at", "_attempt"}
        found.append([tuple(value for name, value in row.items() if name not in left_out) for row in kept])
    return found


@pytest.mark.parametrize("what", CASES)
async def test_a_format_in_doubt_is_decided_once_and_then_all_is_as_if_it_had_been_declared(
    running: Installation, what: str
) -> None:
    files, read_as = CASES[what]
    doubtful, told, neighbour = await asyncio.gather(
        declared(running), declared(running, format=read_as), declared(running)
    )
    await doubtful.deliver(*files)
    await told.deliver(*files)
    assert [file["state"] for file in await doubtful.settle()] == ["HELD", *["REGISTERED"] * (len(files) - 1)]
    assert [file["state"] for file in await neighbour.deliver(LAST)] == ["LOADED"]

    held = f"{doubtful.name}#1"
    code, out, said = await running.waybill("file", "show", held)
    assert (code, "ways to read it" in out, f"file release '{held}' --format 1" in said) == (0, True, True)
    code, out, _ = await running.waybill("file", "release", held, "--format", "1", "--user", "ada")
    assert code == 0, out
    assert {file["state"] for file in await running.settled(doubtful.name, len(files))} == {"LOADED"}
    assert {file["state"] for file in await told.settle()} == {"LOADED"}
    assert await stored(doubtful) == await stored(told)

    document = json.loads((await running.waybill("file", "show", held, "--json"))[1])
    assert document["decisions"][0]["format"].items() >= read_as.items()
    assert document["ingested"]["format"].items() >= {"type": "csv", "delimiter": ",", **read_as}.items()


async def test_a_format_can_be_said_that_is_none_of_the_candidates(running: Installation) -> None:
    dataset = await declared(running)
    await dataset.deliver(LATIN)
    code, _, said = await running.waybill("file", "release", f"{dataset.name}#1", "--format", "encoding=latin")
    assert (code, "encoding: " in said) == (2, True)
    code, _, said = await running.waybill("file", "release", f"{dataset.name}#1", "--format", "encoding=iso-8859-1")
    assert code == 0, said
    (file,) = await running.settled(dataset.name, 1)
    assert (file["state"], json.loads(file["ingested"])["format"]["encoding"]) == ("LOADED", "iso-8859-1")
