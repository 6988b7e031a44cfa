"""Rejected rows, out of the bucket and back: what is open, the sender's copy, and where a corrected one goes."""

import csv
import io
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

from waybill import delivering, output
from waybill.environment import CliSettings
from waybill.output import Refusal
from waybill.references import name_of
from waybill.stores import Stores, open_bucket

if TYPE_CHECKING:
    from asyncpg import Record

CHUNK_BYTES = 1 << 20
csv.field_size_limit(1 << 30)


async def find_rejects(stores: Stores, file: "Record", limit: int, only_open: bool = False) -> list[dict[str, Any]]:
    """The first rejects of the file's last attempt; or of those the ones that nothing corrected.

    Those of a delivery or an archive are told with the part that they are in, and their line there.
    """
    query = """
        SELECT line, p.file_id AS part, p.entry, line - p.first_line + 1 AS part_line,
            codes, reasons, r.columns, raw, start, size
        FROM rejects r JOIN datasets USING (dataset_id) LEFT JOIN LATERAL (
            SELECT file_id, entry, first_line FROM parts
            WHERE dataset_id = r.dataset_id AND attempt = r.attempt AND first_line <= line
            ORDER BY first_line DESC, rows DESC LIMIT 1
        ) AS p ON true
        WHERE dataset = $1 AND attempt = $2 AND (NOT $4 OR EXISTS (
            SELECT FROM open_rejects o WHERE o.dataset_id = r.dataset_id AND o.attempt = r.attempt
              AND o.line = r.line AND closed_by IS NULL
        )) ORDER BY number LIMIT $3"""
    rows = await stores.ingestor(query, file["dataset"], file["attempt"], limit, only_open)
    keys, found = await delivering.find_part_keys(stores, file), [dict(row) for row in rows]
    return [row | {"part": _part_name(keys.get(row["part"]), row.pop("entry"))} for row in found]


def _part_name(key: str | None, entry: str | None) -> str | None:
    """As in the file of rejects: the key in a delivery, the entry in an archive, both where that is in a delivery."""
    return "!".join(name for name in (key, entry) if name) or None


def write_rejects(found: list[dict[str, Any]], title: str | None = None) -> None:
    """Rejects as a table."""
    columns: dict[str, list[Any]] = {"line": [row["line"] for row in found]}
    if any(row.get("part") for row in found):
        columns |= {"part": [row["part"] for row in found], "line there": [row["part_line"] for row in found]}
    if any(row["size"] is not None for row in found):
        columns["bytes"] = [byte_range(row) for row in found]
    columns["why"] = ["; ".join(row["reasons"]) for row in found]
    columns["row as it came"] = [row["raw"] for row in found]
    output.write_table(tuple(columns), list(zip(*columns.values(), strict=True)), title)


def byte_range(row: Mapping[str, Any]) -> str | None:
    """The first and the last byte of the row, counted from 0 as HTTP does; None where nobody knows them."""
    return None if row["size"] is None else f"{row['start']}-{row['start'] + row['size'] - 1}"


def write_repairs(told: dict[str, Any]) -> None:
    """How many rows were taken mended, and where they lie as they came."""
    if rows := (told["ingested"] or {}).get("repairs"):
        output.write_table(("what was mended", "rows"), sorted(rows.items()), "rows that were taken mended")
        dataset, folder = told["name"].partition("#")[0], f"{told['file_id']}/{told['ingested']['attempt']}"
        output.write(f"  as they came: bucket {told['bucket']}-out, {dataset}/{folder}/repairs.csv")


def rejects_key(file: Any) -> str:
    """Where the sender's copy lies in the output bucket."""
    return f"{file['dataset']}/{file['file_id']}/{file['attempt']}/rejects.csv"


async def save_rejects(using: CliSettings, stores: Stores, file: "Record", path: Path, only_open: bool) -> int:
    """The sender's copy as a file that is not there yet, whole or with the open rows only; how many bytes it has."""
    if file["corrects"]:
        raise Refusal(
            f"{name_of(file)} is a correction itself: what it did not correct is open where it came from."
            f" {await _subject(stores, file)}"
        )
    if not (file["rows"] or {}).get("rejected"):
        raise Refusal(f"{name_of(file)} has no rejects; see: waybill file show '{name_of(file)}'")
    lines = await _open_lines(stores, file) if only_open else None
    if only_open and not lines:
        raise Refusal(f"{name_of(file)} has no open rejects; all of them: leave out --open")
    with TemporaryFile() as whole:
        async with open_bucket(using) as bucket:
            reply = await bucket.get_object(Bucket=f"{file['bucket']}-out", Key=rejects_key(file))
            async for chunk in reply["Body"].iter_chunks(CHUNK_BYTES):
                whole.write(chunk)
        whole.seek(0)
        with path.open("xb") as saved:
            if lines is None:
                shutil.copyfileobj(whole, saved)
            else:
                saved.writelines(only_lines(whole, lines))
            return saved.tell()


async def _subject(stores: Stores, file: "Record") -> str:
    names = await stores.registry("SELECT dataset, arrival, key FROM files WHERE file_id = $1", file["corrects"])
    return " ".join(f"See: waybill file rejects '{name_of(each)}' --open" for each in names)


async def _open_lines(stores: Stores, file: "Record") -> set[str]:
    query = """
        SELECT line::text AS line FROM open_rejects JOIN datasets USING (dataset_id)
        WHERE dataset = $1 AND attempt = $2 AND closed_by IS NULL"""
    return {row["line"] for row in await stores.ingestor(query, file["dataset"], file["attempt"])}


def only_lines(source: BinaryIO, lines: set[str]) -> Iterator[bytes]:
    """The header and these rows of a file of rejects, byte for byte."""
    text = io.TextIOWrapper(source, encoding="utf-8", errors="surrogateescape", newline="")
    for number, (raw, line) in enumerate(_records(text)):
        if number == 0 or line in lines:
            yield raw.encode("utf-8", "surrogateescape")
    text.detach()


def _records(text: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each record as it is written, and its first field."""
    taken: list[str] = []

    def feed() -> Iterator[str]:
        for line in text:
            taken.append(line)
            yield line

    for record in csv.reader(feed()):
        yield "".join(taken), record[0] if record else ""
        taken.clear()


def folder_for(file: Any, dataset: str) -> str:
    """Under which key a corrected file is dropped, without the name; Refusal where there is nothing to correct."""
    if file["dataset"] != dataset:
        raise Refusal(f"{name_of(file)} is not a file of {dataset}; a correction goes to the dataset of its file")
    if file["corrects"]:
        raise Refusal(f"{name_of(file)} is a correction itself; correct the file that it corrects")
    if file["removes"] or not file["position"]:
        raise Refusal(
            f"{name_of(file)} is {file['state']} and took no effect; send the whole file again, without --corrects"
        )
    return f"{dataset}/_corrections/{file['file_id']}"


async def find_links(stores: Stores, file: "Record") -> dict[str, Any]:
    """What this file corrects or removes, what corrected it, and what removed it."""
    query = """
        SELECT file_id, dataset, arrival, key, state, closed_rejects, rows, corrects, removes FROM files
        WHERE corrects = $1 OR removes = $1 OR file_id = $2 ORDER BY arrival"""
    found = await stores.registry(query, file["file_id"], file["corrects"] or file["removes"])
    mine = [row for row in found if row["corrects"] == file["file_id"]]
    subject = next((name_of(row) for row in found if row["file_id"] in (file["corrects"], file["removes"])), None)
    return {
        "subject": subject,
        "corrections": [
            {"file_id": row["file_id"], "name": name_of(row)}
            | {name: row[name] for name in ("state", "closed_rejects", "rows")}
            for row in mine
        ],
        "removed_by": next((name_of(row) for row in found if row["removes"] == file["file_id"]), None),
    }


def write_links(told: dict[str, Any]) -> None:
    """What became of the file's rejects and of its object."""
    if told["corrections"]:
        rows = [(each["name"], each["state"], each["closed_rejects"]) for each in told["corrections"]]
        output.write_table(("file", "state", "rejects closed"), rows, "corrections")
    if told["removed_by"]:
        output.write(f"  its object was removed; {told['removed_by']} ends its records")


def advice(told: dict[str, Any]) -> str:
    """How the open rejects of a file are corrected, as commands."""
    name, dataset, count = told["name"], told["name"].partition("#")[0], told["open_rejects"]
    return "\n".join(
        (
            f"{'1 of its rejects is' if count == 1 else f'{count} of its rejects are'} open. To correct them:",
            f"  save the open ones:      waybill file rejects '{name}' --open --save rejects.csv",
            "  mend them there:         the sender's columns; rows that are to stay rejected can be left out",
            f"  send them back:          waybill file put rejects.csv --to {dataset} --corrects '{name}'",
        )
    )
