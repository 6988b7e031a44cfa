"""Local times of a zone as moments of UTC; a time that was not, or was twice, is none."""

from functools import cache
from typing import Literal

import polars as pl
from polars.exceptions import ComputeError

LAST_YEAR = 2099
"""To which the zones that Polars brings know their rules: after it they have no daylight saving, which is wrong."""
_SAYS_OFFSET = "(?:Z|[+-][0-9]{2}:[0-9]{2})$"


def of_zone(text: pl.Series, moments: pl.Series, zone: str) -> pl.Series:
    """Moments read as if all were UTC, with those put right whose texts have no offset of their own."""
    frame = pl.DataFrame({"local": moments.dt.replace_time_zone(None), "says": text.str.contains(_SAYS_OFFSET)})
    frame = frame.with_columns(moments.alias("told"), in_utc(pl.col("local"), zone).alias("found"))
    is_in_range = pl.col("found").dt.year().is_between(1, 9999)
    right = pl.when("says").then("told").otherwise(pl.when(is_in_range).then("found"))
    return frame.select(right.alias(moments.name)).to_series()


def in_utc(local: pl.Expr, zone: str, ambiguous: Literal["earliest", "null"] = "null") -> pl.Expr:
    """Moments of times in a zone; null for a time that daylight saving skips or gives twice, and after LAST_YEAR."""
    known = pl.when(local.dt.year() <= LAST_YEAR).then(local)
    return known.dt.replace_time_zone(zone, ambiguous=ambiguous, non_existent="null").dt.convert_time_zone("UTC")


def zone_fault(local: pl.Expr, zone: str) -> tuple[pl.Expr, pl.Expr]:
    """Code and end of a sentence for each time that is no moment because of its zone; null for others."""
    is_known = local.dt.year() <= LAST_YEAR
    was = in_utc(local, zone, "earliest").is_not_null()
    is_twice = was & in_utc(local, zone).is_null()
    faults = [
        (~is_known, "out_of_range", f"is after {LAST_YEAR}, to which the rules of {zone} are known: give an offset"),
        (is_twice, "ambiguous_time", f"was twice in {zone}, where clocks were put back: only an offset tells which"),
        (is_known & ~was, "no_such_time", f"never was in {zone}, where clocks were put forward"),
    ]
    codes, ends = ([pl.when(fault[0]).then(pl.lit(fault[part])) for fault in faults] for part in (1, 2))
    return pl.coalesce(codes), pl.coalesce(ends)


@cache
def is_zone(name: str) -> bool:
    """Whether there is such a zone."""
    try:
        pl.select(in_utc(pl.datetime(2026, 1, 1), name))
    except ComputeError:
        return False
    return True
