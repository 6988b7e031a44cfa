"""Rules that look beyond a row: uniqueness within the file, and references to records of other datasets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl
from records.key import keys
from waybill_contracts.declaration import Rule

from ingestor.files.spool import RowSpool
from ingestor.jobs.attempt import Attempt, Stores
from ingestor.jobs.threads import beside
from ingestor.store.references import find_missing

BROKEN = {"_row": pl.UInt32, "_line": pl.Int64, "_key": pl.String, "rule": pl.String, "reason": pl.String}
SHOWN_LINES = 5


@dataclass(frozen=True)
class Broken:
    """Rows that broke rules of severity reject: `_row, _line, _key`, with a list of `codes` and one of `reasons`."""

    rows: pl.DataFrame

    @property
    def numbers(self) -> pl.Series:
        return self.rows["_row"]


async def break_rules(values: RowSpool, identities: RowSpool, attempt: Attempt, stores: Stores) -> Broken:
    """The rows of the file that break a rule over more than one row; those that only warn are counted."""
    rules = [rule for rule in attempt.declaration.rules if rule.expect is None]
    found = [pl.DataFrame(schema=BROKEN)]
    for rule in rules:
        rows = _Rows(values, identities, rule)
        if rule.references:
            found.append(await _without_referent(rows, rule, attempt, stores))
        else:
            found.append(await beside(attempt.is_small, _not_unique, rows, rule))
    broken = pl.concat(found)
    warned = [rule.name for rule in rules if rule.severity == "warn"]
    attempt.warnings.add(broken.filter(pl.col("rule").is_in(warned)).select("rule", line="_line"))
    refused = broken.filter(~pl.col("rule").is_in(warned))
    return Broken(
        refused.group_by("_row", "_line", "_key").agg(codes="rule:" + pl.col("rule"), reasons="reason").sort("_row")
    )


class _Rows:
    """Number, line, key and the rule's columns as one text, of the rows that have a value in each of them."""

    def __init__(self, values: RowSpool, identities: RowSpool, rule: Rule) -> None:
        self._spools = values, identities
        self._columns = rule.named_columns

    def frames(self) -> Iterator[pl.DataFrame]:
        for values, identities in zip(*(spool.frames() for spool in self._spools), strict=True):
            rows = identities.select("_row", "_line", "_key").hstack(values.select(self._columns))
            rows = rows.drop_nulls(list(self._columns))
            yield rows.select("_row", "_line", "_key", keys(rows, self._columns).alias("text"))


def _not_unique(rows: _Rows, rule: Rule) -> pl.DataFrame:
    """Rows of different records that have the same values; memory keeps 8 bytes a row and those that may share one."""
    prints = pl.concat([pl.Series("text", dtype=pl.UInt64), *[frame["text"].hash() for frame in rows.frames()]])
    shared = prints.filter(prints.is_duplicated()).unique()
    if shared.is_empty():
        return pl.DataFrame(schema=BROKEN)
    alike = pl.concat(frame.filter(pl.col("text").hash().is_in(shared.implode())) for frame in rows.frames())
    alike = alike.filter(pl.col("_key").n_unique().over("text") > 1)
    lines = pl.col("_line").head(SHOWN_LINES).over("text", mapping_strategy="join").cast(pl.List(pl.String))
    what = " and ".join(rule.unique or ())
    reason = pl.format("{}: lines {} have the same {}", pl.lit(rule.name), lines.list.join(", "), pl.lit(what))
    return _broken(alike, rule, reason)


async def _without_referent(rows: _Rows, rule: Rule, attempt: Attempt, stores: Stores) -> pl.DataFrame:
    """Rows that name a record which the other dataset does not have now."""
    assert rule.references
    found = [pl.DataFrame(schema=BROKEN)]
    what = f"{rule.name}: {rule.references} has no record"
    for frame in rows.frames():
        missing = await find_missing(stores.db, rule.references, frame["text"].unique().to_list())
        lost = frame.filter(pl.col("text").is_in(missing))
        found.append(_broken(lost, rule, pl.format('{} "{}"', pl.lit(what), pl.col("text").str.slice(0, 80))))
    return pl.concat(found)


def _broken(rows: pl.DataFrame, rule: Rule, reason: pl.Expr) -> pl.DataFrame:
    return rows.select("_row", "_line", "_key", rule=pl.lit(rule.name), reason=reason)


def has_file_rules(rules: Sequence[Rule]) -> bool:
    """Whether any rule has to see the whole file."""
    return any(rule.expect is None for rule in rules)
