"""Rejects corrected from the command line, and objects that are removed, through all services."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from dataset import COLUMNS
from installation import Installation, declaration_yaml, new_dataset, until

pytestmark = pytest.mark.timeout(180)

BAD = b"id,name,amount\n1,one,1.00\n2,two,many\n3,=three,-\n4,four,4,more\n"


async def declare(running: Installation, **more: object) -> str:
    name = new_dataset()
    await running.apply(declaration_yaml(name, ["id"], COLUMNS, **more))
    return name


async def until_states(running: Installation, dataset: str, *expected: str) -> None:
    async def are_so() -> bool:
        return [file["state"] for file in await running.files(dataset)] == list(expected)

    await until(are_so, 60, f"{dataset}: not {expected}")


async def until_open(running: Installation, dataset: str, *expected: int | None) -> None:
    async def are_so() -> bool:
        return [file["open_rejects"] for file in await running.files(dataset)] == list(expected)

    await until(are_so, 60, f"{dataset}: not {expected} open")


async def rows(running: Installation, dataset: str) -> list[tuple[Any, ...]]:
    organisation, table = dataset.split("/")
    query = f'SELECT id, name FROM "{running.namespace}_orgdata_{organisation}"."{table}" ORDER BY id'
    return [tuple(row) for row in await running.rows("loader", query)]


async def said(running: Installation, *words: str, code: int = 0) -> str:
    """What the command says, on both its outputs."""
    found, out, told = await running.waybill(*words)
    assert found == code, told
    return out + told


async def told(running: Installation, *words: str) -> Any:
    code, out, complaint = await running.waybill(*words, "--json")
    assert code == 0, complaint
    return json.loads(out)


async def waybill_of(running: Installation, file: Any) -> Any:
    key = f"{file['dataset']}/{file['file_id']}/waybill.json"
    reply = await running.s3.get_object(Bucket=f"{running.bucket}-out", Key=key)
    return json.loads(await reply["Body"].read())


async def test_rejects_are_saved_mended_and_sent_back_until_none_is_open(running: Installation, tmp_path: Path) -> None:
    dataset, path = await declare(running), tmp_path / "rejects.csv"
    first, before = f"{dataset}#1", (await told(running, "status"))["open_rejects"]
    await running.put(f"{dataset}/1.csv", BAD)
    await until_states(running, dataset, "LOADED")

    assert [file["open_rejects"] for file in await told(running, "file", "list", dataset, "--open-rejects")] == [3]
    assert f"{before + 3} rejected rows are open, to be corrected: waybill file list" in await said(running, "status")
    shown = await said(running, "file", "show", first)
    assert f"waybill file rejects '{first}' --open --save rejects.csv" in shown
    assert f"waybill file put rejects.csv --to {dataset} --corrects '{first}'" in shown

    await said(running, "file", "rejects", first, "--save", str(path))
    assert "File exists" in await said(running, "file", "rejects", first, "--save", str(path), code=2)
    mended = path.read_text().replace("many", "2.00").replace("'-", "3.00")
    path.write_text(mended)
    send = ("file", "put", str(path), "--to", dataset, "--corrects", first, "--wait")
    await said(running, *send)
    assert await rows(running, dataset) == [(1, "one"), (2, "two"), (3, "=three")]

    assert [row["line"] for row in await told(running, "file", "rejects", first, "--open")] == [5]
    path.unlink()
    await said(running, "file", "rejects", first, "--open", "--save", str(path))
    header, row = path.read_text().splitlines()
    assert row.startswith("5,48-61,too_many_fields,")
    path.write_text(f"{header}\n5,,,,,,4,four,4.00\n")
    await said(running, *send)
    assert await rows(running, dataset) == [(1, "one"), (2, "two"), (3, "=three"), (4, "four")]

    await until_open(running, dataset, 0, None, None)
    assert await told(running, "file", "list", dataset, "--open-rejects") == []
    assert "has no open rejects" in await said(
        running, "file", "rejects", first, "--open", "--save", f"{path}x", code=2
    )
    assert (await told(running, "status"))["open_rejects"] == before
    await check_both_tell(running, dataset)


async def check_both_tell(running: Installation, dataset: str) -> None:
    """The first file tells of its two corrections, and they of it."""
    first = f"{dataset}#1"
    found = await told(running, "file", "show", first)
    assert [(each["name"], each["closed_rejects"]) for each in found["corrections"]] == [
        (f"{dataset}#2", 2),
        (f"{dataset}#3", 1),
    ]
    one, two, _ = await running.files(dataset)

    async def is_told() -> bool:
        return len((await waybill_of(running, one))["corrections"]) == 2

    await until(is_told, 30, "the corrections are not in the waybill")
    assert (await waybill_of(running, two))["corrects"]["name"] == first


async def test_a_correction_that_cannot_be_one_says_why(running: Installation) -> None:
    dataset, other = await declare(running), await declare(running)
    await running.put(f"{dataset}/1.csv", BAD)
    await until_states(running, dataset, "LOADED")
    (file,) = await running.files(dataset)
    for number, file_id in enumerate((file["file_id"], uuid4())):
        await running.put(f"{other}/_corrections/{file_id}/{number}.csv", b"id,name,amount\n2,two,2.00\n")
    await until_states(running, other, "REFUSED", "REFUSED")
    assert {file["code"] for file in await running.files(other)} == {"not_its_file"}
    key = f"{dataset}/_corrections/1/rejects.csv"
    await running.put(key, BAD)

    async def is_ignored() -> bool:
        found = await running.rows("registry", "SELECT reason FROM files WHERE key = $1 AND state = 'IGNORED'", key)
        return bool(found) and "<file id>/<name> with the whole id" in found[0]["reason"]

    await until(is_ignored, 30, "no reason is told")
    await until_open(running, dataset, 3)


async def test_the_records_of_a_removed_object_end_unless_others_have_spoken_since(running: Installation) -> None:
    dataset = await declare(running, object_removed="delete")
    for number, content in enumerate((b"1,one,1.00\n2,two,2.00\n", b"2,dos,2.00\n"), 1):
        await running.put(f"{dataset}/{number}.csv", b"id,name,amount\n" + content)
        await until_states(running, dataset, *["LOADED"] * number)
    await running.s3.delete_object(Bucket=running.bucket, Key=f"{dataset}/1.csv")
    await until_states(running, dataset, *["LOADED"] * 3)
    assert await rows(running, dataset) == [(2, "dos")]
    *_, end = await told(running, "file", "list", dataset)
    assert (end["reason"], end["rows"]["deleted"]) == (f"the object {dataset}/1.csv was removed", 1)
    assert end["balanced"] is True
    shown = await said(running, "file", "show", f"{dataset}/1.csv")
    assert f"{dataset}#3 ends its records" in shown
    assert "deleted" in shown

    await running.put(f"{dataset}/1.csv", b"id,name,amount\n1,uno,1.00\n")
    await until_states(running, dataset, *["LOADED"] * 4)
    assert await rows(running, dataset) == [(1, "uno"), (2, "dos")]
