"""JSON schemas of the events: `python -m waybill_contracts.schemas FOLDER` adds a revision where a model has changed.

A type's schema may only gain optional fields; anything else is a new version of the type. Revisions are never edited.
"""

import sys
from pathlib import Path
from typing import Any

import orjson

from waybill_contracts.codec import TYPES, dataschema
from waybill_contracts.event import Event

OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


def writer_schema(event: type[Event]) -> dict[str, Any]:
    """What the event's producers write, and nothing else: every object is closed."""
    return event.model_json_schema(mode="serialization")


def reader_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """What a consumer of that schema accepts: unknown fields are ignored, so every object is open."""
    opened: dict[str, Any] = _without(schema, {"additionalProperties": bool})
    return opened


def published_schema(event: type[Event]) -> bytes:
    """The writer's schema as it is committed; without prose, so that a better sentence is no new revision."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": dataschema(event.type)}
    return orjson.dumps(head | _without(writer_schema(event), {"title": str, "description": str}), option=OPTIONS)


def revisions(folder: Path, ce_type: str) -> list[Path]:
    """The type's schema as first published, then every later revision."""
    return [folder / f"{ce_type}.json", *sorted(folder.glob(f"{ce_type}.r*.json"))]


def add_revision(folder: Path, event: type[Event]) -> Path | None:
    """Write the model's schema unless the newest revision says the same."""
    found = [path for path in revisions(folder, event.type) if path.exists()]
    if found and found[-1].read_bytes() == published_schema(event):
        return None
    path = folder / (f"{event.type}.r{len(found) + 1:03}.json" if found else f"{event.type}.json")
    path.write_bytes(published_schema(event))
    return path


def _without(schema: Any, unwanted: dict[str, type]) -> Any:
    if isinstance(schema, list):
        return [_without(part, unwanted) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: part for name, part in schema.items() if not isinstance(part, unwanted.get(name, ()))}
    return {name: _without(part, unwanted) for name, part in kept.items()}


if __name__ == "__main__":
    for event_type in TYPES.values():
        if written := add_revision(Path(sys.argv[1]), event_type):
            sys.stdout.write(f"{written}\n")
