"""The demo's sample files, and what each was made of."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
from chassis.sql import literal, sql
from waybill_contracts import Declaration

from waybill import samples

ORDERS, CHANGED, NEW = 100_000, 10_000, 5_000
CUSTOMERS = 500
BAD_LINES = (
    b"200001,Nobody,no.one@shop.example,Desk lamp,one,10.00,EUR,new,2026-02-01,2026-02-01 10:00:00",
    b"200002,Nobody,no.one@shop.example,Desk lamp,1,10.005,EUR,new,2026-02-01,2026-02-01 10:00:00",
    b"200003,Nobody,no.one@shop.example,Desk lamp,1,10.00,BTC,new,2026-02-01,2026-02-01 10:00:00",
    b"200004,Nobody,no.one@shop.example,Desk lamp,1,10.00,EUR,new,2026-02-30,2026-02-01 10:00:00",
    b",Nobody,no.one@shop.example,Desk lamp,1,10.00,EUR,new,2026-02-01,2026-02-01 10:00:00",
    b"200006,Nobody,not an address,Desk lamp,1,10.00,EUR,new,2026-02-01,2026-02-01 10:00:00",
    b"200007,Nobody,no.one@shop.example,Desk lamp,1,10.00",
    b'200008,No"body,no.one@shop.example,Desk lamp,1,10.00,EUR,new,2026-02-01,2026-02-01 10:00:00',
)


@dataclass(frozen=True)
class Sample:
    """A file, why it is sent, and how its waybill must read."""

    path: Path
    story: str
    state: str
    counts: dict[str, int]


@dataclass(frozen=True)
class Samples:
    """All files of the demo, and what the tables must hold in the end."""

    orders: tuple[Sample, ...]
    customers: Sample
    customers_mended: dict[str, int]
    order_rows: int
    customer_rows: int
    changed_order: int
    rejected_name: str = "late orders.csv"


def write(folder: Path) -> Samples:
    """Make the files; a fixed seed, so they are the same every time."""
    folder.mkdir(parents=True, exist_ok=True)
    first = samples.orders(1, ORDERS, seed=2026)
    kept = samples.changed(first.head(ORDERS - NEW), CHANGED / (ORDERS - NEW), seed=2027)
    new = samples.orders(ORDERS + 1, NEW, seed=2028).cast(kept.schema)
    some = samples.orders(ORDERS + NEW + 1, 1000 - len(BAD_LINES), seed=2029)
    bad = samples.to_csv(some) + b"\n".join(BAD_LINES) + b"\n"
    contents = {
        "orders 2026-11-01.csv": samples.to_csv(first),
        "orders 2026-11-02.csv": samples.to_csv(kept.vstack(new)),
        "late orders.csv": bad,
        "Bestellungen für März + Ärger 漢字.csv": samples.to_csv(samples.orders(1, 10, seed=2030)),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "late orders (again).csv").write_bytes(bad)
    (folder / "Kunden.csv").write_bytes(_customers().write_csv().encode())
    return _expected(folder, kept, first)


def _expected(folder: Path, kept: pl.DataFrame, first: pl.DataFrame) -> Samples:
    good = 1000 - len(BAD_LINES)
    changed = kept.filter(kept["quantity"] != first.head(ORDERS - NEW)["quantity"])["order_id"]
    changes = {"read": ORDERS, "inserted": NEW, "updated": CHANGED, "unchanged": ORDERS - NEW - CHANGED}
    again = folder / "late orders (again).csv"
    orders = (
        Sample(folder / "orders 2026-11-01.csv", "the first delivery", "LOADED", {"read": ORDERS, "inserted": ORDERS}),
        Sample(folder / "orders 2026-11-02.csv", "the next day: some changed, some new", "LOADED", changes),
        Sample(
            folder / "late orders.csv", "some rows are bad", "LOADED", {"inserted": good, "rejected": len(BAD_LINES)}
        ),
        Sample(again, "the same bytes under another name", "SKIPPED", {"read": 0}),
        Sample(
            folder / "Bestellungen für März + Ärger 漢字.csv", "ten corrections", "LOADED", {"read": 10, "updated": 10}
        ),
    )
    rejected = {"read": CUSTOMERS, "rejected": CUSTOMERS}
    return Samples(
        orders,
        Sample(folder / "Kunden.csv", "every limit has cents, the declaration allows none", "HELD", rejected),
        customers_mended={"read": CUSTOMERS, "inserted": CUSTOMERS},
        order_rows=ORDERS + NEW + good,
        customer_rows=CUSTOMERS,
        changed_order=int(changed.filter(changed > 10)[0]),
    )


def _customers() -> pl.DataFrame:
    number = pl.int_range(1, CUSTOMERS + 1, eager=True)
    cents = (number * 1237) % 100
    text = pl.concat_str((number * 10).cast(pl.String), pl.lit("."), cents.cast(pl.String).str.zfill(2))
    return pl.DataFrame(
        {
            "country": pl.select(pl.lit(pl.Series(["DE", "FR", "PL"])).gather(number % 3)).to_series(),
            "customer_no": number,
            "name": pl.select(pl.concat_str(pl.lit("Müller & Søn Nr. "), number)).to_series(),
            "credit_limit": pl.select(text).to_series(),
            "is_active": number % 7 != 0,
        }
    )


def with_whole_limits(declaration: Declaration) -> Declaration:
    """The same declaration, but for a mistake somebody made."""
    body = declaration.model_dump(mode="json")
    body["columns"]["credit_limit"]["type"] = "integer"
    return Declaration.model_validate(body)


def queries_to_try(table: tuple[str, str], changed_order: int) -> list[str]:
    """SQL for somebody who wants to look."""
    history, key = (table[0], f"{table[1]}_history"), literal(str(changed_order))
    return [
        sql("SELECT status, count(*), sum(amount) FROM {table} GROUP BY status;", table=table),
        sql("SELECT _object, _change, count(*) FROM {history} GROUP BY 1, 2 ORDER BY 1, 2;", history=history),
        sql("SELECT _version, _change, _changed, _object FROM {history} WHERE _key = {key};", history=history, key=key),
    ]
