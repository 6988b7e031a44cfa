"""Stands for the ingestor: writes what it would, and says so."""

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import polars as pl
from chassis import AlreadyHandled
from loader.handlers import note_ingested_file
from records.bson.encode import BatchPlace, DocumentBlob, encode_batch
from records.columns import dtype
from records.key import content_keys, keys, line_keys
from records.row_hash import row_hashes
from waybill_contracts import Batch, ColumnType, RecordsIngested, RowCounts, Source, dataset_name, uuid7

AT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
TYPES = {
    "order_id": "integer",
    "customer": "text",
    "amount": "decimal(12,2)",
    "ordered_at": "timestamp",
    "day": "date",
    "paid": "boolean",
    "weight": "float",
}
ROW = {
    "customer": "Zoë | & Söhne\\",
    "amount": Decimal("76.00"),
    "ordered_at": datetime(2026, 1, 2, 3, 4, 5, 678000, UTC),
    "day": date(1, 1, 1),
    "paid": True,
    "weight": 0.1,
}


@dataclass
class Sender:
    """Stands for the ingestor of one dataset: writes versions to MongoDB and says so."""

    warehouse: Any
    organisation: str = "acme"
    table: str = "orders"
    key: tuple[str, ...] = ("order_id",)
    types: dict[str, str] = field(default_factory=lambda: dict(TYPES))
    batch_rows: int = 2
    said: dict[str, Any] = field(default_factory=dict)
    """What facts say beside the usual: identity, order."""
    heads: dict[str, tuple[int, bytes | None]] = field(default_factory=dict)
    position: int = 0
    files: dict[int, UUID] = field(default_factory=dict)

    @staticmethod
    def row(order_id: int, **values: Any) -> dict[str, Any]:
        """An order; what is not given is as in every other."""
        return {"order_id": order_id, **ROW, **values}

    @property
    def collection(self) -> Any:
        return self.warehouse.mongo[self.warehouse.names.mongo_database][
            self.warehouse.names.collection(self.organisation, self.table)
        ]

    async def write(self, *rows: dict[str, Any], deletes: tuple[str, ...] = ()) -> RecordsIngested:
        """A file with these rows takes the next position; its fact, not sent yet."""
        self.position += 1
        self.files[self.position] = uuid7()
        attempt = self.position * 2
        versions = pl.concat([self._versions(list(rows)), self._deletions(deletes)])
        batches = []
        for number, start in enumerate(range(0, versions.height, self.batch_rows), 1):
            part = versions.slice(start, self.batch_rows)
            encoded = encode_batch(part, self.types, BatchPlace(attempt, number, self.position, AT))
            batches.append(Batch(number=number, version_count=encoded.count, checksum=encoded.checksum))
            for documents, _ in encoded.parts(max_bytes=15_000_000):
                await self.collection.database.command(
                    {"insert": self.collection.name, "documents": [DocumentBlob(documents)]}
                )
        counts = dict(versions["_change"].value_counts().iter_rows())
        return self._fact(attempt, tuple(batches), counts, len(rows))

    async def send(self, *rows: dict[str, Any], deletes: tuple[str, ...] = ()) -> RecordsIngested:
        """Write a file and announce it."""
        fact = await self.write(*rows, deletes=deletes)
        await self.announce(fact)
        return fact

    async def announce(self, fact: RecordsIngested) -> None:
        with contextlib.suppress(AlreadyHandled):
            await note_ingested_file(fact, warehouse=self.warehouse.db)

    def frame(self, rows: list[dict[str, Any]]) -> pl.DataFrame:
        """Rows as the records library holds them."""
        return pl.DataFrame(rows, schema={name: dtype(kind) for name, kind in self.types.items()})

    def _versions(self, rows: list[dict[str, Any]]) -> pl.DataFrame:
        frame = self._identified(self.frame(rows))
        new = []
        for index, (key, digest) in enumerate(frame.select("_key", "_hash").iter_rows()):
            version, previous = self.heads.get(key, (0, None))
            if previous != digest:
                new.append((index, version + 1, "insert" if previous is None else "update", previous))
                self.heads[key] = (version + 1, digest)
        return self._system(frame[[index for index, *_ in new]], [entry[1:] for entry in new])

    def _identified(self, frame: pl.DataFrame) -> pl.DataFrame:
        match self.said.get("identity", "key"):
            case "line":
                found = line_keys(pl.Series(range(2, frame.height + 2), dtype=pl.Int64), self.files[self.position])
            case "content":
                found = content_keys(row_hashes(frame, self.types))
            case _:
                found = keys(frame, self.key)
        return frame.with_columns(found, row_hashes(frame, self.types))

    def _deletions(self, keys: tuple[str, ...]) -> pl.DataFrame:
        entries = []
        for key in keys:
            version, previous = self.heads[key]
            entries.append((version + 1, "delete", previous))
            self.heads[key] = (version + 1, None)
        schema = {name: dtype(kind) for name, kind in self.types.items()} | {"_key": pl.String, "_hash": pl.Binary}
        frame = pl.DataFrame([{"_key": key} for key in keys], schema=schema)
        return self._system(frame, entries)

    def _system(self, frame: pl.DataFrame, entries: list[tuple[int, str, bytes | None]]) -> pl.DataFrame:
        changed = [["customer"] if change == "update" else None for _, change, _ in entries]
        lines = [None if change == "delete" else line for line, (_, change, _) in enumerate(entries, 2)]
        return frame.with_columns(
            pl.Series("_version", [version for version, _, _ in entries], pl.Int64),
            pl.Series("_change", [change for _, change, _ in entries], pl.String),
            pl.Series("_changed", changed, pl.List(pl.String)),
            pl.Series("_previous_hash", [previous for *_, previous in entries], pl.Binary),
            pl.Series("_line", lines, pl.Int64),
            pl.lit(None, pl.Binary).alias("_prev"),
        )

    def _fact(self, attempt: int, batches: tuple[Batch, ...], counts: dict[str, int], read: int) -> RecordsIngested:
        inserted, updated = counts.get("insert", 0), counts.get("update", 0)
        return RecordsIngested(
            organisation=self.organisation,
            table=self.table,
            file_id=self.files[self.position],
            arrival=self.position + 4,
            registration=1,
            attempt=attempt,
            position=self.position,
            sha256="ab" * 32,
            columns=tuple(ColumnType(name=name, type=kind) for name, kind in self.types.items()),
            key=self.key,
            rule_version=1,
            batches=batches,
            rows=RowCounts(
                read=read + 1,
                inserted=inserted,
                updated=updated,
                unchanged=read - inserted - updated,
                deleted=counts.get("delete", 0),
                rejected=1,
            ),
            source=Source(
                bucket="landing",
                object_key=f"{dataset_name(self.organisation, self.table)}/día {self.position}.csv",
                version_id=f"v{self.position}",
                size=1234,
                user="anna",
                reason="monthly",
                registered_at=AT,
            ),
            **self.said,
        )
