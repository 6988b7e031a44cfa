"""Files that are not taken as they are: what they wait for, what is kept of them, and who waits behind."""

from typing import Any

import pytest
from driven_ingestor import COLUMNS, Ingestor, csv, declaration
from waybill_contracts import Declaration

ADDED = b"order_id,customer,amount,colour,size\n1,Ada,1,red,007\n2,Bob,2,blue,1\n"
MISSING = b"order_id,customer\n1,Ada\n"
RENAMED = b"order_id,customer,amounts\n1,Ada,1\n"


async def held(ingestor: Ingestor) -> dict[str, Any]:
    """The last event, which holds a file."""
    said = await ingestor.last_event()
    assert said["type"] == "file-held"
    return said


async def test_added_columns_hold_the_file_and_those_behind_it_with_what_would_have_to_be_declared(
    ingestor: Ingestor,
) -> None:
    event = await ingestor.deliver(ADDED)
    said = await held(ingestor)
    assert (said["holds"][0]["code"], said["blocks"], said["attempt"]) == ("columns_added", True, 1)
    assert list(said["proposal"]["columns"]) == ["colour", "size"]
    assert {column["type"] for column in said["proposal"]["columns"].values()} == {"text"}
    (hold,) = await ingestor.all("SELECT code, facts FROM holds")
    assert hold["facts"]["samples"] == {"colour": ["red", "blue"], "size": ["007", "1"]}
    await ingestor.deliver(csv("3,Cem,3"))
    assert await ingestor.states() == [(1, "HELD"), (2, "QUEUED")]
    assert await ingestor.outcome() == {"heads": [], "positions": [], "documents": []}
    # Released as it is, the file is taken without what is not declared.
    await ingestor.note(event.model_copy(update={"registration": 2, "accepted": ("columns_added",)}))
    await ingestor.work()
    assert await ingestor.states() == [(1, "DONE"), (2, "DONE")]
    assert (await ingestor.stored())[0]["data"].keys() == set(COLUMNS)


async def test_a_release_under_a_wider_declaration_takes_the_added_columns(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(ADDED)
    wider = declaration(columns=COLUMNS | {"colour": {"type": "text"}, "size": {"type": "text"}})
    await ingestor.note(event.model_copy(update={"registration": 2, "cause": "release", "declaration": wider}))
    await ingestor.work()
    assert (await ingestor.stored())[0]["data"]["size"] == "007"


@pytest.mark.parametrize(
    ("policy", "kind", "state"),
    [("ignore", "records-ingested", "DONE"), ("reject", "file-refused", "REFUSED"), ("accept", "file-held", "HELD")],
)
async def test_added_columns_are_left_out_refused_or_accepted_as_the_policy_says(
    ingestor: Ingestor, policy: str, kind: str, state: str
) -> None:
    await ingestor.deliver(ADDED, declaration(other_columns=policy))
    said = await ingestor.last_event()
    assert (said["type"], await ingestor.states()) == (kind, [(1, state)])
    assert said.get("decided_by") == ("other_columns: accept" if policy == "accept" else None)


async def test_missing_columns_hold_the_file_whatever_the_policy_on_added_ones(ingestor: Ingestor) -> None:
    for policy in ("hold", "accept", "ignore", "reject"):
        await ingestor.deliver(MISSING, declaration(other_columns=policy, table=f"orders_{policy}"))
        said = await held(ingestor)
        assert [hold["code"] for hold in said["holds"]] == ["columns_missing"]
        assert (said["proposal"]["optional"], said["decided_by"]) == (["amount"], None)


async def test_released_as_it_is_a_file_lacks_nothing_but_values(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(MISSING)
    await ingestor.note(event.model_copy(update={"registration": 2, "accepted": ("columns_missing",)}))
    await ingestor.work()
    assert (await ingestor.stored())[0]["data"] == {"order_id": 1, "customer": "Ada"}


async def test_a_column_under_another_name_is_recognised_and_read_once_the_name_is_declared(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(RENAMED)
    said = await held(ingestor)
    assert [hold["code"] for hold in said["holds"]] == ["columns_added", "columns_missing"]
    rows = await ingestor.all("SELECT facts FROM holds")
    assert rows[0]["facts"]["likely"] == {"amounts": "amount"}
    known = declaration(columns=COLUMNS | {"amount": COLUMNS["amount"] | {"aliases": ["amounts"]}})
    await ingestor.note(event.model_copy(update={"registration": 2, "cause": "release", "declaration": known}))
    await ingestor.work()
    assert str((await ingestor.stored())[0]["data"]["amount"]) == "1.00"


async def test_a_column_of_another_type_is_named_when_too_many_rows_are_rejected(ingestor: Ingestor) -> None:
    guarded = declaration(guards={"min_rows_for_shares": 3})
    event = await ingestor.deliver(csv("1,Ada,ten", "2,Bob,twenty", "3,Cem,3", "x,Dan,4"), guarded)
    said = await held(ingestor)
    assert [hold["code"] for hold in said["holds"]] == ["reject_share"]
    event = await ingestor.deliver(csv("1,Ada,ten", "2,Bob,twenty", "3,Cem,three"), guarded, table="orders")
    assert await ingestor.states() == [(1, "HELD"), (2, "QUEUED")]
    await ingestor.note(event.model_copy(update={"arrival": 1, "registration": 2}))
    await ingestor.work()
    said = await held(ingestor)
    assert [hold["code"] for hold in said["holds"]] == ["reject_share", "type_changed"]
    assert said["rows"]["rejected"] == 3
    facts = await ingestor.all("SELECT facts FROM holds WHERE code = 'type_changed'")
    assert facts[0]["facts"] == {"rows": {"amount": 3}}
    assert await ingestor.all("SELECT count(*) AS kept FROM rejects WHERE attempt = 2") == [{"kept": 3}]


async def test_a_share_of_rejects_that_was_accepted_does_not_hold_the_file_again(ingestor: Ingestor) -> None:
    guarded = declaration(guards={"min_rows_for_shares": 1})
    event = await ingestor.deliver(csv("1,Ada,ten", "2,Bob,2"), guarded)
    await held(ingestor)
    await ingestor.note(event.model_copy(update={"registration": 2, "accepted": ("reject_share",)}))
    await ingestor.work()
    assert await ingestor.states() == [(1, "DONE")]
    assert (await ingestor.last_event())["rows"]["rejected"] == 1


async def test_columns_and_key_of_an_undeclared_file_are_proposed_and_accepted_by_inference(ingestor: Ingestor) -> None:
    bare = Declaration(organisation="acme", table="orders")
    await ingestor.deliver(b"id,amount,code\n1,10.50,007\n2,9.00,x\n", bare)
    said = await held(ingestor)
    assert said["decided_by"] == "inference"
    proposal = said["proposal"]
    assert {name: column["type"].split("(")[0] for name, column in proposal["columns"].items()} == {
        "id": "integer",
        "amount": "decimal",
        "code": "text",
    }
    assert (proposal["key"], proposal["mode"]) == (["id"], "upsert")


async def test_a_held_attempt_that_is_repeated_says_the_same_of_another_attempt(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(ADDED)
    first = await held(ingestor)
    await ingestor.note(event)
    assert await ingestor.work() == 0
    await ingestor.note(event.model_copy(update={"registration": 2}))
    await ingestor.work()
    second = await held(ingestor)
    changing = {"attempt", "registration"}
    assert {name: first[name] for name in first.keys() - changing} == {
        name: second[name] for name in second.keys() - changing
    }
