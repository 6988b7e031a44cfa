"""Any event that its schema allows."""

import json
from datetime import UTC
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel
from waybill_contracts import Declaration

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
DECLARATIONS = [
    Declaration(organisation="acme", table="orders", key=("id",), columns={"id": {"type": "integer", "minimum": -1}}),  # type: ignore[dict-item]
    Declaration(
        organisation="a-1",
        table="t_1",
        key=("größe", "b"),
        columns={"größe": {"type": "decimal(34,34)", "maximum": 0.5}, "b": {"one_of": ("a", "é")}},  # type: ignore[dict-item]
        duplicates="last",
        format={"type": "excel", "sheet": "März", "skip_lines": 2},  # type: ignore[arg-type]
    ),
]
COLUMN_BODIES = st.sampled_from(
    [{"type": "text"}, {"type": "decimal(9,2)", "minimum": 1.5}, {"constant": ""}, {"aliases": ["b"], "optional": True}]
)
FORMAT_BODIES = st.sampled_from(
    [
        {},
        {"type": "csv", "delimiter": ";", "quote": "", "header": False, "repair": ["missing_fields"]},
        {"type": "tsv", "compression": "gzip", "escape": "\\", "null_values": ["", "NA"], "header_rows": 2},
    ]
)
DECLARATION_BODIES = st.sampled_from(DECLARATIONS).map(lambda declaration: declaration.model_dump(mode="json"))
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "uuid": st.uuids().map(str),
    "date-time": st.datetimes(timezones=st.just(UTC)).map(lambda time: time.isoformat()),
    "boolean": st.booleans(),
    "null": st.none(),
    r"^[^\x00]*$": TEXT,
    "^[a-z][a-z0-9-]{0,30}$": st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True),
    "^[a-z][a-z0-9_]{0,40}$": st.from_regex(r"[a-z][a-z0-9_]{0,40}", fullmatch=True),
    r"(^[a-z][a-z0-9_]{0,40}$)|^\*$": st.sampled_from(["*", "orders", "a_1"]),
    "^[0-9a-f]{64}$": st.from_regex("[0-9a-f]{64}", fullmatch=True),
    "^[0-9a-f]{32}$": st.from_regex("[0-9a-f]{32}", fullmatch=True),
}


def values(schema: dict[str, Any], models: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a field's schema allows."""
    if "anyOf" in schema:
        return st.one_of([values(part, models) for part in schema["anyOf"]])
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        known = {"Declaration": DECLARATION_BODIES, "Column": COLUMN_BODIES, "Format": FORMAT_BODIES}
        return known[name] if name in known else values(models[name], models)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "object" and "properties" not in schema:
        (inner,) = schema.get("patternProperties", {"": schema.get("additionalProperties")}).values()
        return st.dictionaries(TEXT, values(inner, models), max_size=2)
    if schema["type"] == "array":
        return st.lists(values(schema["items"], models), min_size=schema.get("minItems", 0), max_size=3)
    if schema["type"] == "object":
        return st.fixed_dictionaries({name: values(part, models) for name, part in schema["properties"].items()})
    if schema["type"] == "integer":
        return st.integers(schema["minimum"], schema["maximum"])
    return SCALARS[schema.get("format") or schema.get("pattern") or schema["type"]]


def events(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    schema = model.model_json_schema()
    bodies = values(schema, schema.get("$defs", {}))
    return bodies.map(lambda body: model.model_validate_json(json.dumps(body)))
