"""CPU and memory of reading, typing and judging 1,000,000 orders, and the same orders with every row at fault."""

import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

from records.csv.reader import CsvReader
from records.header import match
from records.judge import judge
from waybill import samples
from waybill_contracts import Declaration

ROWS = 1_000_000
ORDERS = Declaration.model_validate(
    {
        "organisation": "acme",
        "table": "orders",
        "key": ["order_id"],
        "columns": {
            "order_id": {"type": "integer"},
            "customer": {"max_length": 80},
            "email": {},
            "product": {},
            "quantity": {"type": "integer", "minimum": 0},
            "amount": {"type": "decimal(12,2)", "minimum": 0},
            "currency": {"one_of": list(samples.CURRENCIES)},
            "status": {"one_of": list(samples.STATUSES)},
            "order_date": {"type": "date"},
            "updated_at": {"type": "timestamp"},
        },
    }
)
FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "clean": lambda line: line,
    "wrong type": lambda line: line + b"x",
    "too many fields": lambda line: line + b",more",
    "misplaced quote": lambda line: line + b'"',
    "invalid UTF-8": lambda line: line + b"\xff",
}


def measure(path: Path, exact: bool) -> tuple[int, int, float, float, float]:
    """Good rows, rejects, CPU seconds, wall seconds and peak extra megabytes of reading one file."""
    before, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    good, rejected, extra = 0, 0, _peak_megabytes()
    with path.open("rb") as source:
        reader = CsvReader(source, exact=exact)
        for block in reader.blocks(match(reader.header, ORDERS).names):
            judged = judge(block, ORDERS)
            good, rejected = good + judged.frame.height, rejected + judged.rejects.height
        reader.prove()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return good, rejected, cpu, time.perf_counter() - wall, _peak_megabytes() - extra


def _peak_megabytes() -> float:
    """Peak memory of this process; ru_maxrss would count what its parent had before exec."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def main(rows: int) -> None:
    print(f"{'file':<18}{'MB':>6}{'good':>10}{'rejects':>10}{'CPU s':>8}{'wall s':>8}{'extra MB':>10}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "orders.csv")
        header, *lines = samples.to_csv(samples.orders(1, rows, 7)).splitlines()
        for name, spoil in FAULTS.items():
            path.write_bytes(b"\n".join([header, *map(spoil, lines), b""]))
            for exact in (False, True)[: 1 + (name == "clean")]:
                # A fresh process for each, so that the peak is its own.
                with get_context("spawn").Pool(1) as pool:
                    good, rejected, cpu, wall, extra = pool.apply(measure, (path, exact))
                label = f"{name}, exact" if exact else name
                size = os.path.getsize(path) / 1e6
                print(f"{label:<18}{size:>6.0f}{good:>10,}{rejected:>10,}{cpu:>8.2f}{wall:>8.2f}{extra:>10.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
