"""Facts for rules that need no server."""

from datetime import UTC, datetime

from waybill_contracts import ColumnType, RecordsIngested, RowCounts, Source, uuid7

TYPES = {"id": "integer", "name": "text"}


def fact(types=TYPES, key=("id",), **more):
    return RecordsIngested(
        organisation="acme",
        table="orders",
        file_id=uuid7(),
        arrival=1,
        registration=1,
        attempt=1,
        position=3,
        sha256="0" * 64,
        columns=tuple(ColumnType(name=name, type=kind) for name, kind in types.items()),
        key=key,
        rule_version=1,
        source=Source(
            bucket="b", object_key="k", version_id="v", size=1, registered_at=datetime(2026, 1, 1, tzinfo=UTC)
        ),
        **{"batches": (), "rows": RowCounts(), **more},
    )
