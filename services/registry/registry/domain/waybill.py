"""The waybill: one JSON document that says what became of a file and each of its rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from registry.domain.corrections import prefix

LAYOUT = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE


def waybill_key(file: Mapping[str, Any]) -> str:
    """Where the file's waybill lies in the output bucket."""
    return f"{file['organisation']}/{file['table_name']}/{file['file_id']}/waybill.json"


def render(file: Mapping[str, Any], history: Sequence[Mapping[str, Any]], output_bucket: str) -> bytes:
    """The document, from the file's row and the changes of its state."""
    waybill = {
        "name": None if file["arrival"] is None else f"{file['dataset']}#{file['arrival']}",
        **_pick(file, "file_id organisation table_name:table arrival registration attempt position"),
        **_pick(file, "state code reason holds late presence declaration_version"),
        "object": _pick(file, "bucket key version_id size etag last_modified found_by sent_by sent_reason"),
        **{name: (file["ingested"] or {}).get(name) for name in ("sha256", "format")},
        "twin": _named(file["twin_file_id"], file["twin"]),
        "corrects": _named(file["corrects"], file["subject"]),
        "removes": _named(file["removes"], file["subject"]),
        "delivery": _delivery(file),
        "parts": file["parts"],
        "entries": (file["ingested"] or {}).get("entries", []),
        "rows": file["rows"],
        "mongodb": file["ingested"] and _pick(file["ingested"], "attempt position batches versions checksum"),
        "postgresql": file["loaded"],
        "balanced": file["balanced"],
        "rejects": _rejects(file, output_bucket),
        "repairs": _repairs(file, output_bucket),
        **_pick(file, "open_rejects closed_rejects corrections"),
        "history": [dict(change) for change in history],
    }
    # Ids come as the database's own kind of UUID.
    return orjson.dumps(waybill, default=str, option=LAYOUT)


def _pick(values: Mapping[str, Any], names: str) -> dict[str, Any]:
    pairs = (name.partition(":") for name in names.split())
    return {shown or name: values[name] for name, _, shown in pairs}


def _named(file_id: Any, name: str | None) -> dict[str, Any] | None:
    return None if file_id is None else {"file_id": file_id, "name": name}


def _delivery(file: Mapping[str, Any]) -> dict[str, Any] | None:
    """The delivery that the file is part of, where it stands in it, and how the delivery stands."""
    if file["delivery_id"] is None:
        return None
    names = "delivery_id:file_id delivery:name delivery_state:state delivery_reason:reason first_line part_rows:rows"
    return _pick(file, names)


def _rejects(file: Mapping[str, Any], output_bucket: str) -> dict[str, Any] | None:
    """Where the rejects lie, and where they are expected once they are corrected."""
    if not (file["rows"] or {}).get("rejected"):
        return None
    # What a correction did not correct is still open in the file that it is of; what took no effect is sent again.
    can_be_corrected = file["ingested"] and not file["corrects"]
    corrected = {"bucket": file["bucket"], "prefix": prefix(file)} if can_be_corrected else None
    return {"bucket": output_bucket, "key": f"{_folder(file)}/rejects.csv", "corrected": corrected}


def _repairs(file: Mapping[str, Any], output_bucket: str) -> dict[str, Any] | None:
    """How many rows were taken mended, by what was mended, and where they lie as they came."""
    rows = (file["ingested"] or {}).get("repairs")
    return {"rows": rows, "bucket": output_bucket, "key": f"{_folder(file)}/repairs.csv"} if rows else None


def _folder(file: Mapping[str, Any]) -> str:
    """Where the last attempt put what it has to say of rows."""
    return f"{file['organisation']}/{file['table_name']}/{file['file_id']}/{file['attempt']}"
