"""What the versions of a batch must be: a stored key or hash is no evidence."""

from typing import Any

import polars as pl
from records.checksum import format_checksum, version_checksums
from records.key import content_keys, keys, line_keys
from records.order import row_orders
from records.row_hash import row_hashes
from waybill_contracts import Batch, RecordsIngested

from loader.domain.facts import types_of
from loader.domain.faults import Mismatch, MissingDocuments

SAMPLE_ROWS = 16


def check_batch(versions: pl.DataFrame, batch: Batch, fact: RecordsIngested) -> None:
    """Every key, hash, count and sum, worked out anew from the values, is what the fact says of this batch."""
    if versions.height < batch.version_count:
        raise MissingDocuments(f"{versions.height} of {batch.version_count} documents are there")
    if versions.height > batch.version_count:
        raise Mismatch(f"{versions.height} documents are there where the fact says {batch.version_count}")
    change, version = versions["_change"], versions["_version"]
    is_insert, is_delete = change == "insert", change == "delete"
    _check_rows(
        versions,
        position=versions["_position"] != fact.position,
        change=~(is_insert | is_delete | (change == "update")),
        version=(version < 1) | ((version < 2) & ~is_insert),
        previous_hash=versions["_previous_hash"].is_null() != is_insert,
    )
    if is_delete.any():
        _check_deletes(versions.filter(is_delete), fact)
        _check_identity(versions.filter(~is_delete), fact)
    else:
        _check_identity(versions, fact)
    found = format_checksum(version_checksums(versions))
    if found != batch.checksum:
        raise Mismatch(f"the checksum is {found} where the fact says {batch.checksum}")


def _check_deletes(deletes: pl.DataFrame, fact: RecordsIngested) -> None:
    """The end of a record has no content: what was there is the version before."""
    has_values = deletes[list(types_of(fact))].select(pl.any_horizontal(pl.all().is_not_null())).to_series()
    _check_rows(
        deletes,
        hash=deletes["_hash"].is_not_null(),
        line=deletes["_line"].is_not_null(),
        data=has_values,
    )


def _check_identity(versions: pl.DataFrame, fact: RecordsIngested) -> None:
    """Keys and hashes are what the values make them: a stored key or hash is no evidence."""
    hashes = row_hashes(versions, types_of(fact))
    for part in _key_parts(versions, fact):
        if part.null_count():
            _check_rows(versions, key=part.is_null())
    _check_rows(versions, key=versions["_key"] != _keys(versions, hashes, fact), hash=versions["_hash"] != hashes)


def _key_parts(versions: pl.DataFrame, fact: RecordsIngested) -> list[pl.Series]:
    """The columns without which there is no key."""
    return [versions[name] for name in (("_line",) if fact.identity == "line" else fact.key)]


def _keys(versions: pl.DataFrame, hashes: pl.Series, fact: RecordsIngested) -> pl.Series:
    if fact.identity == "line":
        return line_keys(versions["_line"], fact.file_id)
    return content_keys(hashes) if fact.identity == "content" else keys(versions, fact.key)


def _check_rows(versions: pl.DataFrame, **is_wrong: pl.Series) -> None:
    """Series instead of expressions: a small batch is most batches, and a query costs more than its rows."""
    for what, found in is_wrong.items():
        wrong = found.fill_null(value=True) if found.null_count() else found
        if count := wrong.sum():
            first = wrong.arg_true()[0]
            line, key = versions["_line"][first], versions["_key"][first]
            where = f"with key {key!r}" if line is None else f"from line {line}"
            raise Mismatch(f"{count} documents with a wrong {what}, the first {where}")


def orders(versions: pl.DataFrame, fact: RecordsIngested) -> pl.Series | None:
    """Each version's order value, null for a delete that has no values to take it from; None where none has one."""
    if fact.order_column is not None:
        return row_orders(versions[fact.order_column])
    if fact.order is not None:
        return pl.Series("_order", [fact.order], pl.String).new_from_index(0, versions.height)
    return None


def sample(versions: pl.DataFrame) -> list[tuple[Any, ...]]:
    """A few rows from first to last, to be read back after they are written."""
    step = max(1, versions.height // SAMPLE_ROWS)
    return [versions.row(number) for number in range(0, versions.height, step)[:SAMPLE_ROWS]]
