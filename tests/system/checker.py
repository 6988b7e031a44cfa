"""Holds the stores against the oracle, with queries of its own."""

import hashlib
import json
from typing import Any

from asyncpg import Record
from bson import Decimal128
from installation import Installation
from meaning import content_of
from oracle import Oracle
from oracle_files import File
from pymongo import AsyncMongoClient

NO_CORRECTIONS = ("not_its_file", "not_newest")


async def check(installation: Installation, dataset: str, oracle: Oracle) -> None:
    """Current rows, versions dense from 1, log, documents, counts and open rejects are what the oracle says."""
    every = await installation.files(dataset)
    files = [file for file in every if file["arrival"]]
    assert all(file["reason"].startswith(f"part of {dataset}#") for file in every[len(files) :]), dataset
    found = [(file["state"], _codes(file)) for file in files]
    told = [(each.state, _told_codes(each)) for each in oracle.files]
    assert found == told, dataset
    for file, counts in zip(files, oracle.counts, strict=True):
        if file["state"] == "LOADED":
            assert json.loads(file["rows"]) == counts, f"{dataset}#{file['arrival']}"
            assert file["balanced"] is True
    await _check_open_rejects(installation, dataset, oracle)
    await _check_current(installation, dataset, oracle)
    await _check_log(installation, dataset, oracle)
    await _check_documents(installation, dataset, oracle)


def _codes(file: Record) -> tuple[str, ...]:
    """Why it is held; a changed type is only named beside the share of rejects."""
    if file["state"] == "REFUSED" and file["code"] in NO_CORRECTIONS:
        return (file["code"],)
    codes = {hold["code"] for hold in json.loads(file["holds"])} if file["state"] == "HELD" else set()
    return tuple(sorted(codes - {"type_changed"}))


def _told_codes(file: File) -> tuple[str, ...]:
    return file.codes if file.state == "HELD" or set(file.codes) & set(NO_CORRECTIONS) else ()


def tables(installation: Installation, dataset: str) -> tuple[str, str]:
    """Qualified names of the current table and the log."""
    organisation, table = dataset.split("/")
    prefix = "" if installation.namespace == "waybill" else f"{installation.namespace}_"
    schema = organisation.replace("-", "_")
    return f'"{prefix}orgdata_{schema}"."{table}"', f'"{prefix}orglog_{schema}"."{table}"'


def _key(row: Record, oracle: Oracle) -> str:
    """The record's key; one that is made of the content is told by the content, which has to be its own."""
    if not oracle.meaning.deduplicate:
        return str(row["_key"])
    assert row["_key"] == f"row:{row['_hash'].hex()}"
    return content_of(_values(row, oracle))


def _orders_follow(before: Record | None, row: Record) -> bool:
    """What ends because its object was removed was said at no moment."""
    return not before or not _order(row) or _order(before) <= _order(row)


def _order(row: Record) -> str:
    """When the version was said; logs of before know no order until they are loaded into."""
    return dict(row).get("_order") or ""


def _values(row: Record, oracle: Oracle) -> dict[str, Any]:
    """The business columns, as far as they have a value."""
    return {name: row[name] for name in oracle.columns if dict(row).get(name) is not None}


async def _check_open_rejects(installation: Installation, dataset: str, oracle: Oracle) -> None:
    query = """
        SELECT file_id::text, line FROM open_rejects JOIN datasets USING (dataset_id)
        JOIN positions USING (dataset_id, attempt) WHERE dataset = $1 AND closed_by IS NULL
    """
    found = [tuple(row) for row in await installation.rows("ingestor", query, dataset)]
    assert sorted(found) == sorted((each.file_id, line) for each in oracle.files for line in each.open), dataset


async def _check_current(installation: Installation, dataset: str, oracle: Oracle) -> None:
    current, log = tables(installation, dataset)
    if not await installation.db.fetchval("SELECT to_regclass($1)", current):
        assert not oracle.versions, f"{dataset} has no tables"
        return
    rows = await installation.db.fetch(f"SELECT c.*, l._hash FROM {current} c LEFT JOIN {log} l USING (_key, _version)")
    found = {_key(row, oracle): _values(row, oracle) | {"_version": row["_version"]} for row in rows}
    assert len(found) == len(rows)
    assert found == oracle.current, dataset


async def _check_log(installation: Installation, dataset: str, oracle: Oracle) -> None:
    _, log = tables(installation, dataset)
    if not await installation.db.fetchval("SELECT to_regclass($1)", log):
        assert not oracle.versions, f"{dataset} has no log"
        return
    found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    previous: dict[str, Record] = {}
    for row in await installation.db.fetch(f"SELECT * FROM {log} ORDER BY _key, _version"):
        history = found.setdefault(_key(row, oracle), [])
        before = previous.get(row["_key"])
        assert row["_version"] == len(history) + 1, f"{row['_key']}: versions are not dense"
        assert row["_previous_hash"] == (before and before["_hash"]), f"{row['_key']}: hashes do not link"
        assert _orders_follow(before, row), f"{row['_key']}: older over newer"
        previous[row["_key"]] = row
        history.append((row["_change"], _values(row, oracle)))
    assert found == oracle.versions, dataset


async def _check_documents(installation: Installation, dataset: str, oracle: Oracle) -> None:
    """Documents that a position names are the oracle's versions; others (of dead attempts) are nobody's."""
    organisation, table = dataset.split("/")
    query = "SELECT attempt FROM positions JOIN datasets USING (dataset_id) WHERE dataset = $1"
    attempts = {row["attempt"] for row in await installation.rows("ingestor", query, dataset)}
    async with AsyncMongoClient(installation.environment["WAYBILL_MONGO__URI"]) as client:
        collection = client[installation.namespace][f"raw_{organisation}_{table}"]
        found: dict[tuple[str, int], tuple[str, dict[str, Any]]] = {}
        async for document in collection.find():
            if int.from_bytes(document["_id"].binary[:4], "big") in attempts:
                data = {name: _plain(value) for name, value in document.get("data", {}).items() if value is not None}
                place = repr(sorted(data.items())) if oracle.meaning.deduplicate else document["key"]
                assert (place, document["version"]) not in found, f"{place} stands twice"
                found[place, document["version"]] = (document["change"], data)
    expected = {}
    for key, history in oracle.versions.items():
        for number, (change, row) in enumerate(history, 1):
            data = {name: _bson_like(value) for name, value in row.items()}
            place = repr(sorted(data.items())) if oracle.meaning.deduplicate else key
            expected[place, number] = (change, data)
    assert found == expected, dataset


def _plain(value: Any) -> Any:
    return value.to_decimal() if isinstance(value, Decimal128) else _bson_like(value)


def _bson_like(value: Any) -> Any:
    """Dates and times as one kind of text: MongoDB knows only times."""
    if not hasattr(value, "isoformat"):
        return value
    return value.replace(tzinfo=None).isoformat() if hasattr(value, "hour") else f"{value.isoformat()}T00:00:00"


async def digest(installation: Installation, dataset: str) -> str:
    """A fingerprint of everything that the stores hold of a dataset, but the times at which rows were touched."""
    parts: list[Any] = [dict(row, changed_at=None, announced_at=None) for row in await installation.files(dataset)]
    for table in tables(installation, dataset):
        if await installation.db.fetchval("SELECT to_regclass($1)", table):
            parts += await installation.db.fetch(f"SELECT * FROM {table} ORDER BY _key, _version")
    for schema, query in LEDGERS:
        parts += await installation.rows(schema, query, dataset)
    organisation, name = dataset.split("/")
    async with AsyncMongoClient(installation.environment["WAYBILL_MONGO__URI"]) as client:
        collection = client[installation.namespace][f"raw_{organisation}_{name}"]
        parts += [document async for document in collection.find().sort("_id")]
    return hashlib.sha256("\n".join(map(repr, parts)).encode()).hexdigest()


LEDGERS = (
    ("registry", "SELECT * FROM file_audit WHERE dataset = $1 ORDER BY audit_id"),
    ("registry", "SELECT * FROM datasets WHERE dataset = $1"),
    ("ingestor", "SELECT * FROM datasets WHERE dataset = $1"),
    ("ingestor", "SELECT positions.* FROM positions JOIN datasets USING (dataset_id) WHERE dataset = $1 ORDER BY 1, 2"),
    ("ingestor", "SELECT heads.* FROM heads JOIN datasets USING (dataset_id) WHERE dataset = $1 ORDER BY key"),
    ("ingestor", "SELECT kind, seq, state, attempt, tries FROM jobs WHERE lane = $1 ORDER BY kind, seq"),
    ("loader", "SELECT * FROM datasets WHERE dataset = $1"),
    ("loader", "SELECT * FROM facts WHERE dataset = $1 ORDER BY position"),
    ("loader", "SELECT * FROM batches WHERE dataset = $1 ORDER BY position, number"),
    ("loader", "SELECT kind, seq, state, attempt, tries FROM jobs WHERE lane = $1 ORDER BY kind, seq"),
)
