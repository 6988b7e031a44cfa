"""Decisions by the command line on a real installation: what a person sees of a held file, and what comes of it."""

import json
from typing import Any

import pytest
from dataset import COLUMNS
from installation import Installation, declaration_yaml, new_dataset, until
from test_command_line import hold_against_golden, shape

pytestmark = pytest.mark.timeout(180)


async def declare(running: Installation, **more: object) -> str:
    name = new_dataset()
    await running.apply(declaration_yaml(name, ["id"], COLUMNS, **more))
    return name


async def states(running: Installation, dataset: str) -> list[str]:
    return [file["state"] for file in await running.files(dataset)]


async def until_states(running: Installation, dataset: str, *expected: str) -> None:
    async def are_so() -> bool:
        return await states(running, dataset) == list(expected)

    await until(are_so, 60, f"{dataset}: not {expected}")


async def drop_drifting(running: Installation) -> str:
    """A dataset whose second file has a renamed and an added column; a third waits behind it."""
    dataset = await declare(running)
    await running.put(f"{dataset}/1.csv", b"id,name,amount\n1,one,1.00\n")
    await until_states(running, dataset, "LOADED")
    await running.put(f"{dataset}/2.csv", b"id,names,amount,note\n1,uno,1.00,new\n2,dos,2.00,\n")
    await until_states(running, dataset, "LOADED", "HELD")
    await running.put(f"{dataset}/3.csv", b"id,names,amount,note\n3,tres,3.00,old\n")
    await until_states(running, dataset, "LOADED", "HELD", "REGISTERED")
    return dataset


async def rows(running: Installation, dataset: str) -> list[tuple[Any, ...]]:
    organisation, table = dataset.split("/")
    query = f'SELECT * FROM "{running.namespace}_orgdata_{organisation}"."{table}" ORDER BY id'
    return [tuple(value for name, value in row.items() if not name.startswith("_"))[:2] for row in
            await running.rows("loader", query)]  # fmt: skip


async def test_a_drifting_file_is_shown_released_and_taken_with_those_behind_it(running: Installation) -> None:
    dataset = await drop_drifting(running)
    other = await declare(running)
    await running.put(f"{other}/1.csv", b"id,name,amount\n1,one,1.00\n")
    await until_states(running, other, "LOADED")

    code, out, _ = await running.waybill("file", "list", dataset, "--state", "held")
    assert (code, "not declared" in " ".join(out.split())) == (0, True), out
    assert "1 file waits for a decision" in (await running.waybill("status"))[2]
    code, out, told = await running.waybill("file", "show", f"{dataset}#2")
    for words in ("names", "name renamed", "uno"):
        assert words in " ".join(out.split()), out
    assert "1 file waits behind it" in told
    assert f"waybill file release '{dataset}#2' --map 'names=name'" in told
    shown = json.loads((await running.waybill("file", "show", f"{dataset}#2", "--json"))[1])
    shown["audit"] = shown["audit"][:1]
    hold_against_golden("file-show-held", shape(shown, orders=dataset))

    code, _, complaint = await running.waybill("file", "release", f"{dataset}#2", "--map", "names=title")
    assert (code, "no column title is declared" in complaint) == (1, True), complaint
    words = ("--map", "names=name", "--accept-columns", "--user", "ana", "--reason", "a new till")
    code, _, told = await running.waybill("file", "release", f"{dataset}#2", *words)
    assert (code, "under version 2" in told) == (0, True), told
    await until_states(running, dataset, "LOADED", "LOADED", "LOADED")
    assert await rows(running, dataset) == [(1, "uno"), (2, "dos"), (3, "tres")]
    decisions = json.loads((await running.waybill("file", "show", f"{dataset}#2", "--json"))[1])["decisions"]
    assert [(each["who"], each["accepted"], each["why"]) for each in decisions][1:] == [("ana", True, "a new till")]


async def test_a_file_that_is_refused_lets_those_behind_it_go_on(running: Installation) -> None:
    dataset = await declare(running)
    await running.put(f"{dataset}/1.csv", b"id,name,amount,note\n1,one,1.00,x\n")
    await until_states(running, dataset, "HELD")
    await running.put(f"{dataset}/2.csv", b"id,name,amount\n2,two,2.00\n")
    code, _, complaint = await running.waybill(
        "file", "refuse", f"{dataset}#1", "--reason", "a mistake", "--user", "ana"
    )
    assert code == 0, complaint
    await until_states(running, dataset, "REFUSED", "LOADED")
    assert await rows(running, dataset) == [(2, "two")]
    code, _, complaint = await running.waybill("file", "release", f"{dataset}#1")
    assert (code, "is REFUSED" in complaint) == (2, True), complaint
    shown = json.loads((await running.waybill("file", "show", f"{dataset}#1", "--json"))[1])
    assert (shown["code"], shown["reason"], shown["holds"][0]["code"]) == ("refused", "a mistake", "columns_added")
    assert shown["audit"][-1]["who"] == "ana"
