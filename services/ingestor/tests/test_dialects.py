"""Files of other dialects and formats: read as declared or recognised, and held where that is in doubt."""

from typing import Any

import pytest
from driven_ingestor import COLUMNS, Ingestor, csv, declaration
from records.proposals import with_format, with_proposal
from waybill_contracts import Declaration, FileRegistered, Format, Proposal, uuid7

ROWS = ("1,Ada,1.50", "2,Bob,2.00", "3,Zoë,3.00", "4,Chloé,4.00", "5,René,5.00")
PLAIN = csv(*ROWS)
SEMICOLONS = PLAIN.replace(b",", b";")
LATIN = PLAIN.decode().replace("Ada", "Ädä").replace("Bob", "Bøb").encode("windows-1252")
HEADLESS = PLAIN.partition(b"\n")[2]
BARE = Declaration(organisation="acme", table="orders")
TWO_WAYS = b"a;b,c;d\n1;2,3;4\n5;6,7;8\n"


def values(documents: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted(tuple(map(str, document["data"].values())) for document in documents)


async def stored(ingestor: Ingestor) -> list[tuple[Any, ...]]:
    return values(await ingestor.stored())


async def held(ingestor: Ingestor) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The last event, which holds a file for its dialect, and the candidates."""
    said = await ingestor.last_event()
    assert (said["type"], [hold["code"] for hold in said["holds"]]) == ("file-held", ["dialect"])
    rows = await ingestor.all("SELECT facts FROM holds ORDER BY attempt DESC LIMIT 1")
    return said, rows[0]["facts"]["candidates"]


def released(event: FileRegistered, declared: Declaration) -> FileRegistered:
    """The file registered again after a decision, as the registry does it."""
    changes = {"registration": 2, "cause": "release", "declaration": declared, "accepted": ("dialect",)}
    return event.model_copy(update=changes)


@pytest.mark.parametrize("body", [SEMICOLONS, PLAIN.replace(b",", b"\t"), PLAIN.replace(b"\n", b"\r"), b"\n\n" + PLAIN])
async def test_a_recognised_dialect_gives_the_same_records_as_plain_csv_and_is_recorded(
    ingestor: Ingestor, body: bytes
) -> None:
    await ingestor.deliver(body)
    said = await ingestor.last_event()
    assert said["type"] == "records-ingested"
    assert said["format"]["type"] == "csv"
    assert said["format"]["encoding"] == "utf-8"
    assert len(said["format"]) >= 6
    # The same rows as plain CSV make no new version.
    await ingestor.deliver(PLAIN + b"\n")
    assert (await ingestor.last_event())["rows"]["unchanged"] == 5
    assert (await ingestor.last_event())["format"]["delimiter"] == ","


async def test_an_encoding_in_doubt_holds_the_file_with_what_each_would_give_and_those_behind_it(
    ingestor: Ingestor,
) -> None:
    event = await ingestor.deliver(LATIN)
    behind = await ingestor.deliver(csv("6,Eva,6.00"))
    other = declaration(table="invoices")
    await ingestor.deliver(PLAIN, other)
    assert sorted(await ingestor.states()) == [(1, "DONE"), (1, "HELD"), (2, "QUEUED")]
    events = [event for event in await ingestor.events() if event["type"] == "file-held"]
    assert "no UTF-8 in 5 of its first rows" in events[0]["holds"][0]["reason"]
    rows = await ingestor.all("SELECT facts FROM holds")
    candidates = rows[0]["facts"]["candidates"]
    assert candidates[0]["format"] == {"encoding": "windows-1252"}
    assert candidates[0]["rows"][0] == ["1", "Ädä", "1.50"]
    assert events[0]["proposal"]["format"] == {"encoding": "windows-1252"}

    decided = with_format(declaration(), Format.model_validate(candidates[0]["format"]))
    await ingestor.note(released(event, decided))
    await ingestor.note(behind.model_copy(update={"registration": 2, "declaration": decided}))
    await ingestor.work()
    taken = [event for event in await ingestor.events() if event["type"] == "records-ingested"]
    assert [each["format"]["encoding"] for each in taken if each["table"] == "orders"] == ["windows-1252"] * 2
    assert (await stored(ingestor))[0] == ("1", "Ädä", "1.50")


async def test_a_chosen_candidate_gives_what_the_same_format_gives_where_it_is_declared_from_the_start(
    ingestor: Ingestor,
) -> None:
    event = await ingestor.deliver(HEADLESS)
    said, candidates = await held(ingestor)
    assert candidates[0]["format"]["header"] is False
    await ingestor.note(released(event, with_proposal(declaration(), Proposal.model_validate(said["proposal"]))))
    await ingestor.work()
    assert await ingestor.states() == [(1, "DONE")]
    ours = await ingestor.last_event()
    await ingestor.deliver(HEADLESS, declaration(table="others", format=candidates[0]["format"]))
    theirs = await ingestor.last_event()
    assert ours["batches"] == theirs["batches"]
    assert ours["rows"] == theirs["rows"]
    assert ours["format"] == theirs["format"]


async def test_released_without_a_choice_this_file_alone_is_read_in_the_likeliest_way(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(HEADLESS)
    await held(ingestor)
    await ingestor.note(released(event, declaration()))
    await ingestor.deliver(csv("6,Eva,6.00"))
    assert await ingestor.states() == [(1, "DONE"), (2, "DONE")]
    said = [event for event in await ingestor.events() if event["type"] == "records-ingested"]
    assert [(each["format"]["header"], each["rows"]["inserted"]) for each in said] == [(False, 5), (True, 1)]


async def test_without_a_declaration_the_format_is_found_first_and_frozen_with_the_columns(ingestor: Ingestor) -> None:
    await ingestor.deliver(SEMICOLONS, BARE)
    said = await ingestor.last_event()
    assert (said["decided_by"], said["proposal"]["format"]) == ("inference", {"delimiter": ";"})
    assert list(said["proposal"]["columns"]) == list(COLUMNS)
    await ingestor.deliver(PLAIN, BARE.model_copy(update={"table": "plain"}))
    assert (await ingestor.last_event())["proposal"].get("format") is None


async def test_without_a_declaration_a_doubt_about_the_dialect_comes_before_the_columns(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(TWO_WAYS, BARE)
    said, candidates = await held(ingestor)
    assert said["proposal"]["columns"] == {}
    assert {candidate["format"]["delimiter"] for candidate in candidates} == {",", ";"}
    comma = next(each["format"] for each in candidates if each["format"]["delimiter"] == ",")
    await ingestor.note(released(event, with_format(BARE, Format.model_validate(comma))))
    await ingestor.work()
    said = await ingestor.last_event()
    assert (said["decided_by"], list(said["proposal"]["columns"])) == ("inference", ["a_b", "c_d"])


async def test_a_part_of_a_delivery_that_is_in_doubt_is_named(ingestor: Ingestor) -> None:
    parts = [(SEMICOLONS, "acme/orders/good.csv"), (LATIN, "acme/orders/bad.csv")]
    keys = [ingestor.put(body, key) for body, key in parts]
    told = [
        {"file_id": uuid7(), "object_key": key, "version_id": version, "size": len(body)}
        for (key, version), (body, _) in zip(keys, parts, strict=True)
    ]
    await ingestor.deliver(b"", parts=told)
    said, _ = await held(ingestor)
    assert said["holds"][0]["reason"].startswith("acme/orders/bad.csv: how it is to be read is in doubt")
    rows = await ingestor.all("SELECT facts FROM holds")
    assert rows[0]["facts"]["part"] == "acme/orders/bad.csv"
