"""What updated records were before, and so which of their fields changed."""

from collections.abc import Iterator

import polars as pl
from records.bson.decode import decode_batch
from records.columns import dtype
from records.compare import changed_fields
from records.pieces import data_of, text_values

from ingestor.documents import MissingRecords
from ingestor.jobs.attempt import Attempt, Stores
from ingestor.jobs.threads import beside
from ingestor.store.datasets import find_declared_types

Types = dict[str, str]


class Predecessors:
    """The documents that heads point to, read as their own files were declared."""

    def __init__(self, attempt: Attempt, stores: Stores) -> None:
        self._attempt = attempt
        self._stores = stores
        self._types: dict[int, Types] = {}

    async def add_changed(self, versions: pl.DataFrame) -> pl.DataFrame:
        """The versions with `_changed`: the fields that differ from the version before; null for an insert."""
        updated = versions.filter(pl.col("_change") == "update")
        if not updated.height:
            return versions.with_columns(pl.lit(None, pl.List(pl.String)).alias("_changed"))
        found = []
        for types, updates in await self._by_types(updated):
            raw = await self._stores.documents.find_records(self._attempt.dataset.name, _packed(updates["_prev"]))
            found.append(await beside(self._attempt.is_small, _changed, updates, raw, types, self._attempt.types))
        return versions.join(pl.concat(found), on="_prev", how="left", maintain_order="left")

    async def _by_types(self, updates: pl.DataFrame) -> list[tuple[Types, pl.DataFrame]]:
        """The updates by how their documents are to be read; as a rule all in one way."""
        attempts = updates["_prev"].bin.slice(0, 4).bin.reinterpret(dtype=pl.UInt32, endianness="big")
        unknown = [attempt for attempt in attempts.unique() if attempt not in self._types]
        if unknown:
            async with self._stores.db.acquire() as tx:
                self._types |= await find_declared_types(tx, self._attempt.dataset.id, unknown)
        return list(self._group(updates, attempts))

    def _group(self, updates: pl.DataFrame, attempts: pl.Series) -> Iterator[tuple[Types, pl.DataFrame]]:
        groups: list[tuple[Types, list[int]]] = []
        for attempt in attempts.unique():
            types = self._types[attempt]
            same = next((numbers for known, numbers in groups if known == types), None)
            if same is None:
                groups.append((types, [attempt]))
            else:
                same.append(attempt)
        for types, numbers in groups:
            yield types, updates.filter(attempts.is_in(numbers))


def _packed(ids: pl.Series) -> bytes:
    """The ids in ascending order, side by side."""
    return data_of(text_values(ids.sort().rechunk())).tobytes()


def _changed(updates: pl.DataFrame, raw: bytes, before: Types, now: Types) -> pl.DataFrame:
    stored = decode_batch(raw, before)
    old = updates.select("_prev", "_previous_hash").join(
        stored, left_on="_prev", right_on="_record", how="left", maintain_order="left"
    )
    if not (old["_hash"] == old["_previous_hash"]).fill_null(value=False).all():
        raise MissingRecords(f"{stored.height} of {updates.height} records that heads point to were found as they were")
    dropped = [pl.lit(None, dtype(kind)).alias(name) for name, kind in before.items() if name not in now]
    return updates.select("_prev", changed_fields(updates.with_columns(dropped), old, before | now))
