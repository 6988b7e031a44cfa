"""What a person does with files, end to end; each journey ends with the oracle."""

from pathlib import Path

import pytest
from dataset import HEADER, Dataset, rows
from hypothesis import given, settings
from hypothesis import strategies as st
from installation import Installation, new_dataset, until

pytestmark = pytest.mark.timeout(180)

FIRST = rows("1,one,1.00", "2,two,2.00", "3,three,")
CHANGES = rows("2,two,2.50", "3,three,", "4,four,4.00")
BAD_ROWS = rows("4,four,not a number", "x,five,5", ",six,6", "7,seven,7.00")


async def test_changes_make_versions_bad_rows_are_rejects_and_the_same_bytes_are_skipped(running: Installation) -> None:
    orders = await Dataset.declared(running)
    await orders.deliver(FIRST, CHANGES, BAD_ROWS, BAD_ROWS, FIRST)
    files = await orders.check()
    assert [file["state"] for file in files] == ["LOADED", "LOADED", "LOADED", "SKIPPED", "LOADED"]
    assert files[3]["twin_file_id"] == files[2]["file_id"]
    assert orders.oracle.counts[2]["rejected"] == 3
    assert len(orders.oracle.versions["2"]) == 3


async def test_a_header_alone_is_loaded_with_no_rows_and_an_empty_file_fails(running: Installation) -> None:
    orders = await Dataset.declared(running)
    files = await orders.deliver(FIRST, HEADER, b"", CHANGES)
    await orders.check()
    assert [file["state"] for file in files] == ["LOADED", "LOADED", "FAILED", "LOADED"]
    assert orders.oracle.counts[1]["read"] == 0
    assert files[2]["code"] == "empty_file"


async def test_names_with_blanks_signs_and_letters_of_any_script_arrive_as_they_are(running: Installation) -> None:
    orders = await Dataset.declared(running)
    names = ["a b+c%20d é.csv", "100%.csv", "sub folder/día #1?&=;.csv", "日本 語.csv", "a+b.csv", "a b.csv", "%2F.csv"]
    # The sweep would make good what a notification did not name rightly.
    async with running.instead("registry", WAYBILL_SWEEP_GRACE_SECONDS="3600"):
        for number, name in enumerate(names):
            await orders.drop(rows(f"{number},named,1.00"), name)
        files = await orders.check()
    assert sorted(file["key"] for file in files) == sorted(f"{orders.name}/{name}" for name in names)
    assert {file["found_by"] for file in files} == {"notification"}


async def test_a_wrong_declaration_is_mended_and_the_file_taken_in_as_declared_now(
    running: Installation, tmp_path: Path
) -> None:
    orders = Dataset(running, new_dataset())
    await running.apply(orders.yaml(order_by={"file_name": r"version_(\d+)"}))
    (failed,) = await orders.deliver(FIRST)
    assert (failed["state"], failed["code"]) == ("FAILED", "no_order_value")
    assert "version_" in failed["reason"]
    mended = tmp_path / "orders.yaml"
    mended.write_text(orders.yaml())
    assert (await running.waybill("dataset", "apply", str(mended)))[0] == 0
    # A retry as the file was declared fails again; the other one does not.
    await _retried(running, orders, "FAILED")
    await _retried(running, orders, "LOADED", "--as-declared-now")
    await orders.deliver(CHANGES)
    await orders.check()


async def _retried(running: Installation, orders: Dataset, state: str, *options: str) -> None:
    before = (await running.files(orders.name))[0]["attempt"]
    code, _, complaint = await running.waybill("file", "retry", f"{orders.name}#1", *options)
    assert code == 0, complaint

    async def is_tried() -> bool:
        (file,) = await running.files(orders.name)
        return file["attempt"] > before and file["state"] == state

    await until(is_tried, 60, f"{orders.name}#1 is not {state}")


async def test_files_without_a_declaration_are_ignored_and_taken_in_oldest_first_once_there_is_one(
    running: Installation,
) -> None:
    orders = Dataset(running, new_dataset())

    async def are_ignored() -> bool:
        states = [(file["state"], file["reason"]) for file in await running.files(orders.name)]
        return states == [("IGNORED", "no declaration")] * 3

    async with running.instead("registry", WAYBILL_INFER="false"):
        for content in (FIRST, CHANGES, BAD_ROWS):
            await orders.drop(content)
        await until(are_ignored, 60, "the files are not IGNORED")
        await running.apply(orders.yaml())
        files = await orders.check()
    assert [file["version_id"] for file in files] == list(orders.contents)


NAMES = st.one_of(st.just(""), st.text("aé ,\"\n\r\t|\\☃😀'", max_size=6))
AMOUNTS = st.sampled_from(["", "0", "1", "1.00", "-0.5", "12.34", "999999.99", "1000000", "1e3", "1.234"])
IDS = st.sampled_from([*"123456", "007", "-1", "", "x"])
DELIVERIES = st.lists(st.lists(st.tuples(IDS, NAMES, AMOUNTS), max_size=12), min_size=1, max_size=4)


def as_csv(table: list[tuple[str, str, str]]) -> bytes:
    """Nothing at all for an empty field: that is null, where "" would be empty text."""
    lines = [",".join('"' + field.replace('"', '""') + '"' if field else "" for field in row) for row in table]
    return rows(*lines)


@given(deliveries=DELIVERIES, repeats=st.booleans())
@settings(max_examples=8, deadline=None)
async def test_whatever_is_delivered_comes_out_as_a_dictionary_would_have_it(
    running: Installation, deliveries: list[list[tuple[str, str, str]]], repeats: bool
) -> None:
    orders = await Dataset.declared(running)
    contents = [as_csv(table) for table in deliveries]
    for content in contents * (1 + repeats):
        await orders.drop(content)
    await orders.check()
