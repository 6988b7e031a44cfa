"""What a load must find before it may go on: pure rules."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import polars as pl
from records.checksum import add_checksums, format_checksum, version_checksums
from records.key import keys
from records.row_hash import RULE_VERSION, row_hashes
from waybill_contracts import Batch, Column, RecordsIngested
from waybill_contracts.column import DECIMAL_TYPE
from waybill_contracts.declaration import POSTGRES_COLUMNS

MAX_INTEGER_DIGITS = 19
SAMPLE_ROWS = 16


class LoadFault(Exception):
    """Something is not what the file's fact says."""


class Mismatch(LoadFault):
    """What was found is wrong; trying again cannot help."""


class MissingDocuments(LoadFault):
    """Fewer documents than the fact states; they may still appear, but not for ever."""


class LogDiffers(LoadFault):
    """The log's rows of a position were not what the fact says; they were forgotten, to be appended again."""


@dataclass(frozen=True)
class Place:
    """Where a dataset lives in the warehouse."""

    current_schema: str
    log_schema: str
    reader: str
    table: str

    @property
    def current(self) -> tuple[str, str]:
        return self.current_schema, self.table

    @property
    def log(self) -> tuple[str, str]:
        return self.log_schema, self.table

    @property
    def history(self) -> tuple[str, str]:
        return self.current_schema, f"{self.table}_history"


@dataclass(frozen=True)
class Load:
    """One position that is being loaded: what was said of it, where it goes, what of it is in the log already."""

    fact: RecordsIngested
    place: Place
    columns: dict[str, str]
    """All business columns of the tables, those that this file has not included."""
    appended: frozenset[int]

    @property
    def only_batch(self) -> Batch | None:
        """The file's one batch, where it has just one, which is not in the log yet."""
        return self.fact.batches[0] if len(self.fact.batches) == 1 and not self.appended else None

    @property
    def open_batches(self) -> list[Batch]:
        return [batch for batch in self.fact.batches if batch.number not in self.appended]


@dataclass(frozen=True)
class Tally:
    """The versions of one position: how many of each change, and the sum of their checksums."""

    counts: dict[str, int]
    checksum: str

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def position_name(fact: RecordsIngested) -> str:
    """`acme/orders position 3`: how reasons name it."""
    return f"{fact.dataset} position {fact.position}"


@contextmanager
def named(fact: RecordsIngested, batch: Batch | None = None) -> Iterator[None]:
    """Faults found inside name the dataset, the position and, where there is one, the batch."""
    try:
        yield
    except LoadFault as fault:
        where = position_name(fact) + (f" batch {batch.number}" if batch else "")
        raise type(fault)(f"{where}: {fault}") from fault


def types_of(fact: RecordsIngested) -> dict[str, str]:
    """The file's business columns, name to declared type."""
    return {column.name: column.type for column in fact.columns}


def find_faults(fact: RecordsIngested) -> list[str]:
    """Why this fact can never be loaded; empty when it can."""
    names = [column.name for column in fact.columns]
    faults = [
        f"column {name!r} is a system column" for name in names if name.startswith("_") or name in POSTGRES_COLUMNS
    ]
    faults += [f"column {name!r} is named twice" for name, count in Counter(names).items() if count > 1]
    faults += [f"key column {name!r} is not a column" for name in fact.key if name not in names]
    faults += [f"column {column.name!r} has no known type" for column in fact.columns if not _is_type(column.type)]
    if fact.table.endswith(("_history", "_as_of")):
        faults.append(f"table {fact.table!r} would take the name of a view")
    if len({batch.number for batch in fact.batches}) != len(fact.batches):
        faults.append("two batches have the same number")
    if fact.rule_version != RULE_VERSION:
        faults.append(f"rule version {fact.rule_version} is not known")
    return faults


def _is_type(declared: str) -> bool:
    try:
        return Column(type=declared).type == declared
    except ValueError:
        return False


def merge_columns(made: dict[str, str], fact: RecordsIngested) -> dict[str, str]:
    """The tables' columns once they can hold this file: types only widen, columns are only added."""
    narrower = [
        f"column {name} is {made[name]} and cannot become {declared}"
        for name, declared in types_of(fact).items()
        if name in made and not _widens(made[name], declared)
    ]
    if narrower:
        raise Mismatch("; ".join(narrower))
    return made | types_of(fact)


def _widens(made: str, declared: str) -> bool:
    """integer → decimal → text, and a decimal into one with no fewer digits on either side of the point."""
    if made == declared:
        return True
    if declared == "text":
        return made == "integer" or DECIMAL_TYPE.fullmatch(made) is not None
    wide = DECIMAL_TYPE.fullmatch(declared)
    if wide is None:
        return False
    whole, scale = int(wide[1]) - int(wide[2]), int(wide[2])
    if made == "integer":
        return whole >= MAX_INTEGER_DIGITS
    narrow = DECIMAL_TYPE.fullmatch(made)
    return narrow is not None and whole >= int(narrow[1]) - int(narrow[2]) and scale >= int(narrow[2])


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
        hash=is_delete & versions["_hash"].is_not_null(),
    )
    _check_identity(versions.filter(~is_delete) if is_delete.any() else versions, fact)
    found = format_checksum(version_checksums(versions))
    if found != batch.checksum:
        raise Mismatch(f"the checksum is {found} where the fact says {batch.checksum}")


def _check_identity(versions: pl.DataFrame, fact: RecordsIngested) -> None:
    """Keys and hashes are what the values make them: a stored hash is no evidence."""
    for part in (versions[name] for name in fact.key):
        if part.null_count():
            _check_rows(versions, key=part.is_null())
    _check_rows(
        versions,
        key=versions["_key"] != keys(versions, fact.key),
        hash=versions["_hash"] != row_hashes(versions, types_of(fact)),
    )


def _check_rows(versions: pl.DataFrame, **is_wrong: pl.Series) -> None:
    """Series instead of expressions: a small batch is most batches, and a query costs more than its rows."""
    for what, found in is_wrong.items():
        wrong = found.fill_null(value=True) if found.null_count() else found
        if count := wrong.sum():
            line = versions["_line"][wrong.arg_true()[0]]
            raise Mismatch(f"{count} documents with a wrong {what}, the first from line {line}")


def sample(versions: pl.DataFrame) -> list[tuple[Any, ...]]:
    """A few rows from first to last, to be read back after they are written."""
    step = max(1, versions.height // SAMPLE_ROWS)
    return [versions.row(number) for number in range(0, versions.height, step)[:SAMPLE_ROWS]]


def check_appended(fact: RecordsIngested, appended: frozenset[int]) -> None:
    """Every batch is entered as being in the log."""
    missing = {batch.number for batch in fact.batches} - appended
    if missing:
        raise LogDiffers(f"{len(missing)} batches are not in the log")


def check_sums(fact: RecordsIngested, tally: Tally) -> None:
    """The log's versions sum up to what the fact says of its batches."""
    count = sum(batch.version_count for batch in fact.batches)
    checksum = add_checksums(batch.checksum for batch in fact.batches)
    if (tally.total, tally.checksum) != (count, checksum):
        raise LogDiffers(
            f"the log held {tally.total} versions with checksum {tally.checksum} where the fact says {count} with"
            f" {checksum}; they are appended again"
        )


def stated_counts(fact: RecordsIngested) -> dict[str, int]:
    """How many versions of each change the waybill says the file made."""
    return {"insert": fact.rows.inserted, "update": fact.rows.updated, "delete": fact.rows.deleted}


def stated_changes(fact: RecordsIngested) -> frozenset[str]:
    """The kinds of change that the file made."""
    return frozenset(change for change, count in stated_counts(fact).items() if count)


def check_counts(fact: RecordsIngested, what: str, found: dict[str, int]) -> None:
    """As many inserts, updates and deletes as the waybill says."""
    wrong = [
        f"{found.get(change, 0)} {change}s where the waybill says {count}"
        for change, count in stated_counts(fact).items()
        if found.get(change, 0) != count
    ]
    if wrong:
        raise Mismatch(f"{what} {', '.join(wrong)}")
