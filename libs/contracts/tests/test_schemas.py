"""Old and new code read each other's events: retained messages are replayed by both."""

from pathlib import Path
from typing import Any, ClassVar

import jsoncompat
import orjson
import pytest
from waybill_contracts import EVENTS, Event
from waybill_contracts.event import FileEvent
from waybill_contracts.records import FileFailed, Part
from waybill_contracts.schemas import add_revision, published_schema, reader_schema, revisions, writer_schema

SCHEMAS = Path(__file__).parents[1] / "schemas"
models = pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.__name__)


def can_read(writer: dict[str, Any], reader: dict[str, Any]) -> bool:
    """Whether a consumer of the second schema reads whatever a producer of the first one writes."""
    bare = [
        {name: part for name, part in schema.items() if name != "$id"} for schema in (writer, reader_schema(reader))
    ]
    schemas = [orjson.dumps(schema).decode() for schema in bare]
    return bool(jsoncompat.check_compat(*schemas, "deserializer"))


def fields(schema: dict[str, Any]) -> set[tuple[str, str]]:
    """Every field of the event and of its parts."""
    parts = {"": schema} | schema.get("$defs", {})
    return {(name, field) for name, part in parts.items() for field in part.get("properties", {})}


def may_replace(old: dict[str, Any], model: type[Event]) -> bool:
    """Whether events of the old schema and of the model can share a version."""
    new = writer_schema(model)
    return can_read(old, new) and can_read(new, old) and fields(old) <= fields(new)


@models
def test_the_newest_revision_is_the_model(model: type[Event]) -> None:
    newest = revisions(SCHEMAS, model.type)[-1]
    assert newest.read_bytes() == published_schema(model), (
        "run: python -m waybill_contracts.schemas libs/contracts/schemas"
    )


@models
def test_every_revision_and_the_model_read_each_other(model: type[Event]) -> None:
    for path in revisions(SCHEMAS, model.type):
        assert may_replace(orjson.loads(path.read_bytes()), model), f"{path.name}: needs a new version of the type"


class Piece(Part):
    size: int = 0


class Rows(FileEvent):
    type: ClassVar[str] = "waybill.rows-counted.v1"

    count: int
    piece: Piece
    note: str | None = None


class WithOptionalField(Rows):
    later: int = 0


class LargerPiece(Piece):
    later: str | None = None


class WithOptionalFieldInside(Rows):
    piece: LargerPiece


class WithRequiredField(Rows):
    later: int


class WithOtherType(Rows):
    count: str  # type: ignore[assignment]


class WithWiderType(Rows):
    count: float  # type: ignore[assignment]


class WithNullable(Rows):
    count: int | None  # type: ignore[assignment]


class WithoutField(FileEvent):
    type: ClassVar[str] = Rows.type

    count: int
    piece: Piece


class RenamedField(WithoutField):
    remark: str | None = None


@pytest.mark.parametrize("model", [Rows, WithOptionalField])
def test_an_optional_field_keeps_the_version(model: type[Event]) -> None:
    assert may_replace(writer_schema(Rows), model)


def test_an_optional_field_of_a_part_keeps_the_version() -> None:
    new = writer_schema(WithOptionalFieldInside)
    assert can_read(writer_schema(Rows), new)
    assert can_read(new, writer_schema(Rows))


@pytest.mark.parametrize(
    "model", [WithRequiredField, WithOtherType, WithWiderType, WithNullable, WithoutField, RenamedField]
)
def test_anything_else_needs_a_new_version(model: type[Event]) -> None:
    assert not may_replace(writer_schema(Rows), model)


def test_a_changed_model_adds_a_revision_and_edits_none(tmp_path: Path) -> None:
    assert add_revision(tmp_path, Rows) == tmp_path / "waybill.rows-counted.v1.json"
    assert add_revision(tmp_path, Rows) is None
    assert add_revision(tmp_path, WithOptionalField) == tmp_path / "waybill.rows-counted.v1.r002.json"
    assert [path.read_bytes() for path in revisions(tmp_path, Rows.type)] == [
        published_schema(Rows),
        published_schema(WithOptionalField),
    ]


def test_prose_is_no_part_of_a_schema() -> None:
    assert b"description" not in published_schema(FileFailed)
