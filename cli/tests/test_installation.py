"""The command on a local installation of its own, as somebody in an empty folder would use it."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import pytest
from aiokafka import AIOKafkaProducer
from stack.environment import read_environment
from typer.testing import CliRunner
from waybill.main import app

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

COLUMNS = "{id: {type: integer}, name: {type: text}}"
WAYBILL = [sys.executable, "-m", "waybill"]
FILE_KEYS = {
    *("file_id", "name", "organisation", "table", "bucket", "key", "version_id", "size", "arrival", "position"),
    *("attempt", "state", "late", "code", "reason", "registered_at", "found_by", "rows", "balanced"),
    *("presence", "open_rejects", "corrects", "removes"),
}
ROW_KEYS = {"read", "inserted", "updated", "unchanged", "duplicate", "stale", "rejected", "deleted"}
OF_THE_FUTURE = [
    ("ce_specversion", b"1.0"),
    ("ce_type", b"waybill.file-registered.v99"),
    ("ce_id", b"01a1fd7d-bf76-73ed-8b82-7d535d304b02"),
    ("ce_source", b"/test"),
    ("ce_time", b"2026-01-01T00:00:00Z"),
    ("content-type", b"application/json"),
]
MORE_KEYS = {"holds", "files_behind", "decisions", "jobs", "audit", "parts", "delivery"}
STORY_KEYS = {
    *("sent_by", "sent_reason", "twin_file_id", "declaration_version", "ingested", "loaded"),
    *("closed_rejects", "subject", "corrections", "removed_by"),
}


@dataclass
class Folder:
    """A folder in which commands are given."""

    path: Path

    def waybill(self, *words: str, **environment: str) -> tuple[int, str, str]:
        """A command here, in this process (a new one takes a second): exit code, stdout, stderr."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("WAYBILL_", "AWS_"))}
        with patch.dict(os.environ, clean | environment, clear=True), contextlib.chdir(self.path):
            result = CliRunner().invoke(app, words)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    def json(self, *words: str) -> Any:
        """What a command answers as JSON."""
        code, out, complaint = self.waybill(*words, "--json")
        assert code == 0, complaint
        return json.loads(out)

    def write(self, name: str, *lines: str) -> str:
        """A file here; its path."""
        path = self.path / name
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    def declare(self, table: str) -> str:
        """A dataset of numbers and names."""
        text = (
            f"organisation: acme\ntable: {table}\nkey: [id]\ncolumns: {COLUMNS}\nguards: {{max_reject_share: 0.5}}",
        )
        code, _, complaint = self.waybill("dataset", "apply", self.write(f"{table}.yaml", *text), "--reason", "a test")
        assert (code, complaint) == (0, f"acme/{table}: declared, version 1\n")
        return f"acme/{table}"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    folder = Folder(tmp_path_factory.mktemp("here"))
    code, _, complaint = folder.waybill("up", "--detach")
    assert code == 0, complaint
    yield folder
    assert folder.waybill("down") == (0, "", "stopped\n")


def test_the_demo_passes_twice(here: Folder) -> None:
    for second in ("", "_2"):
        code, out, told = here.waybill("demo")
        assert code == 0, told
        assert "counts are what was put in" in told
        assert f"globex/customers{second}#1  LOADED" in out
        assert "Ärger 漢字.csv: ten corrections" in told


def test_each_listing_and_show_is_one_json_document_of_the_promised_shape(here: Folder) -> None:
    dataset = here.declare("shapes")
    for lines in (("1,one", "2,two", "x,bad"), ("1,uno", "2,two")):
        code, _, complaint = here.waybill(
            "file", "put", here.write("a.csv", "id,name", *lines), "--to", dataset, "--wait"
        )
        assert code == 0, complaint
    first, second = here.json("file", "list", dataset)
    assert (first.keys(), first["rows"].keys()) == (FILE_KEYS, ROW_KEYS)
    assert (first["name"], second["rows"]["updated"], second["balanced"]) == (f"{dataset}#1", 1, True)
    assert here.json("file", "list", "--state", "refused") == []
    story = here.json("file", "show", first["file_id"][:-4])
    assert story.keys() == FILE_KEYS | STORY_KEYS | MORE_KEYS
    assert [entry["to_state"] for entry in story["audit"]] == ["REGISTERED", "INGESTED", "LOADED"]
    (reject,) = here.json("file", "rejects", first["name"])
    assert reject == {
        "line": 4,
        "codes": ["wrong_type"],
        "reasons": ['id: expected integer, found "x"'],
        "columns": ["id"],
        "raw": "x,bad",
        "start": 20,
        "size": 6,
        "part": None,
        "part_line": None,
    }
    newest = here.json("record", "history", dataset, "01")[-1]
    assert (newest["version"], newest["change"], newest["changed"]) == (2, "update", ["name"])
    assert newest["values"] == {"id": 1, "name": "uno"}
    shown = here.json("dataset", "show", dataset)
    assert (shown["last_position"], shown["applied_position"], shown["trail"][0]["why"]) == (2, 2, "a test")
    assert list(shown["declaration"]["columns"]) == ["id", "name"]
    assert "\nkey:\n- id\n" in here.waybill("dataset", "show", dataset)[1]
    assert {"dataset", "files", "loaded", "in_work", "stopped"} < here.json("dataset", "list")[0].keys()
    assert here.json("status")["services"].keys() == {"registry", "ingestor", "loader"}


def test_wrong_use_ends_with_2_and_says_what_would_be_right(here: Folder) -> None:
    dataset = here.declare("misused")
    good = here.write("good.csv", "id,name", "1,one")
    here.waybill("file", "put", good, "--to", dataset, "--wait")
    for words, hint in (
        (("file", "put", "missing.csv", "--to", dataset), "does not exist"),
        (("file", "put", good, "--to", "Acme/Orders"), "as acme/orders"),
        (("file", "list", "acme/unknown"), "dataset list"),
        (("file", "list", "--state", "asleep"), "REGISTERED, HELD"),
        (("file", "show", f"{dataset}#9"), "file list"),
        (("file", "show", "01a1\x1b[2J\x00"), r"\x1b[2J"),
        (("file", "retry", f"{dataset}#1"), "is LOADED"),
        (("file", "release", f"{dataset}#1"), "only a file that is HELD"),
        (("file", "refuse", f"{dataset}#1"), "only a file that is HELD"),
        (("file", "release", f"{dataset}#1", "--map", "colour"), "NAME=COLUMN"),
        (("record", "history", dataset, "two"), "'two' is none"),
        (("record", "history", dataset, "2"), "never had"),
        (("dataset", "check", good), "good.csv"),
        (("dead-letter", "redrive", "postman"), "registry, ingestor, loader"),
        (("logs", "postman"), "supervisor"),
        (("up",), "waybill down"),
    ):
        code, out, complaint = here.waybill(*words)
        assert (code, out) == (2, ""), words
        assert hint in complaint, words
        assert "\x1b" not in complaint


def test_a_file_that_fails_ends_with_1_and_says_what_to_do(here: Folder) -> None:
    dataset = here.declare("failing")
    bad = here.write("\x1b[31mbad.csv", "neither,neither")
    code, out, told = here.waybill("file", "put", bad, "--to", dataset, "--wait")
    assert (code, "FAILED" in out) == (1, True)
    assert f"waybill file show '{dataset}#1'" in told
    assert r"\x1b[31mbad.csv" in out
    assert "\x1b" not in out + told
    assert "--as-declared-now" in here.waybill("file", "show", f"{dataset}#1")[2]
    assert here.waybill("file", "retry", f"{dataset}#1", "--reason", "again")[0] == 0
    assert here.waybill("file", "put", bad, "--to", "acme/undeclared", "--wait")[0] == 1
    assert "dataset apply" in here.waybill("file", "show", "acme/undeclared/\x1b[31mbad.csv")[2]


def test_dead_letters_are_shown_sent_again_and_given_up(here: Folder) -> None:
    servers = read_environment(here.path / ".waybill/stack.env")["WAYBILL_KAFKA__BOOTSTRAP_SERVERS"]
    asyncio.run(_send(servers, b"\x1b[2J no event"))
    letters = _until_there_are_letters(here)
    assert {"service", "topic", "topic_offset", "error_type", "error", "value", "headers"} <= letters[0].keys()
    assert "\x1b[2J no event" in letters[0]["value"]
    assert "waybill.files, partition" in here.waybill("dead-letter", "list", "ingestor")[1]
    assert here.waybill("dead-letter", "redrive", "ingestor") == (0, "", "messages sent again: 1\n")
    assert _until_there_are_letters(here)
    assert "discarded: 1" in here.waybill("dead-letter", "discard", "ingestor")[2]
    assert here.waybill("dead-letter", "list", "ingestor") == (0, "", "no dead letters\n")


async def _send(servers: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        await producer.send_and_wait("waybill.files", value, headers=OF_THE_FUTURE)


def _until_there_are_letters(here: Folder) -> Any:
    for _ in range(60):
        if letters := here.json("dead-letter", "list", "ingestor"):
            return letters
        time.sleep(0.3)
    raise AssertionError("no dead letter")


def test_doctor_and_status_find_nothing_wrong_also_from_a_folder_below(here: Folder) -> None:
    below = Folder(here.path / "below")
    below.path.mkdir()
    code, out, _ = below.waybill("doctor")
    assert (code, out.count("ok  "), "PROBLEM" in out) == (0, 4, False)
    assert "registry  ready" in below.waybill("status")[1]


def test_status_tells_of_the_services_here_only_where_their_servers_are_meant(here: Folder) -> None:
    dsn = read_environment(here.path / ".waybill/stack.env")["WAYBILL_POSTGRES__DSN"]
    elsewhere = f"{dsn}{'&' if '?' in dsn else '?'}application_name=elsewhere"
    code, out, _ = here.waybill("status", "--json", WAYBILL_POSTGRES__DSN=elsewhere)
    assert (code, json.loads(out)["services"]) == (0, {})


def test_a_second_installation_beside_it_stops_whole_when_a_service_is_killed(here: Folder, tmp_path: Path) -> None:
    with _in_foreground(tmp_path) as up:
        _read_until(up, "drop a file")
        stacks = [json.loads((folder / ".waybill/stack.json").read_text()) for folder in (here.path, tmp_path)]
        assert not set.intersection(*(set(stack["ports"].values()) for stack in stacks))
        assert Folder(tmp_path).json("file", "list") == []
        processes = psutil.Process(up.pid).children(recursive=True)
        services = json.loads((tmp_path / ".waybill/services.json").read_text())
        os.kill(services["loader"]["pid"], signal.SIGKILL)
        assert up.wait(10) == 3
        assert up.stderr
        assert "loader was killed by signal 9" in up.stderr.read()
    assert not [process for process in processes if process.is_running()]
    beside = Folder(tmp_path)
    code, _, complaint = beside.waybill("file", "list")
    assert (code, "waybill up" in complaint) == (3, True)
    assert beside.waybill("reset", "--yes")[0] == 0
    assert {path.name for path in (tmp_path / ".waybill").iterdir()} == {"stack.lock"}
    assert here.json("status")["services"]["loader"]["health"] == "ready"


def test_ctrl_c_while_it_starts_leaves_nothing_behind(here: Folder, tmp_path: Path) -> None:
    with _in_foreground(tmp_path) as up:
        _read_until(up, "is ready")
        processes = psutil.Process(up.pid).children(recursive=True)
        up.send_signal(signal.SIGINT)
        assert up.wait(10) == 0
    assert processes
    assert not [process for process in processes if process.is_running()]


def test_two_that_start_at_the_same_moment_both_become_ready(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    with contextlib.ExitStack() as ends:
        ups = [ends.enter_context(_in_foreground(folder)) for folder in folders]
        for up in ups:
            _read_until(up, "drop a file")
        assert [Folder(folder).json("file", "list") for folder in folders] == [[], []]


@contextlib.contextmanager
def _in_foreground(folder: Path) -> Iterator[subprocess.Popen[str]]:
    up = subprocess.Popen([*WAYBILL, "up"], cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        yield up
    finally:
        up.terminate()
        up.wait(15)


def _read_until(up: subprocess.Popen[str], words: str) -> str:
    assert up.stderr
    told = ""
    for line in up.stderr:
        told += line
        if words in line:
            return told
    raise AssertionError(told)
