"""The command line on a real installation: its JSON has the shape that was promised, its exit code the meaning."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from dataset import COLUMNS, Dataset, rows
from installation import Installation, declaration_yaml, new_dataset, until

pytestmark = pytest.mark.timeout(180)

GOLDEN = Path(__file__).parent / "golden"
WRITES_GOLDEN = "WAYBILL_WRITE_GOLDEN"
VOLATILE = re.compile(
    r"_id$|_at$|^(at|due|since|bucket|hash|checksum|sha256|found_order|topic|group|(topic_)?(offset|partition))$"
)
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
async def orders(running: Installation) -> AsyncIterator[Dataset]:
    """A dataset with a file that loaded, one with rejects, one that was skipped and one that failed."""
    made = await Dataset.declared(running)
    bad = rows("1,one,2.00", "x,two,2", "3,three,many")
    # Only notifications find files meanwhile, so that it is sure what found them.
    async with running.instead("registry", WAYBILL_SWEEP_GRACE_SECONDS="3600"):
        await made.deliver(rows("1,one,1.00", "2,two,"), bad, bad, b"")
    await made.check()
    yield made
    await made.check()


def shape(value: Any, name: str = "", orders: str = "") -> Any:
    """The value, with what differs from run to run replaced by its kind."""
    if isinstance(value, dict):
        return {key: shape(each, key, orders) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each, name, orders) for each in value]
    if value is not None and VOLATILE.search(name):
        return f"<{type(value).__name__}>"
    if isinstance(value, str):
        value = UUID_TEXT.sub("<uuid>", value)
        return value.replace(orders.partition("/")[2], "orders") if orders else value
    return value


def hold_against_golden(name: str, found: Any) -> None:
    path = GOLDEN / f"{name}.json"
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get(WRITES_GOLDEN):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} differs; {WRITES_GOLDEN}=1 writes what was found"


COMMANDS = {
    "file-list": "file list {orders} --json",
    "file-show": "file show {orders}#2 --json",
    "file-show-failed": "file show {orders}#4 --json",
    "file-rejects": "file rejects {orders}#2 --json",
    "dataset-list": "dataset list --json",
    "dataset-show": "dataset show {orders} --json",
    "record-history": "record history {orders} 1 --json",
}


@pytest.mark.parametrize("name", COMMANDS)
async def test_the_json_of_each_listing_and_show_has_its_promised_shape(orders: Dataset, name: str) -> None:
    words = COMMANDS[name].format(orders=orders.name).split()
    code, out, complaint = await orders.installation.waybill(*words)
    assert code == 0, complaint
    found = json.loads(out)
    if name == "dataset-list":
        found = [each for each in found if each["dataset"] == orders.name]
    if "show" in name and "audit" in found:
        found["audit"] = found["audit"][:1]  # which outcome the registry hears of first is a matter of luck
    hold_against_golden(name, shape(found, orders=orders.name))


async def test_the_status_of_a_quiet_installation_is_good(orders: Dataset) -> None:
    told: dict[str, Any] = {}

    async def is_quiet() -> bool:
        code, out, complaint = await orders.installation.waybill("status", "--json")
        assert code == 0, complaint
        told.update(json.loads(out))
        return not told["open_jobs"] and not any(told["outbox_pending"].values())

    await until(is_quiet, 60, lambda: f"there is work in an installation at rest: {told}")
    told["files"] = {state: "<int>" for state in told["files"]}
    hold_against_golden("status", told)


async def test_dead_letters_are_listed_whole_and_discarded(running: Installation) -> None:
    file_id = str(uuid4())
    headers = [("ce_specversion", b"1.0"), ("ce_type", b"waybill.file-registered.v99"), ("ce_id", file_id.encode())]
    headers += [("ce_source", b"/test"), ("ce_time", b"2026-01-01T00:00:00Z"), ("content-type", b"application/json")]
    await running.send("files", b'{"file":"of the future"}', b"acme/orders", headers)

    async def are_listed() -> bool:
        return bool(json.loads((await running.waybill("dead-letter", "list", "ingestor", "--json"))[1]))

    await until(are_listed, 60, "no dead letter")
    code, out, _ = await running.waybill("dead-letter", "list", "ingestor", "--json")
    assert code == 0
    found = json.loads(out.replace(running.namespace, "waybill"))
    hold_against_golden("dead-letter-list", shape(found))
    assert (await running.waybill("dead-letter", "discard", "ingestor"))[0] == 0
    assert json.loads((await running.waybill("dead-letter", "list", "--json"))[1]) == []


async def test_exit_code_1_says_that_it_was_done_and_the_answer_is_bad(orders: Dataset, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"neither,this,nor that\n")
    other = await Dataset.declared(orders.installation)
    assert (await orders.installation.waybill("file", "put", str(bad), "--to", other.name, "--wait"))[0] == 1
    (file,) = await orders.installation.files(other.name)
    other.contents[file["version_id"]] = bad.read_bytes()
    await other.check()
    other_key = tmp_path / "other key.yaml"
    other_key.write_text(declaration_yaml(orders.name, ["name"], COLUMNS))
    code, _, complaint = await orders.installation.waybill("dataset", "apply", str(other_key))
    assert (code, "REFUSED" in complaint) == (1, True), complaint


async def test_exit_code_2_says_wrong_use(orders: Dataset, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("organisation: acme\ntable: [\n")
    for words in (
        ("file", "show", f"{orders.name}#99"),
        ("file", "retry", f"{orders.name}#1"),
        ("file", "put", str(broken), "--to", "nowhere"),
        ("dataset", "show", new_dataset()),
        ("dataset", "apply", str(broken)),
        ("record", "history", orders.name, "no such key"),
        ("dead-letter", "list", "postman"),
        ("no-such-command",),
    ):
        code, out, complaint = await orders.installation.waybill(*words)
        assert (code, out) == (2, ""), words
        assert complaint, words


async def test_the_command_is_a_program_that_says_the_same(orders: Dataset) -> None:
    words = ("file", "list", orders.name, "--json")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "waybill", *words),
        env={**os.environ, **orders.installation.environment},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert (process.returncode, out.decode()) == (await orders.installation.waybill(*words))[:2]


async def test_exit_code_3_names_the_server_that_does_not_answer(orders: Dataset) -> None:
    nobody = "127.0.0.1:1"
    for words, away, named in (
        (
            ("file", "list"),
            {"WAYBILL_POSTGRES__DSN": f"postgresql://waybill:secret-word@{nobody}/waybill"},
            "PostgreSQL",
        ),
        (("dead-letter", "list", "loader"), {"WAYBILL_KAFKA__BOOTSTRAP_SERVERS": nobody}, "Kafka"),
    ):
        code, _, complaint = await orders.installation.waybill(*words, **away)
        assert code == 3, complaint
        assert named in complaint
        assert "secret-word" not in complaint
