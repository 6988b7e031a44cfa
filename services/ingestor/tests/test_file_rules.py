"""Rules that look beyond a row, on real servers."""

from typing import Any

import pytest
from driven_ingestor import COLUMNS, Ingestor, csv, declaration

UNIQUE = {"name": "own_name", "unique": ["customer"]}
KNOWN = {"name": "known", "references": "acme/customers", "columns": ["customer"]}
CUSTOMERS = declaration(table="customers", key=["name"], columns={"name": {"type": "text"}})


def counts(said: dict[str, Any]) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: count for name, count in said["rows"].items() if count}


async def rejects(ingestor: Ingestor) -> list[tuple[int, list[str], list[str]]]:
    rows = await ingestor.all("SELECT line, codes, reasons FROM rejects ORDER BY line")
    return [tuple(row.values()) for row in rows]


async def test_rows_of_different_records_that_share_what_is_unique_are_rejects(ingestor: Ingestor) -> None:
    file = csv("1,Ada,1", "2,Bob,2", "3,Ada,3", "4,,4", "5,,5", "2,Bob,2")
    await ingestor.deliver(file, declaration(rules=[UNIQUE]))
    # The same record twice is a duplicate, and nothing that is not there can be the same.
    assert counts(await ingestor.last_event()) == {"read": 6, "inserted": 3, "duplicate": 1, "rejected": 2}
    reason = ["own_name: lines 2, 4 have the same customer"]
    assert await rejects(ingestor) == [(2, ["rule:own_name"], reason), (4, ["rule:own_name"], reason)]
    open_keys = await ingestor.all("SELECT line, key FROM open_rejects ORDER BY line")
    assert open_keys == [{"line": 2, "key": "1"}, {"line": 4, "key": "3"}]


async def test_rows_that_refer_to_no_live_record_are_rejects(ingestor: Ingestor) -> None:
    await ingestor.deliver(b"name\nAda\nBob\n", CUSTOMERS)
    snapshot = CUSTOMERS.model_copy(update={"mode": "snapshot"})
    await ingestor.deliver(b"name\nAda\n", snapshot)
    await ingestor.deliver(csv("1,Ada,1", "2,Bob,2", "3,,3", "4,Eva,4"), declaration(rules=[KNOWN]))
    assert counts(await ingestor.last_event()) == {"read": 4, "inserted": 2, "rejected": 2}
    assert [(line, reasons) for line, _, reasons in await rejects(ingestor)] == [
        (3, ['known: acme/customers has no record "Bob"']),
        (5, ['known: acme/customers has no record "Eva"']),
    ]


async def test_where_the_other_dataset_is_not_there_nothing_can_be_referred_to(ingestor: Ingestor) -> None:
    await ingestor.deliver(csv("1,Ada,1", "2,,2"), declaration(rules=[KNOWN]))
    assert counts(await ingestor.last_event()) == {"read": 2, "inserted": 1, "rejected": 1}


async def test_a_row_with_several_faults_is_one_reject_and_a_refused_row_conflicts_with_nobody(
    ingestor: Ingestor,
) -> None:
    declared = declaration(rules=[UNIQUE, KNOWN])
    await ingestor.deliver(csv("1,Ada,1", "2,Ada,2", "2,Bob,3"), declared)
    assert counts(await ingestor.last_event()) == {"read": 3, "rejected": 3}
    assert [(line, codes) for line, codes, _ in await rejects(ingestor)] == [
        (2, ["rule:own_name", "rule:known"]),
        (3, ["rule:own_name", "rule:known"]),
        (4, ["rule:known"]),
    ]


async def test_rules_that_only_warn_take_the_rows_and_tell_their_lines(ingestor: Ingestor) -> None:
    warning = [rule | {"severity": "warn"} for rule in (UNIQUE, KNOWN)]
    warning.append({"name": "cheap", "expect": "amount < 2", "severity": "warn"})
    await ingestor.deliver(csv("1,Ada,1", "2,Ada,2", "3,,3"), declaration(rules=warning))
    said = await ingestor.last_event()
    assert counts(said) == {"read": 3, "inserted": 3}
    assert sorted((one["rule"], one["rows"]) for one in said["warnings"]) == [
        ("cheap", 2),
        ("known", 2),
        ("own_name", 2),
    ]
    kept = await ingestor.all("SELECT rule, lines FROM warnings ORDER BY rule")
    assert kept[0] == {"rule": "cheap", "lines": [3, 4]}


async def test_an_expression_rejects_the_rows_where_it_is_false(ingestor: Ingestor) -> None:
    rule = {"name": "named_or_cheap", "expect": "customer is not null or amount < 2"}
    await ingestor.deliver(csv("1,Ada,5", "2,,5", "3,,1", "4,,"), declaration(rules=[rule]))
    assert counts(await ingestor.last_event()) == {"read": 4, "inserted": 3, "rejected": 1}


async def test_derived_and_constant_columns_are_values_like_others(ingestor: Ingestor) -> None:
    columns = COLUMNS | {
        "twice": {"type": "decimal(13,2)", "derived": "amount + amount"},
        "source": {"type": "text", "constant": "till"},
        "customer": {"type": "text", "trim": True},
    }
    await ingestor.deliver(csv("1, Ada ,1.50"), declaration(columns=columns))
    (document,) = await ingestor.stored()
    assert {name: str(value) for name, value in document["data"].items()} == {
        "order_id": "1",
        "customer": "Ada",
        "amount": "1.50",
        "twice": "3.00",
        "source": "till",
    }


@pytest.mark.parametrize("count", [3_000])
async def test_references_of_many_rows_are_looked_up_at_once(ingestor: Ingestor, count: int) -> None:
    names = "\n".join(f"n{number}" for number in range(0, count, 2))
    await ingestor.deliver(f"name\n{names}\n".encode(), CUSTOMERS)
    guards = {"max_reject_share": 1}
    rows = [f"{number},n{number},1" for number in range(count)]
    await ingestor.deliver(csv(*rows), declaration(rules=[KNOWN], guards=guards))
    assert counts(await ingestor.last_event()) == {"read": count, "inserted": count // 2, "rejected": count // 2}
