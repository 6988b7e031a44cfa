"""Packed files and archives, from the bucket to the records, on real servers."""

import csv as csv_module
import gzip
import io
import zipfile
from typing import Any

import polars as pl
import pytest
from backports import zstd
from driven_ingestor import HEADER, Ingestor, csv, declaration
from ingestor.files import parts
from ingestor.jobs import ingest
from records.packing import Caps
from waybill_contracts import Declaration, FilePart, FileRegistered, uuid7

ROWS = csv("1,Ada,1", "2,Böb,2")
ALL = declaration(guards={"max_reject_share": 1})


def zipped(**files: bytes) -> bytes:
    """An archive of these entries, whose names end in .csv."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"{name}.csv", data)
    return target.getvalue()


def counts(said: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in said["rows"].items() if count}


async def stored(ingestor: Ingestor) -> list[tuple[str, int, str]]:
    """Key, line and customer of each version."""
    return [(each["key"], each["line"], each["data"]["customer"]) for each in await ingestor.stored()]


async def rejects(ingestor: Ingestor, event: FileRegistered) -> list[tuple[str, str, str]]:
    """Line, part and codes of the file of rejects."""
    written = await ingestor.output(event.file_id, 1)
    assert written
    rows = csv_module.DictReader(io.StringIO(written.decode()))
    return [(row["waybill_line"], row["waybill_part"], row["waybill_codes"]) for row in rows]


PACKED = {
    "gzip": gzip.compress(ROWS),
    "gzip in several members": gzip.compress(ROWS[:20]) + gzip.compress(ROWS[20:]),
    "zstd": zstd.compress(ROWS),
}


@pytest.mark.parametrize("kind", PACKED)
async def test_a_packed_file_is_read_as_what_is_in_it_and_known_by_its_own_bytes(ingestor: Ingestor, kind: str) -> None:
    await ingestor.deliver(PACKED[kind])
    said = await ingestor.last_event()
    assert counts(said) == {"read": 2, "inserted": 2}
    assert said["source"]["size"] == len(PACKED[kind])
    assert "parts" not in said or said["parts"] == []
    assert await stored(ingestor) == [("1", 2, "Ada"), ("2", 3, "Böb")]
    await ingestor.deliver(PACKED[kind])
    assert (await ingestor.last_event())["type"] == "file-skipped"
    # Not packed it is another file of the same rows.
    await ingestor.deliver(ROWS)
    assert counts(await ingestor.last_event()) == {"read": 2, "unchanged": 2}


async def test_text_of_another_encoding_is_read_in_it_also_where_it_was_packed(ingestor: Ingestor) -> None:
    declared = declaration(format={"encoding": "windows-1252"}, guards={"max_reject_share": 1})
    text = csv("1,Bröd,1").decode().encode("cp1252")
    await ingestor.deliver(text.replace(b"1,Br", b"2,\x81,2\n1,Br"), declared)
    assert counts(await ingestor.last_event()) == {"read": 2, "inserted": 1, "rejected": 1}
    await ingestor.deliver(gzip.compress(text), declared)
    assert counts(await ingestor.last_event()) == {"read": 1, "unchanged": 1}
    await ingestor.deliver("\ufeff".encode("utf-16-be") + csv("1,Bröd,1").decode().encode("utf-16-be"), declared)
    assert counts(await ingestor.last_event()) == {"read": 1, "unchanged": 1}
    assert [row[2] for row in await stored(ingestor)] == ["Bröd"]


ENTRIES = {
    "a": csv("1,Ada,1", "2,Bob,2"),
    "b": b"amount,order_id,customer\nx,3,Cem\n4,4,Dan\n5,5,Eva,more\n",
}


async def test_each_entry_is_a_part_of_the_file_with_lines_that_go_on(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(zipped(**ENTRIES), ALL)
    said = await ingestor.last_event()
    assert (said["position"], counts(said)) == (1, {"read": 5, "inserted": 3, "rejected": 2})
    told = [(part["file_id"], part["entry"], part["first_line"], part["rows"]) for part in said["parts"]]
    assert told == [(str(event.file_id), "a.csv", 1, 2), (str(event.file_id), "b.csv", 4, 3)]
    assert await stored(ingestor) == [("1", 2, "Ada"), ("2", 3, "Bob"), ("4", 6, "Dan")]
    assert await rejects(ingestor, event) == [
        ("5", "b.csv:2", "wrong_type"),
        ("7", "b.csv:4", "too_many_fields"),
    ]
    kept = await ingestor.all("SELECT file_id, entry, first_line, rows FROM parts ORDER BY first_line")
    assert [(str(row["file_id"]), *list(row.values())[1:]) for row in kept] == told


async def test_a_corrected_reject_of_an_entry_is_closed_by_its_line(ingestor: Ingestor) -> None:
    event = await ingestor.deliver(zipped(**ENTRIES), ALL)
    written = await ingestor.output(event.file_id, 1)
    assert written
    header, mistyped, _ = written.splitlines(keepends=True)
    # The correction may be packed too.
    corrected = zipped(a=header + mistyped.replace(b",x", b",3"))
    await ingestor.deliver(corrected, ALL, corrects=event.file_id)
    said = await ingestor.last_event()
    assert (counts(said), said["closed_rejects"]) == ({"read": 1, "inserted": 1}, 1)
    assert [row["line"] for row in await ingestor.all("SELECT line FROM open_rejects WHERE closed_by IS NULL")] == [7]
    again = await ingestor.deliver(zipped(a=header + mistyped.replace(b",x", b",y")), ALL, corrects=event.file_id)
    written = await ingestor.output(again.file_id, 3)
    assert written
    assert written.startswith(header.replace(b"waybill_part,", b""))
    assert written.splitlines()[1].startswith(b"5,")


async def test_entries_of_an_archive_in_a_delivery_are_told_with_both_names(ingestor: Ingestor) -> None:
    names, bodies = ("acme/orders/1/a.csv", "acme/orders/1/b.zip"), (csv("8,Hal,x"), zipped(**ENTRIES))
    of_delivery = []
    for name, body in zip(names, bodies, strict=True):
        key, version_id = ingestor.put(body, name)
        of_delivery.append(FilePart(file_id=uuid7(), object_key=key, version_id=version_id, size=len(body)))
    declared = declaration(group={"marker": "{organisation}/{table}/{day}/_DONE"}, guards={"max_reject_share": 1})
    event = ingestor.registered(b"", declared, parts=tuple(of_delivery))
    await ingestor.note(event)
    await ingestor.work()
    said = await ingestor.last_event()
    told = [(part["file_id"], part.get("entry"), part["first_line"]) for part in said["parts"]]
    first, second = (str(part.file_id) for part in of_delivery)
    assert told == [(first, None, 1), (second, "a.csv", 3), (second, "b.csv", 6)]
    assert await rejects(ingestor, event) == [
        ("2", f"{names[0]}:2", "wrong_type"),
        ("7", f"{names[1]}!b.csv:2", "wrong_type"),
        ("9", f"{names[1]}!b.csv:4", "too_many_fields"),
    ]


def parquet(*rows: tuple[int, str, str]) -> bytes:
    target = io.BytesIO()
    columns = {name: [str(row[number]) for row in rows] for number, name in enumerate(HEADER.split(","))}
    pl.DataFrame(columns).write_parquet(target)
    return target.getvalue()


async def test_entries_of_several_formats_are_one_file(ingestor: Ingestor) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", csv("1,Ada,1"))
        archive.writestr("b.parquet", parquet((2, "Bob", "2"), (3, "Cem", "x")))
        archive.writestr("c.jsonl", b'{"order_id": 4, "customer": "Dan", "amount": 4}\n')
    event = await ingestor.deliver(target.getvalue(), ALL)
    said = await ingestor.last_event()
    assert counts(said) == {"read": 4, "inserted": 3, "rejected": 1}
    assert [(part["entry"], part["rows"]) for part in said["parts"]] == [("a.csv", 1), ("b.parquet", 2), ("c.jsonl", 1)]
    assert [(key, customer) for key, _, customer in await stored(ingestor)] == [
        ("1", "Ada"),
        ("2", "Bob"),
        ("4", "Dan"),
    ]
    assert [part for _, part, _ in await rejects(ingestor, event)] == ["b.parquet:2"]
    await ingestor.deliver(gzip.compress(parquet((1, "Ada", "1"), (5, "Eva", "5"))), ALL)
    assert counts(await ingestor.last_event()) == {"read": 2, "inserted": 1, "unchanged": 1}


async def test_rows_of_two_entries_with_one_key_are_judged_as_within_one_file(ingestor: Ingestor) -> None:
    await ingestor.deliver(zipped(a=csv("1,Ada,1", "2,Bob,2"), b=csv("1,Ada,1", "2,Bob,9")), ALL)
    assert counts(await ingestor.last_event()) == {"read": 4, "inserted": 1, "duplicate": 1, "rejected": 2}


async def test_an_entry_with_other_columns_holds_the_file_and_is_named(ingestor: Ingestor) -> None:
    await ingestor.deliver(zipped(a=ROWS, b=b"order_id,customer,amount,note\n3,Cem,3,x\n"))
    said = await ingestor.last_event()
    assert [hold["reason"] for hold in said["holds"]] == ["b.csv: columns that are not declared: note"]


async def test_what_an_archive_shows_first_is_declared_for_all_of_it(ingestor: Ingestor) -> None:
    await ingestor.deliver(zipped(a=ROWS, b=csv("3,Cem,3")), Declaration(organisation="acme", table="orders"))
    said = await ingestor.last_event()
    assert (said["type"], list(said["proposal"]["columns"])) == ("file-held", ["order_id", "customer", "amount"])


def damaged(packed: bytes, at: int) -> bytes:
    return packed[:at] + bytes([packed[at] ^ 0xFF]) + packed[at + 1 :]


MANY = csv(*(f"{number},Ada,{number % 77}" for number in range(20_000)))
FAULTS = {
    "a gzip that was cut off": (gzip.compress(MANY)[:-2000], "truncated", "send it again"),
    "a gzip that was cut off in its last bytes": (gzip.compress(ROWS)[:-1], "truncated", "send it again"),
    "a gzip with a damaged sum": (damaged(gzip.compress(MANY), -6), "bad_gzip", "damaged"),
    "something behind a gzip": (gzip.compress(MANY) + b"\n", "trailing_bytes", "the file goes on"),
    "a zstd that was cut off": (zstd.compress(MANY)[:-50], "truncated", "send it again"),
    "an archive that was cut off": (zipped(a=MANY)[:-9], "truncated", "cut off"),
    "an entry with a damaged byte": (damaged(zipped(a=ROWS, b=MANY), 4000), "bad_archive", "b.csv"),
    "an archive in an archive": (zipped(a=ROWS, b=zipped(c=ROWS)), "nested_archive", "b.csv: what is packed is packed"),
    "a gzip in a gzip": (gzip.compress(gzip.compress(ROWS)), "nested_archive", "with gzip once more"),
    "an archive of nothing": (zipped(), "no_entries", "holds no file"),
    "a name that leads elsewhere": (zipped(**{"../a": ROWS}), "bad_entry_name", "../a.csv"),
    "an entry without a header": (zipped(a=ROWS, b=b""), "empty_file", "b.csv: "),
    "a tar": (b"a.csv" + bytes(252) + b"ustar\x0000" + bytes(760), "unsupported_compression", "with tar"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_file_fails_and_nothing_of_it_is_there_for(ingestor: Ingestor, name: str) -> None:
    body, code, text = FAULTS[name]
    await ingestor.deliver(body)
    said = await ingestor.last_event()
    assert (said["type"], said["code"]) == ("file-failed", code), said["reason"]
    assert text in said["reason"]
    assert (await ingestor.outcome())["heads"] == [] == await stored(ingestor)
    assert await ingestor.states() == [(1, "FAILED")]


async def test_more_entries_than_one_message_tells_of_fail(ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MAX_PARTS", 1)
    await ingestor.deliver(zipped(**ENTRIES))
    assert (await ingestor.last_event())["code"] == "too_many_entries"


async def test_a_bomb_fails_once_it_has_given_as_much_as_is_taken(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would give 256 MB; it is read as far as is allowed, and in no more than blocks."""
    packer, rows = zstd.ZstdCompressor(level=1), b"1,Ada,1\n" * (1 << 20)
    bomb = packer.compress(csv("1,Ada,1")) + b"".join(packer.compress(rows) for _ in range(32)) + packer.flush()
    given, largest, unpacked = 0, 0, parts.unpacked

    def counted(*arguments: Any) -> Any:
        content = unpacked(*arguments)
        read = content.read

        def reading(size: int = -1) -> bytes:
            nonlocal given, largest
            data: bytes = read(size)
            given, largest = given + len(data), max(largest, len(data))
            return data

        monkeypatch.setattr(content, "read", reading)
        return content

    caps = Caps(bytes_at_any_ratio=8 << 20, ratio=100)
    monkeypatch.setattr(parts, "unpacked", counted)
    monkeypatch.setattr(parts, "CAPS", caps)
    await ingestor.deliver(bomb)
    said = await ingestor.last_event()
    assert (said["type"], said["code"]) == ("file-failed", "too_much_unpacked")
    # How it begins is looked at before, more than once.
    assert caps.most(len(bomb)) - (2 << 20) <= given <= caps.most(len(bomb)) + (4 << 20)
    assert largest <= 2 << 20
    assert (await ingestor.outcome())["heads"] == []


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (gzip.compress(ROWS), len(ROWS)),
        (zipped(**ENTRIES), sum(map(len, ENTRIES.values()))),
        (gzip.compress(MANY), None),
        (zipped(a=ROWS, b=MANY), None),
        (gzip.compress(b"PAR1" + bytes(9) + b"PAR1"), None),
    ],
)
async def test_a_file_is_small_by_what_is_in_it(
    ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch, body: bytes, size: int | None
) -> None:
    event = ingestor.registered(body)
    await ingestor.note(event)
    job = await ingestor.claim()
    assert job
    with ingestor.workspaces.open("acme/orders", 1) as folder:
        attempt = await ingest.begin(job, ingestor.db, folder)
        assert not attempt.is_small
        monkeypatch.setattr("ingestor.jobs.attempt.SMALL_BYTES", size or 1 << 17)
        await ingest.fetch(attempt, ingestor.bucket)
        await ingest.unpack(attempt)
        assert attempt.is_small is (size is not None)
        monkeypatch.setattr("ingestor.jobs.attempt.SMALL_BYTES", (size or 1) - 1)
        assert not attempt.is_small
