"""Real-looking orders and customers, made from a fixed seed: for the demo and the benchmark."""

from datetime import date, datetime

import numpy as np
import polars as pl

FIRST = ("Anna", "Bálint", "Chloé", "Dmitri", "Elif", "François", "Grete", "Hiro", "Inés", "Jürgen", "Kaja", "Łukasz")
LAST = (
    "Almeida",
    "Brønsted",
    "Carvalho",
    "Dvořák",
    "Eriksen",
    "Fischer",
    "García",
    "Hansen",
    "Ito",
    "Jansen",
    "Kovács",
)
PRODUCTS = ("Desk lamp, brass", "Office chair", "Standing desk", 'Monitor 27"', "Keyboard", "Notebook A5", "Cable 2 m")
CURRENCIES = ("EUR", "USD", "GBP", "CHF")
STATUSES = ("new", "paid", "shipped", "returned")
FIRST_DAY = date(2026, 1, 1)
FIRST_SECOND = datetime(2026, 1, 1)


def orders(first: int, count: int, seed: int) -> pl.DataFrame:
    """`count` orders from number `first` on, ten columns; the same arguments give the same rows."""
    random = np.random.default_rng([seed, first, count])
    names = _pick(random, count, [f"{first} {last}" for first in FIRST for last in LAST])
    number = pl.int_range(first, first + count, eager=True)
    days = pl.Series(random.integers(0, 300, count))
    cents = pl.Series(random.integers(100, 500_000, count))
    return pl.DataFrame(
        {
            "order_id": number,
            "customer": names,
            "email": pl.select(pl.concat_str(pl.lit("customer."), number, pl.lit("@shop.example"))).to_series(),
            "product": _pick(random, count, PRODUCTS),
            "quantity": random.integers(1, 20, count),
            "amount": _money(cents),
            "currency": _pick(random, count, CURRENCIES),
            "status": _pick(random, count, STATUSES),
            "order_date": pl.select(pl.lit(FIRST_DAY) + pl.duration(days=pl.lit(days))).to_series(),
            "updated_at": _seconds(random.integers(0, 25_000_000, count)),
        }
    )


def changed(rows: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    """The rows with a share of them changed: another quantity and status."""
    random = np.random.default_rng(seed)
    hit = pl.Series(random.permutation(rows.height) < round(share * rows.height))
    is_returned = pl.col("status") == "returned"
    return rows.with_columns(
        quantity=pl.when(hit).then(pl.col("quantity") + 20).otherwise(pl.col("quantity")),
        status=pl.when(hit & ~is_returned).then(pl.lit("returned")).otherwise(pl.col("status")),
    )


def shuffled(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The same rows in another order."""
    return rows.sample(fraction=1.0, shuffle=True, seed=seed)


def to_csv(rows: pl.DataFrame) -> bytes:
    """RFC 4180, UTF-8, LF, as a sender would write it."""
    return rows.write_csv(datetime_format="%Y-%m-%d %H:%M:%S").encode()


def _pick(random: np.random.Generator, count: int, values: tuple[str, ...] | list[str]) -> pl.Series:
    return pl.Series(values).gather(random.integers(0, len(values), count))


def _money(cents: pl.Series) -> pl.Series:
    text = pl.concat_str((cents // 100).cast(pl.String), pl.lit("."), (cents % 100).cast(pl.String).str.zfill(2))
    return pl.select(text).to_series()


def _seconds(offsets: np.ndarray) -> pl.Series:
    return pl.select(pl.lit(FIRST_SECOND) + pl.duration(seconds=pl.lit(pl.Series(offsets)))).to_series()
