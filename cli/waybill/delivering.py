"""Several files that are one delivery or archive: what it is made of, and where in its files a line is."""

from typing import TYPE_CHECKING, Any

from waybill import output
from waybill.references import name_of
from waybill.stores import Stores

if TYPE_CHECKING:
    from asyncpg import Record

NO_DECLARATION = "no declaration"
MOST_ENTRIES = 100


def is_of_delivery(state: str, dataset: str | None, reason: str | None) -> bool:
    """Whether the object has no arrival because it is part of a delivery, or was to tell of one."""
    return state == "IGNORED" and dataset is not None and reason != NO_DECLARATION


async def find_delivery(stores: Stores, file: "Record") -> dict[str, Any]:
    """The delivery that the file is part of, and the parts of the delivery that it is."""
    whole = await stores.registry(
        "SELECT file_id, dataset, arrival, key, state, reason FROM files WHERE file_id = $1", file["delivery_id"]
    )
    parts = await stores.registry(
        "SELECT file_id, key, version_id, size, first_line, part_rows AS rows FROM files"
        " WHERE delivery_id = $1 ORDER BY part_number",
        file["file_id"],
    )
    delivery = {"first_line": file["first_line"], "rows": file["part_rows"]}
    return {
        "delivery": {"file_id": whole[0]["file_id"], "name": name_of(whole[0])}
        | {name: whole[0][name] for name in ("state", "reason")}
        | delivery
        if whole
        else None,
        "parts": [dict(part) for part in parts],
    }


async def find_part_keys(stores: Stores, file: "Record") -> dict[Any, str]:
    """Key of each part of the delivery, by its id."""
    rows = await stores.registry("SELECT file_id, key FROM files WHERE delivery_id = $1", file["file_id"])
    return {row["file_id"]: row["key"] for row in rows}


def write_delivery(told: dict[str, Any]) -> None:
    """What a delivery or an archive is made of, or which delivery the file is part of."""
    if whole := told["delivery"]:
        why = f": {whole['reason']}" if whole["reason"] else ""
        output.write(f"  part of {whole['name']}, which is {whole['state']}{why}")
    if told["parts"]:
        rows = [(part["key"], part["size"], part["first_line"], part["rows"]) for part in told["parts"]]
        output.write_table(("object", "bytes", "first line", "rows"), rows, "parts")
    write_entries((told["ingested"] or {}).get("entries", []))


def write_entries(entries: list[dict[str, Any]]) -> None:
    """What was read of each file of an archive."""
    if not entries:
        return
    rows = [(entry["entry"], entry["first_line"], entry["rows"]) for entry in entries[:MOST_ENTRIES]]
    output.write_table(("entry", "first line", "rows"), rows, "entries")
    if len(entries) > MOST_ENTRIES:
        output.write(f"  and {len(entries) - MOST_ENTRIES} more: --json\n")
