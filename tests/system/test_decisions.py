"""A file that is not as declared waits for one decision; so do later ones of its dataset, and nobody else's."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from dataset import ORDERS, Dataset, rows
from installation import Installation
from meaning import Meaning

pytestmark = pytest.mark.timeout(180)

SMALL = {"min_rows": 4, "max_reject_share": 0.3, "max_delete_share": 0.3}
COLOURED = ORDERS.columns | {"colour": ("text", False)}
WITH_COLOUR = b"id,name,amount,colour\n"
FIRST = rows("1,one,1.00", "2,two,2.00", "3,three,", "4,four,4.00")
NEXT = rows("4,vier,4.00", "5,five,5.00")
LAST = rows("1,eins,1.00", "5,five,5.50")


def with_columns(**columns: tuple[str, bool]) -> Meaning:
    return replace(ORDERS, columns=ORDERS.columns | columns)


@dataclass(frozen=True)
class Case:
    """Files of which the second is held, what is decided, and what would have let it pass at once."""

    held: bytes
    codes: tuple[str, ...]
    decide: Callable[[Dataset], Awaitable[None]]
    free: Meaning
    meaning: Meaning = ORDERS
    first: bytes = FIRST
    after: tuple[bytes, ...] = (NEXT, LAST)
    taken_at_once: tuple[bytes, ...] = field(default=())
    """What comes to the same without anybody's decision; the same files where nothing is said."""

    @property
    def files(self) -> tuple[bytes, ...]:
        return (self.first, self.held, *self.after)


async def release(dataset: Dataset) -> None:
    await dataset.release(2)


async def accept_columns(dataset: Dataset) -> None:
    await dataset.release(2, accept_columns=True)


async def map_title(dataset: Dataset) -> None:
    await dataset.release(2, {"title": "name"})


async def declare_decimals(dataset: Dataset) -> None:
    await dataset.mean(replace(dataset.oracle.meaning, columns=DECIMAL_AMOUNTS.columns))
    await dataset.release(2)


async def refuse(dataset: Dataset) -> None:
    await dataset.refuse(2)


ADDED = rows("2,zwei,2.00,red", "6,six,6.00,", header=WITH_COLOUR)
MISSING = rows("2,2.50", "6,6.00", header=b"id,amount\n")
RENAMED = rows("2,2.50,zwei", "6,6.00,six", header=b"id,amount,title\n")
REJECTED = rows("2,zwei,2.00", "3,drei,many", "x,six,6", "7,seven,7.00")
WHOLE_AMOUNTS = with_columns(amount=("integer", False))
DECIMAL_AMOUNTS = with_columns(amount=("decimal(21,2)", False))  # wide enough for every whole number there may be
SHRUNK = rows("1,one,1.00", "2,zwei,2.00")
SNAPSHOTS = replace(ORDERS, mode="snapshot", **SMALL)
FULL = rows("1,eins,1.00", "2,two,2.00", "3,three,", "4,four,4.00")
CASES = {
    "columns added, accepted": Case(
        ADDED,
        ("columns_added",),
        accept_columns,
        replace(ORDERS, columns=COLOURED, optional=frozenset({"colour"})),
        after=tuple(rows(line, header=WITH_COLOUR) for line in ("6,six,6.00,blue", "1,eins,1.00,", "5,five,5.00,red")),
    ),
    "columns added, released as it is": Case(
        ADDED, ("columns_added",), release, replace(ORDERS, other_columns="ignore")
    ),
    "columns missing, accepted": Case(
        MISSING,
        ("columns_missing",),
        accept_columns,
        replace(ORDERS, optional=frozenset({"name"})),
        after=(rows("6,6.50", header=b"id,amount\n"), NEXT, LAST),
    ),
    "column renamed, mapped": Case(
        RENAMED,
        ("columns_added", "columns_missing"),
        map_title,
        replace(ORDERS, aliases={"title": "name"}),
        after=(rows("6,6.00,sechs", header=b"id,amount,title\n"), NEXT, LAST),
    ),
    "column of another type, declared anew": Case(
        rows("2,zwei,2.50", "6,six,6.25", "7,seven,7.50", "8,eight,8.75"),
        ("reject_share",),
        declare_decimals,
        replace(DECIMAL_AMOUNTS, **SMALL),
        meaning=replace(WHOLE_AMOUNTS, **SMALL),
        first=rows("1,one,1", "2,two,2"),
        after=(rows("6,six,6.50", "7,seven,7.75"), rows("9,nine,9")),
    ),
    "many rejects, released": Case(
        REJECTED,
        ("reject_share",),
        release,
        replace(ORDERS, max_reject_share=1.0),
        meaning=replace(ORDERS, **SMALL),
    ),
    "many rejects, refused": Case(
        REJECTED, ("reject_share",), refuse, ORDERS, meaning=replace(ORDERS, **SMALL), taken_at_once=(FIRST, NEXT, LAST)
    ),
    "many deletes, released": Case(
        SHRUNK,
        ("delete_share",),
        release,
        replace(SNAPSHOTS, max_delete_share=1.0),
        meaning=SNAPSHOTS,
        after=(rows("1,one,1.00", "2,zwei,2.00", "3,back,3"), FULL),
    ),
    "many deletes, refused": Case(
        SHRUNK,
        ("delete_share",),
        refuse,
        SNAPSHOTS,
        meaning=SNAPSHOTS,
        after=(FULL,),
        taken_at_once=(FIRST, FULL),
    ),
    "a reject without a key, released": Case(
        rows("1,one,1.00", "?,two,2.00"),
        ("keyless_rejects",),
        release,
        SNAPSHOTS,
        meaning=SNAPSHOTS,
        after=(FULL,),
        taken_at_once=(FIRST, rows("1,one,1.00", "2,two,many", "3,three,many", "4,four,many"), FULL),
    ),
}
CASES["a reject without a key, released"] = replace(
    CASES["a reject without a key, released"], free=replace(SNAPSHOTS, max_reject_share=1.0)
)


@pytest.mark.parametrize("what", CASES)
async def test_a_file_waits_with_all_behind_it_and_after_the_decision_all_is_as_if_none_had_waited(
    running: Installation, what: str
) -> None:
    case = CASES[what]
    orders, free, neighbour = await asyncio.gather(
        Dataset.declared(running, meaning=case.meaning),
        Dataset.declared(running, meaning=case.free),
        Dataset.declared(running, "globex"),
    )
    await orders.deliver(*case.files)
    await neighbour.deliver(FIRST, NEXT)
    files = await orders.check()
    assert [file["state"] for file in files] == ["LOADED", "HELD", *["REGISTERED"] * len(case.after)]
    assert orders.oracle.files[1].codes == case.codes
    assert [file["state"] for file in await neighbour.check()] == ["LOADED", "LOADED"]
    await case.decide(orders)
    await orders.check()
    assert "HELD" not in orders.oracle.states
    await free.deliver(*(case.taken_at_once or case.files))
    await free.check()
    assert set(free.oracle.states) == {"LOADED"}
    assert orders.oracle.current == free.oracle.current
    assert orders.oracle.versions == free.oracle.versions


async def test_a_late_file_waits_alone_and_its_decision_ends_in_the_same_rows(running: Installation) -> None:
    by_name = replace(ORDERS, order_name=r"_(\d+)\.")
    orders, free = await asyncio.gather(
        Dataset.declared(running, meaning=replace(by_name, late="hold")), Dataset.declared(running, meaning=by_name)
    )
    for dataset in (orders, free):
        for number, content in ((1, FIRST), (3, LAST), (2, NEXT), (4, rows("6,six,6.00"))):
            await dataset.drop(content, f"orders_{number}.csv")
    files = await orders.check()
    assert [file["state"] for file in files] == ["LOADED", "LOADED", "HELD", "LOADED"]
    await orders.release(3)
    await orders.check()
    await free.check()
    assert without_versions(orders) == without_versions(free)
    assert orders.oracle.counts[2]["stale"] == 1


def without_versions(dataset: Dataset) -> dict[str, dict[str, Any]]:
    return {key: row | {"_version": None} for key, row in dataset.oracle.current.items()}


async def test_a_late_snapshot_is_refused_unless_it_is_declared_otherwise(running: Installation) -> None:
    orders = await Dataset.declared(running, meaning=replace(SNAPSHOTS, order_name=r"_(\d+)\.", max_delete_share=1.0))
    for number, content in ((2, FIRST), (1, NEXT), (3, SHRUNK)):
        await orders.drop(content, f"orders_{number}.csv")
    files = await orders.check()
    assert [(file["state"], file["code"]) for file in files] == [
        ("LOADED", None),
        ("REFUSED", "late"),
        ("LOADED", None),
    ]


@pytest.mark.parametrize(("policy", "state"), [("accept", "LOADED"), ("ignore", "LOADED"), ("reject", "REFUSED")])
async def test_added_columns_wait_for_nobody_where_the_declaration_decides(
    running: Installation, policy: str, state: str
) -> None:
    orders = await Dataset.declared(running, meaning=replace(ORDERS, other_columns=policy))
    await orders.deliver(FIRST, ADDED, rows("6,sechs,6.00,blue", header=WITH_COLOUR))
    files = await orders.check()
    assert [file["state"] for file in files] == ["LOADED", state, state]
    assert ("colour" in orders.oracle.columns) == (policy == "accept")


async def test_held_files_are_listed_with_what_is_to_be_decided_and_decisions_are_on_record(
    running: Installation,
) -> None:
    orders = await Dataset.declared(running)
    await orders.deliver(FIRST, ADDED)
    code, out, _ = await running.waybill("file", "list", orders.name, "--state", "HELD")
    assert (code, f"{orders.name}#2" in out) == (0, True)
    code, out, told = await running.waybill("file", "show", f"{orders.name}#2")
    assert code == 0
    assert "colour" in out + told
    words = ("--user", "ada", "--reason", "the shop sells colours now", "--accept-columns")
    assert (await running.waybill("file", "release", f"{orders.name}#2", *words))[0] == 0
    orders.oracle.take(FIRST)
    orders.oracle.take(ADDED)
    orders.oracle.release(2, accept_columns=True)
    await running.settled(orders.name, 2)
    query = "SELECT decision, who, why, accepted FROM decisions WHERE dataset = $1"
    decisions = [tuple(row) for row in await running.rows("registry", query, orders.name)]
    assert decisions == [("release", "ada", "the shop sells colours now", True)]


async def test_a_second_decision_about_the_same_attempt_changes_nothing(running: Installation) -> None:
    orders = await Dataset.declared(running)
    await orders.deliver(FIRST, ADDED, NEXT)
    await orders.refuse(2)
    await orders.check()
    code, _, complaint = await running.waybill("file", "release", f"{orders.name}#2")
    assert (code, "REFUSED" in complaint) == (2, True), complaint
    await orders.check()
