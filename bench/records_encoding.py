"""CPU seconds per 1,000,000 orders of key and hash, comparison, BSON encoding and BSON decoding, in blocks of 20,000.

    uv run python bench/records_encoding.py [rows]

The last line is the SHA-256 of as many texts of 200 bytes, the floor of the machine at this moment: compare by ratio.
"""

import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from records.bson.decode import decode_batch
from records.bson.encode import BatchPlace, encode_batch
from records.checksum import format_checksum, version_checksums
from records.compare import compare
from records.digest import digests
from records.row_hash import add_identity, row_hashes

BLOCK = 20_000
KEY = ("order_id",)
TYPES = {
    "order_id": "integer",
    "customer": "text",
    "email": "text",
    "product": "text",
    "quantity": "integer",
    "amount": "decimal(12,2)",
    "currency": "text",
    "status": "text",
    "order_date": "date",
    "updated_at": "timestamp",
}


def orders(first: int, count: int) -> pl.DataFrame:
    """Orders with a fixed seed."""
    chance = np.random.default_rng(first)
    who, cents = pl.Series(chance.integers(0, 50_000, count)), pl.Series(chance.integers(100, 10**7, count))
    day, moment = chance.integers(18_000, 20_000, count), chance.integers(16 * 10**11, 17 * 10**11, count)
    return pl.select(
        order_id=pl.Series(np.arange(first, first + count)),
        customer=pl.format("Customer Number {}", who),
        email=pl.format("customer{}@example.com", who),
        product=pl.format("Product {} of many", who % 977),
        quantity=pl.Series(chance.integers(1, 100, count)),
        amount=(cents.cast(pl.Decimal(14, 2)) / 100).cast(pl.Decimal(12, 2)),
        currency=pl.when(who % 3 == 0).then(pl.lit("USD")).otherwise(pl.lit("EUR")),
        status=pl.when(who % 5 == 0).then(pl.lit("open")).otherwise(pl.lit("delivered")),
        order_date=pl.Series(day.astype(np.int32)).cast(pl.Date),
        updated_at=pl.Series(moment).cast(pl.Datetime("ms", "UTC")),
    )


class Stopwatch:
    """Sums the CPU time of named stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, stage: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = work()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - start
        return result


def heads_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Heads that nine of ten rows have unchanged."""
    other = pl.when(pl.col("_row") % 10 == 0).then(pl.lit(b"o" * 32)).otherwise(pl.col("_hash"))
    head = {"version": pl.lit(1, pl.Int64), "hash": other, "deleted": pl.lit(value=False), "record": pl.lit(b"r" * 12)}
    return rows.select("_row", **head)


def blocks(rows: int) -> Iterator[pl.DataFrame]:
    for first in range(0, rows, BLOCK):
        yield orders(first, min(BLOCK, rows - first))


def measure(block: pl.DataFrame, number: int, watch: Stopwatch) -> None:
    """One block through all stages."""
    frame = watch.run("identity (key, hash)", lambda: add_identity(block, KEY, TYPES))
    lines = pl.int_range(len(block), dtype=pl.Int64) + 2
    rows = frame.select((lines - 2).cast(pl.UInt32).alias("_row"), lines.alias("_line"), "_key", "_hash")
    heads = heads_of(rows)
    watch.run("compare", lambda: compare(rows, heads, "reject"))
    nothing = {"_changed": pl.lit(None, pl.List(pl.String)), "_previous_hash": pl.lit(None, pl.Binary)}
    frame = frame.with_columns(_line=lines, _version=pl.lit(1, pl.Int64), _change=pl.lit("insert"), **nothing)
    frame = frame.with_columns(_prev=pl.lit(None, pl.Binary))
    place = BatchPlace(1, number, 1, datetime(2026, 1, 1, tzinfo=UTC))
    encoded = watch.run("encode (with checksum)", lambda: encode_batch(frame, TYPES, place))
    documents = bytes(encoded.documents)

    def read() -> str:
        found = decode_batch(documents, TYPES)
        if not row_hashes(found, TYPES).equals(found["_hash"], check_names=False):
            raise SystemExit("a decoded row does not fit its hash")
        return format_checksum(version_checksums(found))

    if watch.run("decode, rehash, checksum", read) != encoded.checksum:
        raise SystemExit("the decoded versions do not fit their checksum")
    texts = pl.select(pl.lit("x" * 200).repeat_by(len(block)).explode()).to_series()
    watch.run("SHA-256 alone", lambda: digests(texts))


def main(rows: int) -> None:
    watch = Stopwatch()
    measure(orders(0, BLOCK), 0, Stopwatch())  # imports and tables
    for number, block in enumerate(blocks(rows)):
        measure(block, number, watch)
    for stage, seconds in watch.seconds.items():
        print(f"{stage:26} {seconds * 1_000_000 / rows:6.2f} CPU s per 1,000,000")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
