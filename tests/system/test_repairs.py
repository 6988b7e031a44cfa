"""Rows that are taken mended, through all services: they load like others, and everybody can see what was mended."""

import csv
import io
import json
from typing import Any

import pytest
from dataset import COLUMNS
from installation import Installation, declaration_yaml, new_dataset
from waybill_contracts import RecordsIngested

pytestmark = pytest.mark.timeout(180)

FIRST = b"id,name,amount\n1,one,1.00\n2,two\n3,three,3.00\n4,four,4.00,more\n"
SECOND = b"id,name,amount\n1,one,1.00\n2,two,2.00\n3,three\n"


async def told(running: Installation, *words: str) -> Any:
    code, out, complaint = await running.waybill(*words, "--json")
    assert code == 0, complaint
    return json.loads(out)


async def loaded(running: Installation) -> str:
    """A dataset whose two files had rows to mend."""
    dataset = new_dataset()
    await running.apply(declaration_yaml(dataset, ["id"], COLUMNS, format={"repair": ["missing_fields"]}))
    for number, body in enumerate((FIRST, SECOND), 1):
        await running.put(f"{dataset}/{number}.csv", body)
        assert [file["state"] for file in await running.settled(dataset, number)] == ["LOADED"] * number
    return dataset


async def output(running: Installation, place: dict[str, str]) -> bytes:
    reply = await running.s3.get_object(Bucket=place["bucket"], Key=place["key"])
    body: bytes = await reply["Body"].read()
    return body


async def test_mended_rows_load_and_are_told_by_waybill_file_and_history(running: Installation) -> None:
    dataset = await loaded(running)
    first = (await running.files(dataset))[0]
    place = {"bucket": f"{running.bucket}-out", "key": f"{dataset}/{first['file_id']}/waybill.json"}
    waybill = json.loads(await output(running, place))
    assert (waybill["state"], waybill["balanced"]) == ("LOADED", True)
    assert waybill["format"]["repair"] == ["missing_fields"]
    assert waybill["repairs"]["rows"] == {"missing_fields": 1}
    (mended,) = csv.DictReader(io.StringIO((await output(running, waybill["repairs"])).decode()))
    assert mended == {
        "waybill_line": "3",
        "waybill_bytes": "26-31",
        "waybill_repairs": "missing_fields",
        "waybill_raw": "2,two",
    }
    assert (await told(running, "file", "show", f"{dataset}#1"))["ingested"]["repairs"] == {"missing_fields": 1}
    _, shown, _ = await running.waybill("file", "show", f"{dataset}#1")
    assert f"{first['file_id']}/{first['attempt']}/repairs.csv" in shown
    # The table breaks long values into lines.
    assert 'repair:["missing_fields"]' in "".join(shown.split())

    histories = {key: await told(running, "record", "history", dataset, key) for key in "123"}
    marks = {key: [version["repaired"] for version in history] for key, history in histories.items()}
    assert marks == {"1": [[]], "2": [["missing_fields"], []], "3": [[], ["missing_fields"]]}
    assert [version["values"]["amount"] for version in histories["2"]] == [None, "2.00"]


async def test_a_replay_of_mended_rows_changes_nothing(running: Installation) -> None:
    dataset = await loaded(running)
    before = [await told(running, "record", "history", dataset, key) for key in "123"]
    for fact in await running.rows("loader", "SELECT event FROM facts WHERE dataset = $1 ORDER BY position", dataset):
        await running.publish(RecordsIngested.model_validate_json(fact["event"]), replay_id="again")
    await running.put(f"{dataset}/3.csv", SECOND.replace(b"3,three", b"3,three,3.00"))
    assert [file["balanced"] for file in await running.settled(dataset, 3)] == [True] * 3
    after = [await told(running, "record", "history", dataset, key) for key in "123"]
    assert after[:2] == before[:2]
    assert [version["repaired"] for version in after[2]] == [[], ["missing_fields"], []]
