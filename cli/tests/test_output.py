"""What people see: names that cannot move the cursor, sentences and exit codes for what cannot be done."""

import asyncio
import io
import json
import os
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest
import typer
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from waybill import output
from waybill.delivering import write_entries
from waybill.environment import FILE, FOLDER, settings
from waybill.output import Refusal, Unreachable, run, shown


@given(st.text())
def test_no_text_moves_the_cursor(text: str) -> None:
    assert shown(text).isprintable()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("\x1b[31mred\n\x00", r"\x1b[31mred\n\x00"),
        ("März 漢字.csv", "März 漢字.csv"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        (1234567, "1,234,567"),
        (True, "yes"),
        (False, "no"),
        (None, ""),
    ],
)
def test_a_value_is_one_line_of_text(value: object, text: str) -> None:
    assert shown(value) == text


def test_times_are_shown_without_parts_of_seconds() -> None:
    at = datetime(2026, 11, 21, 9, 30, 1, 999, tzinfo=UTC)
    assert shown(at) == at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def test_remarks_keep_their_lines_but_no_other_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    output.say("one\ntwo \x1b]0;title\x07[bold]")
    assert capsys.readouterr().err == "one\ntwo \\x1b]0;title\\x07[bold]\n"


@given(st.dictionaries(st.text(), st.text()))
@example({"\x9b2J\u202e\U000e0001\x7f": "\x1b[2J\n\x00\u2028\\"})
def test_json_moves_no_cursor_and_says_the_same(value: dict[str, str]) -> None:
    written = io.StringIO()
    with redirect_stdout(written):
        output.write_json(value)
    assert all(line.isprintable() for line in written.getvalue().split("\n"))
    assert json.loads(written.getvalue()) == value


@given(st.lists(st.text(), min_size=2, max_size=2), st.text())
def test_a_table_of_any_texts_moves_no_cursor(cells: list[str], title: str) -> None:
    written = io.StringIO()
    output.out.file = None  # the console must write to where the output goes now
    with redirect_stdout(written):
        output.write_table((title, "object"), [cells], title)
    assert all(line.isprintable() for line in written.getvalue().split("\n"))


def test_a_table_in_a_log_is_no_wider_than_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    output.out.file = None  # the console must write to what pytest captures
    output.write_table(("file", "version", "object"), [("acme/orders#1", 12, "x" * 300), ("a\x1b[2J", 1, "漢" * 90)])
    written = capsys.readouterr().out
    assert "\x1b" not in written
    assert max(cell_len(line) for line in written.splitlines()) <= output.LOG_WIDTH


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refusal("no such thing"), 2),
        (Unreachable("nobody is there"), 3),
        (ConnectionRefusedError("nobody listens"), 3),
        (PermissionError(13, "Permission denied", "orders.csv"), 2),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_an_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async def work() -> NoReturn:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(typer.Exit) as ended:
        run(work())
    told = capsys.readouterr()
    assert (ended.value.exit_code, told.out) == (code, "")
    assert str(error.args[-1]) in told.err


def test_what_nobody_thought_of_is_not_hidden() -> None:
    async def work() -> NoReturn:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(work())


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where nothing is known of any installation."""
    for name in [name for name in os.environ if name.startswith("WAYBILL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_an_installation_one_learns_how_to_start_it(empty_folder: Path) -> None:
    with pytest.raises(Unreachable, match="waybill up"):
        settings()


def test_what_an_ended_stack_left_is_not_used(empty_folder: Path) -> None:
    (empty_folder / FOLDER).mkdir()
    (empty_folder / FOLDER / FILE).write_text("WAYBILL_POSTGRES__DSN=postgresql://somebody-else\n")
    with pytest.raises(Unreachable, match=r"nothing runs in .* waybill up"):
        settings()


def test_of_an_archive_the_first_hundred_files_are_told_and_how_many_there_are_more() -> None:
    entries = [{"entry": f"day{number}.csv", "first_line": number, "rows": 7} for number in range(1, 103)]
    with redirect_stdout(io.StringIO()) as told:
        write_entries(entries)
    lines = [line.split() for line in told.getvalue().splitlines() if line]
    assert lines[0] == ["entries"]
    assert lines[3:5] == [["day1.csv", "1", "7"], ["day2.csv", "2", "7"]]
    assert lines[-2:] == [["day100.csv", "100", "7"], ["and", "2", "more:", "--json"]]
