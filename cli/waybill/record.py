"""waybill record history."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from chassis.sql import sql
from waybill_contracts import RecordsIngested

from waybill import output
from waybill.environment import settings
from waybill.marks import find_marks
from waybill.output import Refusal, run
from waybill.references import find_file, name_of, split_dataset
from waybill.stores import Stores, open_stores

KEY_HELP = (
    "The parts of the record's key, in the declared order; where rows have no key: the file and the line,"
    " or the hash of the content."
)
LINE = re.compile(r"[0-9]{1,18}", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{64}")

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Records: what happened to one.")


@app.command("history")
def history(
    dataset: Annotated[str, typer.Argument(help="As acme/orders.")],
    key: Annotated[list[str], typer.Argument(help=KEY_HELP)],
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Every version of a record: what changed, by which file and line, who sent it and why."""

    async def work() -> list[dict[str, Any]]:
        async with open_stores(settings()) as stores:
            return await versions(stores, dataset, key)

    found = run(work())
    if json:
        output.write_json(found)
        return
    write_versions(found)


def write_versions(found: list[dict[str, Any]], title: str | None = None) -> None:
    """A record's versions as a table: the whole first state, then what each change made of it."""
    shown = {"version": "version", "change": "change", "by": "file", "line": "line", "at": "at", "sent by": "sent_by"}
    if any(row["order"] is not None for row in found):
        shown["order"] = "order"
    told = [row | {"mended": ", ".join(row["repaired"])} for row in found]
    if any(row["repaired"] for row in found):
        shown["mended"] = "mended"
    cells = [(*(row[name] for name in shown.values()), _values(row)) for row in told]
    output.write_table((*shown, "values"), cells, title)


async def versions(stores: Stores, dataset: str, parts: list[str]) -> list[dict[str, Any]]:
    """The record's versions, oldest first; refuses a key that never was."""
    organisation, table = split_dataset(dataset)
    text = await find_key(stores, await newest_fact(stores, dataset), parts)
    view = (stores.settings.names.current_schema(organisation), f"{table}_history")
    query = sql("SELECT * FROM {view} WHERE _key = $1 ORDER BY _version", view=view)
    rows = await stores.records(query, text)
    if not rows:
        raise Refusal(f"{dataset} never had a record with the key {text}")
    marks = await find_marks(stores, dataset, text, [row["_position"] for row in rows])
    return [_version(dict(row), dataset) | {"repaired": marks.get(row["_version"], [])} for row in rows]


async def newest_fact(stores: Stores, dataset: str) -> RecordsIngested:
    """What was said of the file that was loaded last: it tells what keys are made of, also where that was found out."""
    loaded = await stores.loader(
        "SELECT f.event FROM facts f JOIN datasets d ON d.dataset = f.dataset AND d.applied = f.position"
        " WHERE f.dataset = $1",
        dataset,
    )
    if loaded:
        return RecordsIngested.model_validate(loaded[0]["event"], extra="ignore")
    known = await stores.registry("SELECT 1 FROM datasets WHERE dataset = $1", dataset)
    if not known:
        raise Refusal(f"no dataset is called {dataset!r}; see: waybill dataset list")
    raise Refusal(f"nothing of {dataset} was loaded yet; see: waybill file list {dataset}")


async def find_key(stores: Stores, fact: RecordsIngested, parts: list[str]) -> str:
    """The record's key as it is stored: of its columns, or of its file and line, or of its content."""
    if fact.identity == "content":
        return content_key_text(fact.dataset, parts)
    if fact.identity != "line":
        types = {column.name: column.type for column in fact.columns}
        return key_text(fact.dataset, {name: types[name] for name in fact.key}, parts)
    if len(parts) != 2:
        expected = f"the file and the line, as {fact.dataset}#12 7"
        raise Refusal(f"a record of {fact.dataset} is named by {expected}; found {len(parts)} parts")
    file = await find_file(stores, parts[0])
    if file["dataset"] != fact.dataset:
        raise Refusal(f"{name_of(file)} is no file of {fact.dataset}")
    return line_key_text(file["file_id"], parts[1])


def key_text(dataset: str, types: dict[str, str], parts: list[str]) -> str:
    """Each part of a key of these columns read as its column would be, so `007` finds the number 7."""
    # Polars is slow to import, and only needed here.
    import polars as pl
    from records.key import keys
    from records.types import type_columns

    if len(parts) != len(types):
        raise Refusal(f"a key of {dataset} has the parts {', '.join(types)}; found {len(parts)}")
    typed = type_columns(pl.DataFrame({name: [part] for name, part in zip(types, parts, strict=True)}), types)
    for name, part in zip(types, parts, strict=True):
        if typed[name].null_count():
            raise Refusal(f"{name} of {dataset} is {types[name]}; {part!r} is none")
    return str(keys(typed, tuple(types))[0])


def line_key_text(file_id: UUID, line: str) -> str:
    """The key of the record that a line of a file is."""
    import polars as pl
    from records.key import line_keys

    if not LINE.fullmatch(line):
        raise Refusal(f"{line!r} is not the number of a line")
    return str(line_keys(pl.Series([int(line)]), file_id)[0])


def content_key_text(dataset: str, parts: list[str]) -> str:
    """The key of the record that has this content, by the hash that the history shows."""
    import polars as pl
    from records.key import CONTENT_START, content_keys

    digest = parts[0].removeprefix(CONTENT_START).lower() if len(parts) == 1 else ""
    if not DIGEST.fullmatch(digest):
        raise Refusal(f"a record of {dataset} is named by the hash of its content: one part of 64 hex digits")
    return str(content_keys(pl.Series([bytes.fromhex(digest)]))[0])


def _version(row: dict[str, Any], dataset: str) -> dict[str, Any]:
    business = [name for name in row if not name.startswith("_")]
    return {
        "version": row["_version"],
        "change": row["_change"],
        "changed": list(row["_changed"] or ()),
        "file": f"{dataset}#{row['_arrival']}",
        "object": row["_object"],
        "line": row["_line"],
        # The view of a dataset that had no file since the loader keeps orders does not have them yet.
        "order": row.get("_order"),
        "at": row["_loaded_at"],
        "sent_by": row["_user"],
        "reason": row["_reason"],
        "hash": row["_hash"],
        # What a delete ended is the version before it.
        "values": {} if row["_change"] == "delete" else {name: row[name] for name in business},
    }


def _values(row: dict[str, Any]) -> str:
    told = row["changed"] if row["change"] == "update" else row["values"]
    return ", ".join(f"{name}={_text(row['values'].get(name))}" for name in told)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(sep=" ").replace("+00:00", "Z")
    return "null" if value is None else "''" if value == "" else str(value)
