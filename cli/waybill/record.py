"""waybill record history."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from chassis.sql import sql
from waybill_contracts import Declaration

from waybill import output
from waybill.environment import settings
from waybill.output import Refusal, run
from waybill.references import split_dataset
from waybill.stores import Stores, open_stores

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Records: what happened to one.")


@app.command("history")
def history(
    dataset: Annotated[str, typer.Argument(help="As acme/orders.")],
    key: Annotated[list[str], typer.Argument(help="The parts of the record's key, in the declared order.")],
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
    columns = ("version", "change", "by", "line", "at", "sent by", "values")
    cells = [
        (row["version"], row["change"], row["file"], row["line"], row["at"], row["sent_by"], _values(row))
        for row in found
    ]
    output.write_table(columns, cells, title)


async def versions(stores: Stores, dataset: str, parts: list[str]) -> list[dict[str, Any]]:
    """The record's versions, oldest first; refuses a key that never was."""
    organisation, table = split_dataset(dataset)
    view = (stores.settings.names.current_schema(organisation), f"{table}_history")
    known = await stores.registry(
        "SELECT body FROM declarations WHERE dataset = $1 ORDER BY version DESC LIMIT 1", dataset
    )
    if not known:
        raise Refusal(f"no dataset is called {dataset!r}; see: waybill dataset list")
    declared = Declaration.model_validate(known[0]["body"])
    text = key_text(declared, parts)
    if not await stores.warehouse.fetchval("SELECT to_regclass($1)", f'"{view[0]}"."{view[1]}"'):
        raise Refusal(f"nothing of {dataset} was loaded yet; see: waybill file list {dataset}")
    query = sql("SELECT * FROM {view} WHERE _key = $1 ORDER BY _version", view=view)
    rows = await stores.warehouse.fetch(query, text)
    if not rows:
        raise Refusal(f"{dataset} never had a record with the key {text}")
    return [_version(row, dataset, tuple(declared.columns)) for row in rows]


def key_text(declared: Declaration, parts: list[str]) -> str:
    """The record's key as it is stored: each part read as its column would be, so `007` finds the number 7."""
    # Polars is slow to import, and only needed here.
    import polars as pl
    from records.key import keys
    from records.types import type_columns

    if len(parts) != len(declared.key):
        raise Refusal(f"a key of {declared.dataset} has the parts {', '.join(declared.key)}; found {len(parts)}")
    types = {name: declared.columns[name].type for name in declared.key}
    typed = type_columns(pl.DataFrame({name: [part] for name, part in zip(types, parts, strict=True)}), types)
    for name, part in zip(types, parts, strict=True):
        if typed[name].null_count():
            raise Refusal(f"{name} of {declared.dataset} is {types[name]}; {part!r} is none")
    return str(keys(typed, declared.key)[0])


def _version(row: Any, dataset: str, columns: tuple[str, ...]) -> dict[str, Any]:
    names = set(row.keys())
    return {
        "version": row["_version"],
        "change": row["_change"],
        "changed": list(row["_changed"] or ()),
        "file": f"{dataset}#{row['_arrival']}",
        "object": row["_object"],
        "line": row["_line"],
        "at": row["_loaded_at"],
        "sent_by": row["_user"],
        "reason": row["_reason"],
        "hash": row["_hash"],
        "values": {name: row[name] for name in columns if name in names},
    }


def _values(row: dict[str, Any]) -> str:
    told = row["changed"] if row["change"] == "update" else row["values"]
    return ", ".join(f"{name}={_text(row['values'].get(name))}" for name in told)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(sep=" ").replace("+00:00", "Z")
    return "null" if value is None else "''" if value == "" else str(value)
