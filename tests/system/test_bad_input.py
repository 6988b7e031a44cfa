"""Bad input ends in a visible state with a clear reason, after one try, and touches nobody else's data."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from dataset import Dataset, rows
from installation import Installation, until

pytestmark = pytest.mark.timeout(180)

GOOD = rows("1,one,1.00", "2,two,2.00")
NAUGHTY = Path(__file__).parents[3] / "shared" / "corpora" / "naughty-strings" / "blns.json"
BAD_FILES = {
    "empty": (b"", "empty_file"),
    "doubled column": (b"id,name,amount,Name\n1,one,1,one\n", "doubled_column"),
    "unclosed quote": (b'id,name,amount\n1,"one,1\n2,two,2\n', "unclosed_quote"),
    "header not UTF-8": (b"id,name,amo\xffunt\n1,one,1\n", "invalid_utf8_header"),
    "a line without end": (GOOD + b"9," + b"x" * (17 << 20) + b",1\n", "line_too_long"),
    "10,000 columns": (",".join(f"c{number}" for number in range(10_000)).encode() + b"\n", "too_many_columns"),
}
OTHER_COLUMNS = {
    "columns_missing": b"id,name\n1,one\n",
    "columns_added": b"id,name,amount,colour\n1,one,1,red\n",
}
BAD_ROWS = {
    "wrong type": (b"9,one,much\n", "amount"),
    "too long": (b"9,one,123456789.00\n", "amount"),
    "NUL": (b"9,o\0ne,1\n", "nul"),
    "invalid UTF-8": (b"9,o\xffne,1\n", "invalid_utf8"),
    "too few fields": (b"9,one\n", "too_few_fields"),
    "too big for MongoDB": (b"9," + b"x" * 15_500_000 + b",1\n", "too"),
}


@pytest.fixture
async def neighbour(running: Installation) -> AsyncIterator[Dataset]:
    """Another organisation, whose data is the same after the test as before."""
    other = await Dataset.declared(running, "globex")
    await other.deliver(GOOD)
    before = await other.digest()
    yield other
    assert await other.digest() == before
    await other.check()


@pytest.mark.parametrize("what", BAD_FILES)
async def test_a_file_that_is_not_what_was_declared_fails_at_once_with_the_reason(
    running: Installation, neighbour: Dataset, what: str
) -> None:
    content, code = BAD_FILES[what]
    orders = await Dataset.declared(running)
    await orders.drop(content)
    (file,) = await orders.settle()
    assert (file["state"], file["code"], file["attempt"]) == ("FAILED", code, 1)
    assert file["reason"]
    heads = "SELECT 1 FROM heads JOIN datasets USING (dataset_id) WHERE dataset = $1"
    assert await running.rows("ingestor", heads, orders.name) == []
    await orders.deliver(GOOD)
    await orders.check()


@pytest.mark.parametrize("code", OTHER_COLUMNS)
async def test_a_file_with_other_columns_waits_with_the_reason_and_nothing_of_it_is_stored(
    running: Installation, neighbour: Dataset, code: str
) -> None:
    orders = await Dataset.declared(running)
    await orders.drop(OTHER_COLUMNS[code])
    (file,) = await orders.settle()
    assert (file["state"], file["code"], file["attempt"]) == ("HELD", code, 1)
    assert file["reason"]
    await orders.check()
    await orders.refuse(1)
    await orders.deliver(GOOD)
    await orders.check()
    assert orders.oracle.states == ["REFUSED", "LOADED"]


@pytest.mark.parametrize("what", BAD_ROWS)
async def test_a_bad_row_is_a_reject_with_the_reason_and_the_others_are_loaded(
    running: Installation, neighbour: Dataset, what: str
) -> None:
    line, told = BAD_ROWS[what]
    orders = await Dataset.declared(running)
    await orders.drop(GOOD + line)
    (file,) = await orders.settle()
    assert (file["state"], file["attempt"]) == ("LOADED", 1), file["reason"]
    assert json.loads(file["rows"]) | {"read": 3, "inserted": 2, "rejected": 1} == json.loads(file["rows"])
    code, out, _ = await running.waybill("file", "rejects", f"{orders.name}#1", "--json")
    (reject,) = json.loads(out)
    assert (code, reject["line"]) == (0, 4)
    assert told in " ".join([*reject["codes"], *reject["reasons"]])
    await orders.check()


async def test_keys_that_lead_nowhere_are_ignored_with_the_reason(running: Installation, neighbour: Dataset) -> None:
    known = "SELECT dataset FROM datasets ORDER BY dataset"
    before = {service: await running.rows(service, known) for service in ("ingestor", "loader")}
    keys = ["alone.csv", "acme/alone.csv", "Acme/orders/a.csv", "acme/orders_history/a.csv", "acme/_x/a.csv"]
    keys += ["acme/orders;drop table files/a.csv", 'acme/"orders"/a.csv', "acme/orders/.hidden", "a'b/orders/a.csv"]
    for key in keys:
        await running.put(key, GOOD)

    async def are_ignored() -> bool:
        found = await running.rows(
            "registry", "SELECT reason FROM files WHERE key = ANY ($1) AND state = 'IGNORED'", keys
        )
        return len(found) == len(keys) and all(file["reason"] for file in found)

    await until(are_ignored, 60, "some keys were not ignored")
    for service in before:
        assert await running.rows(service, known) == before[service]


async def test_hostile_values_come_out_as_they_went_in(running: Installation, neighbour: Dataset) -> None:
    if not NAUGHTY.exists():
        pytest.skip("the corpus of naughty strings is not beside the repository")
    strings = [text for text in json.loads(NAUGHTY.read_text()) if "\0" not in text]
    orders = await Dataset.declared(running)
    lines = [f'{number},"{text.replace(chr(34), chr(34) * 2)}",1.00' for number, text in enumerate(strings) if text]
    await orders.deliver(rows(*lines))
    await orders.check()
