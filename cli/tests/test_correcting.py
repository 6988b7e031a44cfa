"""Rejects on their way to their sender and back."""

import io
from typing import Any
from uuid import uuid4

import pytest
from waybill.correcting import folder_for, only_lines, write_repairs
from waybill.output import Refusal
from waybill.waybills import advice, format_text
from waybill_contracts import Format
from waybill_contracts.declaration_yaml import parse_declaration

ID = uuid4()
FILE: dict[str, Any] = {
    "file_id": ID,
    "dataset": "acme/orders",
    "arrival": 12,
    "state": "LOADED",
    "position": 3,
    "corrects": None,
    "removes": None,
}
TOLD = {"name": "acme/orders#12", "state": "LOADED", "jobs": [], "rows": {"rejected": 3}, "open_rejects": 3}


def test_a_correction_is_dropped_where_the_registry_expects_it() -> None:
    assert folder_for(FILE, "acme/orders") == f"acme/orders/_corrections/{ID}"


@pytest.mark.parametrize(
    ("changes", "dataset", "complaint"),
    [
        ({}, "acme/items", "is not a file of acme/items"),
        ({"dataset": None, "arrival": None, "key": "x"}, "acme/orders", "x is not a file of"),
        ({"corrects": uuid4()}, "acme/orders", "is a correction itself"),
        ({"removes": uuid4()}, "acme/orders", "took no effect"),
        ({"position": None, "state": "FAILED"}, "acme/orders", "is FAILED and took no effect; send the whole file"),
    ],
)
def test_what_cannot_be_corrected_is_refused_with_what_to_do(
    changes: dict[str, Any], dataset: str, complaint: str
) -> None:
    with pytest.raises(Refusal, match=complaint):
        folder_for(FILE | changes, dataset)


def test_open_rows_are_saved_byte_for_byte_and_no_others() -> None:
    header = b"waybill_line,waybill_codes,waybill_reasons,waybill_raw,id,note\n"
    rows = {
        "2": b'2,wrong_type,"id: x, no",,x,"two\nlines, ""and"" more"\n',
        "4": b"4,wrong_type,id: y,,\xff\xfe,\n",
        "14": b'14,too_many_fields,row,"\'=1,2\r\n3",,""\n',
        "20": b"20,wrong_type,id: z,,z,20\n",
    }
    content = header + b"".join(rows.values())
    for lines in ({"2"}, {"4", "20"}, {"14"}, set(rows), {"3"}):
        expected = header + b"".join(row for line, row in rows.items() if line in lines)
        assert b"".join(only_lines(io.BytesIO(content), lines)) == expected


def test_a_person_is_told_the_commands_that_correct_what_is_open() -> None:
    told = advice(TOLD) or ""
    assert told.startswith("3 of its rejects are open.")
    for words in (
        "waybill file rejects 'acme/orders#12' --open --save rejects.csv",
        "waybill file put rejects.csv --to acme/orders --corrects 'acme/orders#12'",
    ):
        assert words in told
    assert (advice(TOLD | {"open_rejects": 1}) or "").startswith("1 of its rejects is open.")
    assert advice(TOLD | {"open_rejects": 0}) is None
    assert advice(TOLD | {"open_rejects": None}) is None


def test_a_person_is_told_what_was_mended_in_rows_that_were_taken_and_where_they_lie(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ingested = {"attempt": 4, "repairs": {"missing_fields": 12, "stray_quotes": 3}}
    write_repairs(TOLD | {"bucket": "drop", "file_id": ID, "ingested": ingested})
    told = capsys.readouterr().out
    assert [line.split() for line in told.splitlines() if "_" in line] == [
        ["missing_fields", "12"],
        ["stray_quotes", "3"],
    ]
    assert f"bucket drop-out, acme/orders/{ID}/4/repairs.csv" in told


@pytest.mark.parametrize("ingested", [None, {"attempt": 1}, {"attempt": 1, "repairs": {}}])
def test_where_nothing_was_mended_nothing_is_told_of_it(
    ingested: dict[str, Any] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    write_repairs(TOLD | {"ingested": ingested})
    assert capsys.readouterr().out == ""


def test_a_format_is_told_as_it_would_be_declared() -> None:
    read = Format(type="csv", delimiter="\t", quote="", header=False, null_values=("NA", "-"), footer_lines=2)
    text = format_text(dict(sorted(read.model_dump(mode="json", exclude_unset=True).items())))
    assert text == '{type: "csv", delimiter: "\\t", quote: "", header: false, footer_lines: 2, null_values: ["NA","-"]}'
    declared = parse_declaration(f"organisation: acme\ntable: orders\nformat: {text}\n", "orders.yaml")
    assert declared.format == read
