"""With order_by the current rows are the same whatever the order of arrival."""

import asyncio
import os
import random
from copy import deepcopy
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import polars as pl
import pytest
from dataset import Dataset, rows
from installation import Installation
from meaning import Meaning, Said, content_of, read
from oracle import Oracle
from records.compare import compare
from records.order import file_order, row_orders
from waybill_contracts import OrderBy

pytestmark = pytest.mark.timeout(300)

SEED = int(os.environ.get("WAYBILL_TEST_SEED", "6"))
SAMPLE = {"file name": 24, "column": 24, "snapshot": 8, "snapshot of a part": 8}
APPLIED_TOGETHER = 8
BY_NAME = r"_(\d+)\."
COLUMNS = {"id": ("integer", True), "name": ("text", False), "amount": ("decimal(8,2)", False)}
REGIONS = {"id": ("integer", True), "name": ("text", False), "region": ("text", True)}
STAMPED = {"id": ("integer", True), "name": ("text", False), "seen": ("integer", True)}
Files = list[tuple[str, bytes]]
HEAD = {
    "_row": pl.UInt32,
    "version": pl.Int64,
    "hash": pl.Binary,
    "deleted": pl.Boolean,
    "record": pl.Binary,
    "newer": pl.Boolean,
    "restated": pl.Boolean,
}


@dataclass(frozen=True)
class Kind:
    """A meaning under which the order of arrival does not matter, and six files, oldest first."""

    meaning: Meaning
    files: Files


def named(*contents: bytes) -> Files:
    """Numbers of different widths: 10 is newer than 9."""
    return [(f"orders_{number}.csv", content) for number, content in enumerate(contents, 7)]


WHOLE = named(
    rows("1,a,1", "2,b,2"),
    rows("1,c,1", "3,d,"),
    rows("1,a,1", "2,b,2"),  # the bytes of the first: newer all the same
    rows("2,x,2", "3,d,"),
    rows("1,a,1", "4,e,4", "4,e,4"),
    rows("3,y,3", "2,x,2"),
)
# A record stays in its region here: one that moves is seen by snapshots of two.
PARTS = named(
    *[
        rows(*lines, header=b"id,name,region\n")
        for lines in (
            ("1,a,north", "2,b,south"),
            ("3,c,north", "4,d,south"),
            ("1,a,north",),
            ("2,e,south", "4,d,south"),
            ("3,c,north", "5,f,north"),
            ("2,e,south",),
        )
    ]
)
ROWS = [
    ("any.csv", rows(*[f"{key},{key} at {seen},{seen}" for key, seen in lines], header=b"id,name,seen\n"))
    for lines in (
        ((1, 5), (2, -3), (3, 10)),
        ((1, 9), (1, 2), (4, 1)),
        ((2, 9), (3, 10), (4, 100)),
        ((1, 10), (2, -20)),
        ((3, 9), (4, 99), (5, 0), (5, 0)),
        ((1, 9), (2, 9), (5, -1), (5, 7)),
    )
]
SNAPSHOT = {"mode": "snapshot", "order_name": BY_NAME, "late": "apply"}
KINDS = {
    "file name": Kind(Meaning(("id",), COLUMNS, order_name=BY_NAME), WHOLE),
    "column": Kind(Meaning(("id",), STAMPED, order_column="seen"), ROWS),
    "snapshot": Kind(Meaning(("id",), COLUMNS, **SNAPSHOT), WHOLE),  # type: ignore[arg-type]
    "snapshot of a part": Kind(Meaning(("id",), REGIONS, partition_column="region", **SNAPSHOT), PARTS),  # type: ignore[arg-type]
}


def in_order(kind: Kind) -> dict[str, str]:
    """What is there in the end when every file comes in its time."""
    oracle = Oracle(**vars(kind.meaning))
    for name, content in kind.files:
        oracle.take(content, name)
    return names(oracle)


def names(oracle: Oracle) -> dict[str, str]:
    return {key: row["name"] for key, row in oracle.current.items()}


@pytest.mark.parametrize("what", KINDS)
async def test_a_sample_of_all_orders_of_six_files_ends_in_the_same_rows(running: Installation, what: str) -> None:
    kind = KINDS[what]
    print(f"seed {SEED} (WAYBILL_TEST_SEED)")
    orders = random.Random(SEED).sample(list(permutations(kind.files)), SAMPLE[what])
    datasets: list[Dataset] = []
    for _ in range(0, SAMPLE[what], APPLIED_TOGETHER):
        made = [Dataset.declared(running, meaning=kind.meaning) for _ in range(APPLIED_TOGETHER)]
        datasets += await asyncio.gather(*made)
    for files in zip(*orders, strict=True):
        await asyncio.gather(
            *[
                dataset.drop(content, f"{place}/{name}")
                for place, (dataset, (name, content)) in enumerate(zip(datasets, files, strict=True))
            ]
        )
    expected = in_order(kind)
    for number, dataset in enumerate(datasets):
        await dataset.check(120)
        assert names(dataset.oracle) == expected, f"order {number} of seed {SEED}"


@pytest.mark.parametrize("what", KINDS)
def test_each_of_the_720_orders_of_six_files_ends_in_the_same_rows_by_the_rules(what: str) -> None:
    kind = KINDS[what]
    reached = {"": Heads(kind)}
    for _ in kind.files:
        # Orders that have led to the same heads go on as one.
        steps = [(heads, number) for heads in reached.values() for number in set(range(6)) - set(heads.taken)]
        reached = {then.state: then for then in [heads.after(number) for heads, number in steps]}
    expected = in_order(kind)
    assert {heads.taken: heads.alive for heads in reached.values() if heads.alive != expected} == {}


class Heads:
    """The product's rules for rows and order values, over heads in a dictionary."""

    def __init__(self, kind: Kind) -> None:
        self.meaning, self.files = kind.meaning, kind.files
        self.order_by = OrderBy(file_name=kind.meaning.order_name, column=kind.meaning.order_column)
        self.heads: dict[str, dict[str, Any]] = {}
        self.floors: dict[str, str] = {}
        self.taken: tuple[int, ...] = ()

    @property
    def state(self) -> str:
        """All that what comes depends on."""
        return repr((sorted(self.taken), sorted(self.heads.items()), sorted(self.floors.items())))

    @property
    def alive(self) -> dict[str, str]:
        return {key: head["name"] for key, head in self.heads.items() if not head["deleted"]}

    def after(self, number: int) -> "Heads":
        """What is there once this file has been taken as well."""
        then = deepcopy(self)
        then.taken += (number,)
        then.take(*self.files[number])
        return then

    def take(self, name: str, content: bytes) -> None:
        of_file = file_order(self.order_by, name)
        rows = read([content], self.meaning, name, "").said
        ranks = row_orders(pl.Series([each.row.get("seen") for each in rows], dtype=pl.Int64))
        orders = [of_file or rank for rank in ranks]
        scopes = [each.scope or "" for each in rows]
        for each, order, scope, judged in zip(rows, orders, scopes, self._compared(rows, orders, scopes), strict=True):
            if judged["_change"] or judged["_restated"]:
                self.heads[each.key] = {"name": each.row["name"], "deleted": False, "order": order, "scope": scope}
                self.heads[each.key]["hash"] = content_of(each.row).encode()
        if self.meaning.mode == "snapshot":
            self._end_absent({each.key for each in rows}, str(of_file), set(scopes) or {""})

    def _compared(self, rows: list[Said], orders: list[str], scopes: list[str]) -> list[dict[str, Any]]:
        frame = pl.DataFrame(
            {
                "_line": range(len(rows)),
                "_key": [each.key for each in rows],
                "_hash": [content_of(each.row).encode() for each in rows],
                "_order": orders,
                "_outdated": [order < self.floors.get(scope, "") for order, scope in zip(orders, scopes, strict=True)],
            }
        ).with_row_index("_row")
        known = [
            (row, 1, head["hash"], head["deleted"], b"", head["order"] > order, head["order"] < order)
            for row, (each, order) in enumerate(zip(rows, orders, strict=True))
            if (head := self.heads.get(each.key))
        ]
        return compare(frame, pl.DataFrame(known, schema=HEAD, orient="row"), "reject").rows.to_dicts()

    def _end_absent(self, present: set[str], order: str, scopes: set[str]) -> None:
        for key, head in self.heads.items():
            if key not in present and head["scope"] in scopes and not head["deleted"] and head["order"] <= order:
                head |= {"deleted": True, "order": order}
        self.floors |= {scope: max(order, self.floors.get(scope, "")) for scope in scopes}
