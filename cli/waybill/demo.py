"""waybill demo: real-looking files go through, and every count is held against what was put in."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asyncpg import Record
from chassis.sql import sql
from stack.errors import StackError
from waybill_contracts import Declaration, parse_declaration

from waybill import demo_files, installation, output, waybills
from waybill.correcting import find_rejects, write_rejects
from waybill.dataset import ask_for
from waybill.deciding import decide
from waybill.demo_files import Sample, Samples
from waybill.drop import put_files, wait_for_versions
from waybill.environment import FOLDER, CliSettings, settings
from waybill.output import run, say
from waybill.record import versions, write_versions
from waybill.references import name_of
from waybill.requests import current_user
from waybill.stores import Stores, open_documents, open_stores

DECLARATIONS = Path(__file__).parents[2] / "datasets"


@dataclass
class Demo:
    """One run: its two datasets, what came, and where it was not what was put in."""

    using: CliSettings
    orders: Declaration
    customers: Declaration
    files: list[Record] = field(default_factory=list)
    checked: int = 0
    differences: list[str] = field(default_factory=list)

    async def deliver(self, sample: Sample, declaration: Declaration) -> Record:
        """Drop the sample and hold its waybill against what it was made of."""
        say(f"  {sample.path.name}: {sample.story}")
        began = time.perf_counter()
        sent = await put_files(self.using, [sample.path], declaration.dataset, (current_user(), sample.story))
        file = (await wait_for_versions(self.using, sent))[0]
        self.note(file, sample.state, sample.counts)
        say(f"    {file['state']} as {name_of(file)} after {time.perf_counter() - began:.1f} s")
        return file

    def note(self, file: Record, state: str, counts: dict[str, int]) -> None:
        """Remember the file, and each way in which it is not what was expected."""
        self.files.append(file)
        found = file["rows"] or {}
        self.expect(f"{name_of(file)} state", file["state"], state)
        for name, count in counts.items():
            self.expect(f"{name_of(file)} {name}", found.get(name, 0), count)
        if state == "LOADED":
            self.expect(f"{name_of(file)} balanced", file["balanced"], True)

    def expect(self, what: str, found: Any, expected: Any) -> None:
        """A difference where found is not what was expected."""
        self.checked += 1
        if found != expected:
            self.differences.append(f"{what}: expected {expected}, found {found}")


def demo() -> None:
    """Two organisations, six files, every count checked; 1 if any differs. Can be run again."""
    try:
        say("Kafka, MinIO, MongoDB, PostgreSQL and Waybill's services: starting, unless they run here already")
        installation.start_in_background(FOLDER.absolute())
    except StackError as error:
        output.fail(str(error), output.UNREACHABLE)
    this = run(_demo(settings()))
    if this.differences:
        output.fail("not what was put in:\n" + "\n".join(this.differences), output.BAD_ANSWER)
    say(f"\nAll {this.checked} counts are what was put in.")
    say("Waybill still runs here: see waybill status, waybill file list; waybill down stops it.")


async def _demo(using: CliSettings) -> Demo:
    async with open_stores(using) as stores:
        orders, customers = [await _unused(stores, _declared(name)) for name in ("acme-orders", "globex-customers")]
        this = Demo(using, orders, customers)
        samples = demo_files.write(FOLDER / installation.SAMPLES_FOLDER)
        await _deliver_orders(this, samples)
        await _deliver_customers(this, samples)
        await _check_stores(this, stores, samples)
        await _show(this, stores, samples)
        return this


async def _deliver_orders(this: Demo, samples: Samples) -> None:
    say(f"\n{this.orders.dataset}: a shop's orders")
    await ask_for(this.using, this.orders, current_user(), "the demo's orders")
    for sample in samples.orders:
        await this.deliver(sample, this.orders)


async def _deliver_customers(this: Demo, samples: Samples) -> None:
    say(f"\n{this.customers.dataset}: customers, first under a wrong declaration")
    wrong = demo_files.with_whole_limits(this.customers)
    await ask_for(this.using, wrong, current_user(), "somebody took the limit for a whole number")
    held = await this.deliver(samples.customers, wrong)
    say(f"    {held['reason']}")
    say("  the declaration is mended, and the file that waits is released: waybill file release …")
    await ask_for(this.using, this.customers, current_user(), "limits have cents")
    answer = await decide(this.using, held, "release", (None, "the declaration is mended"))
    this.expect(f"what stands against the release of {name_of(held)}", answer["problem"], None)
    object_version = [(held["key"], held["version_id"])]
    mended = (await wait_for_versions(this.using, object_version, after_attempt=held["attempt"]))[0]
    this.note(mended, "LOADED", samples.customers_mended)
    say(f"    {mended['state']} as {name_of(mended)}")


async def _check_stores(this: Demo, stores: Stores, samples: Samples) -> None:
    names = this.using.names
    for declared, rows in ((this.orders, samples.order_rows), (this.customers, samples.customer_rows)):
        organisation, table = declared.organisation, declared.table
        current, log = (names.current_schema(organisation), table), (names.log_schema(organisation), table)
        found = await stores.warehouse.fetchval(sql("SELECT count(*) FROM {table}", table=current))
        this.expect(f"rows in {'.'.join(current)}", found, rows)
        counted = [file["rows"] for file in this.files if file["dataset"] == declared.dataset and file["rows"]]
        changes = sum(each["inserted"] + each["updated"] for each in counted)
        logged = await stores.warehouse.fetchval(sql("SELECT count(*) FROM {table}", table=log))
        this.expect(f"versions in {'.'.join(log)}", logged, changes)
        async with open_documents(this.using) as documents:
            kept = await documents[names.collection(organisation, table)].count_documents({})
        this.expect(f"versions of {declared.dataset} in MongoDB", kept, changes)


async def _show(this: Demo, stores: Stores, samples: Samples) -> None:
    waybills.write_list(this.files, "waybills", objects=False)
    rejected = next(file for file in this.files if file["key"].endswith(samples.rejected_name))
    rejects = await find_rejects(stores, rejected, len(demo_files.BAD_LINES))
    this.expect("rejects with reasons", len([each for each in rejects if each["reasons"]]), len(demo_files.BAD_LINES))
    write_rejects(rejects, f"rejects of {name_of(rejected)}")
    history = await versions(stores, this.orders.dataset, [str(samples.changed_order)])
    this.expect("versions of the changed order", len(history), 2)
    write_versions(history, f"the history of order {samples.changed_order}")
    output.write("\nSQL to try, with any client and the address WAYBILL_POSTGRES__DSN in .waybill/stack.env:")
    table = (this.using.names.current_schema(this.orders.organisation), this.orders.table)
    for line in demo_files.queries_to_try(table, samples.changed_order):
        output.write(f"  {line}")


def _declared(name: str) -> Declaration:
    path = DECLARATIONS / f"{name}.yaml"
    return parse_declaration(path.read_text(encoding="utf-8"), str(path))


async def _unused(stores: Stores, declaration: Declaration) -> Declaration:
    """The declaration, under the first table name of which no file ever came: a demo can be run again."""
    query = "SELECT table_name FROM files WHERE organisation = $1"
    used = {row["table_name"] for row in await stores.registry(query, declaration.organisation)}
    names = (declaration.table, *(f"{declaration.table}_{number}" for number in range(2, len(used) + 3)))
    table = next(name for name in names if name not in used)
    return declaration.model_copy(update={"table": table})
