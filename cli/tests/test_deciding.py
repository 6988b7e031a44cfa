"""What a person is shown of a file that is held, and what they are told to do."""

from typing import Any, cast

import pytest
from asyncpg import Record
from waybill.deciding import advice, check_is_held, read_format, read_renames, write_decisions, write_holds
from waybill.output import Refusal
from waybill.waybills import advice as any_advice
from waybill.waybills import write_list
from waybill_contracts import Format

DRIFT = {
    "added": ["colour", "note"],
    "missing": ["color"],
    "likely": {"colour": "color"},
    "samples": {"colour": ["red", "blue"], "note": ["new\x1b[2J"]},
}
HELD: dict[str, Any] = {
    "name": "acme/orders#12",
    "state": "HELD",
    "jobs": [{"kind": "ingest", "state": "HELD"}],
    "rows": {"rejected": 0},
    "files_behind": 3,
    "holds": [{"code": "columns_added", "reason": "columns that are not declared: colour, note", "facts": DRIFT}],
    "decisions": [],
}
DELETES = {"code": "delete_share", "reason": "too many", "facts": {"deletes": 5, "of": 10, "keys": ["1", "2"]}}


def test_a_name_and_its_column_are_read() -> None:
    assert read_renames(["colour=color", " Farbe = shade "]) == {"colour": "color", "Farbe": "shade"}


@pytest.mark.parametrize("pairs", [["colour"], ["=color"], ["colour="], ["a=b", "a=c"]])
def test_what_is_no_pair_is_refused_with_what_was_expected(pairs: list[str]) -> None:
    with pytest.raises(Refusal, match=f"--map '{pairs[-1]}': "):
        read_renames(pairs)


@pytest.mark.parametrize("state", ["LOADED", "REGISTERED", "REFUSED"])
def test_a_file_that_is_not_held_is_not_decided_about(state: str) -> None:
    file = {"state": state, "dataset": "acme/orders", "arrival": 12}
    with pytest.raises(Refusal, match=f"acme/orders#12 is {state}; only a file that is HELD") as refused:
        check_is_held(cast(Record, file))
    assert ("file retry" in str(refused.value)) == (state == "REFUSED")


def test_a_person_is_told_the_exact_commands_and_who_waits() -> None:
    told = any_advice(HELD) or ""
    assert told == advice(HELD)
    for words in (
        "3 files wait behind it",
        "waybill file release 'acme/orders#12' --map 'colour=color'",
        "waybill file release 'acme/orders#12' --accept-columns",
        "waybill file release 'acme/orders#12'\n",
        "waybill file refuse 'acme/orders#12'",
    ):
        assert words in told


def test_columns_are_not_talked_about_where_they_are_not_the_matter() -> None:
    told = advice(HELD | {"holds": [DELETES], "files_behind": 1})
    assert "1 file waits behind it" in told
    assert "--map" not in told
    assert "--accept-columns" not in told
    assert "behind" not in advice(HELD | {"files_behind": 0})


def test_the_difference_of_columns_and_sample_rows_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    write_holds(HELD | {"holds": [*HELD["holds"], DELETES]})
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "held for columns_added: columns that are not declared: colour, note",
        "held for delete_share: too many (deletes: 5; of: 10; keys: 1, 2)",
        "colour not declared color renamed",
        "note not declared",
        "color declared, not in the file",
        "red new\\x1b[2J blue",
    ):
        assert words in shown


def test_decisions_are_shown_with_what_came_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    one = {"at": "noon", "who": "zoe", "decision": "release", "attempt": 3, "why": "fine"}
    write_decisions(HELD | {"decisions": [one | {"accepted": True, "problem": None}]})
    write_decisions(HELD | {"decisions": [one | {"accepted": False, "problem": "too late"}]})
    shown = " ".join(capsys.readouterr().out.split())
    assert "noon zoe release 3 yes fine" in shown
    assert "noon zoe release 3 no too late" in shown


def test_a_list_says_why_files_are_held(capsys: pytest.CaptureFixture[str]) -> None:
    file = {"dataset": "acme/orders", "arrival": 12, "key": "acme/orders/a.csv", "rows": None, "balanced": None}
    write_list([cast(Record, file | {"state": "HELD", "reason": "it is late"})])
    assert "it is late" in capsys.readouterr().out
    write_list([cast(Record, file | {"state": "FAILED", "reason": "it is empty"})])
    assert "held for" not in capsys.readouterr().out


CANDIDATES = [
    {
        "format": {"delimiter": ";", "quote": '"', "header": True},
        "score": 0.667,
        "columns": 3,
        "header": ["id", "na\x1bme", "amount"],
        "rows": [["1", None, "2,5"]],
        "rows_in_sample": 2,
        "faults_in_sample": 0,
    },
    {
        "format": {"delimiter": "\t", "quote": "", "header": True, "skip_lines": 2},
        "score": 0.5,
        "columns": 1,
        "header": ["id;name;amount"],
        "rows": [],
        "rows_in_sample": 0,
        "faults_in_sample": 7,
    },
]
DIALECT = {"code": "dialect", "reason": "how it is to be read is in doubt", "facts": {"candidates": CANDIDATES}}


def test_ways_to_read_a_file_are_shown_with_what_each_gives_and_the_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_holds(HELD | {"holds": [DIALECT]})
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "held for dialect: how it is to be read is in doubt",
        "number delimiter quote header skip_lines score columns faults header first row",
        '1 ; " yes 0.667 3 0 id | na\\x1bme | amount 1 | | 2,5',
        "2 \\t none yes 2 0.5 1 7 id;name;amount",
    ):
        assert words in shown
    told = advice(HELD | {"holds": [DIALECT]})
    assert "waybill file release 'acme/orders#12' --format 1" in told
    assert "just this one, as number 1:   waybill file release 'acme/orders#12'\n" in told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", Format(delimiter="\t", quote="", header=True, skip_lines=2)),
        ("delimiter=';',encoding=windows-1252", Format(delimiter=";", encoding="windows-1252")),
        ("delimiter=,, quote=', skip_lines=3", Format(delimiter=",", quote="'", skip_lines=3)),
        ("delimiter=\\t,quote=,header=false", Format(delimiter="\t", quote="", header=False)),
        ('quote=",type=tsv', Format(quote='"', type="tsv")),
    ],
)
def test_a_format_is_the_number_of_a_candidate_or_its_settings(text: str, expected: Format) -> None:
    assert read_format(text, CANDIDATES) == expected


@pytest.mark.parametrize(
    ("text", "candidates", "words"),
    [
        ("3", CANDIDATES, "expected a number from 1 to 2"),
        ("0", CANDIDATES, "expected a number from 1 to 2"),
        ("1", [], "not held for how it is read"),
        (";", CANDIDATES, "expected the number of a candidate, or settings"),
        ("delimiter=;;", CANDIDATES, "delimiter: "),
        ("separator=;", CANDIDATES, "separator: expected one of type, compression, encoding, delimiter"),
        ("delimiter=;,quote=;", CANDIDATES, "quote: expected another character than that of delimiter"),
    ],
)
def test_what_is_no_format_is_refused_with_what_was_expected(
    text: str, candidates: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(Refusal, match=words):
        read_format(text, candidates)
