"""What the version before this one has filled is migrated and goes on: nothing is lost, and old records take part."""

import csv
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from checker import tables
from dataset import Dataset
from installation import Installation
from meaning import Meaning, Said
from oracle import EMPTY_COUNTS, File
from stack.ports import one_at_a_time
from stack.servers import Stack
from waybill_contracts import parse_declaration

pytestmark = pytest.mark.timeout(400)

ROOT = Path(__file__).parents[2]
BEFORE = "197c924"
"""The last commit before formats."""
OPEN = """
    SELECT line FROM open_rejects JOIN datasets USING (dataset_id) JOIN positions USING (dataset_id, attempt)
    WHERE dataset = $1 AND file_id = $2::text::uuid AND closed_by IS NULL
"""
DATASETS = {"acme/orders": "acme-orders.yaml", "globex/customers": "globex-customers.yaml"}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an installation of before, as its demo has left it; nothing runs there any more."""
    folder = tmp_path_factory.mktemp("old")
    archive = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        reason = f"commit {BEFORE} is not in this clone (shallow?): {archive.stderr.decode().strip()}"
        print(reason)
        pytest.skip(reason)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    run(folder, "sync", "--frozen", "--quiet")
    try:
        with one_at_a_time():
            run(folder, "run", "--frozen", "waybill", "up", "--detach")
        run(folder, "run", "--frozen", "waybill", "demo")
    finally:
        run(folder, "run", "--frozen", "waybill", "down")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run(folder: Path, *words: str) -> None:
    """A command of uv in the environment of that folder, and of no other."""
    kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    environment = {name: value for name, value in kept.items() if not name.startswith("WAYBILL_")}
    uv = os.environ.get("UV") or shutil.which("uv") or "uv"
    done = subprocess.run([uv, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"uv {' '.join(words)}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.fixture
async def migrated(old: Path, tmp_path: Path) -> AsyncIterator[Installation]:
    """Today's services on the servers of before."""
    with Stack(old / ".waybill") as stack:
        async with Installation(stack.environment(), tmp_path) as mine:
            yield mine


async def known(installation: Installation, dataset: str) -> Dataset:
    """The dataset as the version before has left it: its oracle starts from what log and ledger hold."""
    declared = parse_declaration((ROOT / "datasets" / DATASETS[dataset]).read_text(), dataset)
    columns = {name: (column.type, column.required) for name, column in declared.columns.items()}
    meaning = Meaning(declared.key, columns)
    made = Dataset(installation, dataset, meaning)
    _, log = tables(installation, dataset)
    for row in await installation.db.fetch(f"SELECT * FROM {log} ORDER BY _key, _version"):
        values = {name: row[name] for name in columns if row[name] is not None}
        made.oracle.versions.setdefault(row["_key"], []).append((row["_change"], values))
        made.oracle.said[row["_key"]] = Said(row["_key"], values, None, None, 0)
    for file in await installation.files(dataset):
        counts = EMPTY_COUNTS | json.loads(file["rows"] or "{}")
        told = File(file["key"], (b"",), str(file["file_id"]), meaning, state=file["state"], counts=counts)
        told.open = {row["line"]: None for row in await installation.rows("ingestor", OPEN, dataset, told.file_id)}
        made.oracle.files.append(told)
        made.contents[file["version_id"]] = b""
    return made


def as_csv(header: Sequence[str], lines: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([header, *lines])
    return out.getvalue().encode()


def table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a file."""
    header, *lines = csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    return header, lines


async def test_a_database_filled_by_the_version_before_migrates_and_goes_on(migrated: Installation, old: Path) -> None:
    orders, customers = await known(migrated, "acme/orders"), await known(migrated, "globex/customers")
    assert (len(orders.oracle.versions), len(customers.oracle.versions)) == (105_992, 500)
    await migrated.start()
    await take_the_same_bytes(orders, old / ".waybill" / "demo" / "Bestellungen für März + Ärger 漢字.csv")
    await go_on_with_orders(orders, old / ".waybill" / "demo" / "Bestellungen für März + Ärger 漢字.csv")
    await go_on_with_customers(customers, old / ".waybill" / "demo" / "Kunden.csv")
    await orders.check()
    await customers.check()
    code, out, _ = await migrated.waybill("file", "list", "--json")
    listed = json.loads(out)
    assert code == 0
    assert {file["state"] for file in listed} <= {"LOADED", "SKIPPED"}
    assert all(file["balanced"] for file in listed if file["state"] == "LOADED")


async def take_the_same_bytes(orders: Dataset, newest: Path) -> None:
    """A file whose bytes took effect last is known again, or else changes nothing."""
    await orders.drop(newest.read_bytes(), "once more.csv")
    *_, file = await orders.settle()
    if file["state"] == "SKIPPED":
        orders.oracle.twin = ((newest.read_bytes(),), orders.oracle.meaning, None, None, "")
    await orders.tell_oracle()
    assert orders.oracle.counts[-1]["unchanged"] in (0, 10)


async def go_on_with_orders(orders: Dataset, newest: Path) -> None:
    """Old records are unchanged, updated and joined by new ones; a column that is new to them is accepted."""
    header, lines = table(newest)
    number, quantity = header.index("order_id"), header.index("quantity")
    for line, changed in ((1, "99"), (2, "many")):
        lines[line][quantity] = changed
    lines[3][number] = "999999"
    await orders.deliver(as_csv(header, lines))
    await orders.tell_oracle()
    counts = {name: count for name, count in orders.oracle.counts[-1].items() if count}
    assert counts == {"read": 10, "inserted": 1, "updated": 1, "rejected": 1, "unchanged": 7}
    await orders.deliver(as_csv([*header, "gift"], [[*line, "yes"] for line in lines if line[quantity] != "many"]))
    await orders.release(len(orders.contents), accept_columns=True)
    await orders.tell_oracle()
    assert orders.oracle.counts[-1]["updated"] == 9


async def go_on_with_customers(customers: Dataset, all_of_them: Path) -> None:
    """Records of before have no order and are older than everything; a snapshot may end them."""
    meaning = customers.oracle.meaning
    await customers.mean(replace(meaning, mode="snapshot", order_name=r"_(\d+)\.", late="apply"))
    header, lines = table(all_of_them)
    await customers.drop(as_csv(header, lines[20:]), "customers_2.csv")
    await customers.drop(as_csv(header, lines), "customers_1.csv")
    await customers.tell_oracle()
    assert [counts["deleted"] for counts in customers.oracle.counts[-2:]] == [20, 0]
    assert customers.oracle.counts[-1]["stale"] == 500
