"""python -m bench.large: how much memory files of hundreds of megabytes take, plain and packed, by service.

Each size is loaded by a fresh installation as a CSV, and by another as a gzip; `unchanged`, after `csv`, sends the gzip
to the installation that has its rows already. Bar: no service's process tree above 350 MB, and no more for the largest
size than for the smallest, but for what runs differ by. Ends with 1 where that does not hold.
"""

import argparse
import asyncio
import gzip
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from waybill import samples
from waybill.installation import check, running

from bench.measure import Meter
from bench.target import COLUMNS, Target

BAR_MEGABYTES = 350
MOST_GROWTH_MEGABYTES = 35
"""From size to size: runs of the same size were seen to differ by 30. From 0.5 to 1 GB that is 8 bytes of each row."""
ROWS_AT_ONCE = 200_000
SERVICES = ("registry", "ingestor", "loader")
TOGETHER = (("csv", "unchanged"), ("gzip",))


def write_orders(path: Path, size: int) -> int:
    """Orders as CSV until the file has this many bytes; how many rows."""
    rows = 0
    with path.open("wb") as file:
        while file.tell() < size:
            content = samples.to_csv(samples.orders(rows + 1, ROWS_AT_ONCE, seed=rows))
            file.write(content if not rows else content[content.index(b"\n") + 1 :])
            rows += ROWS_AT_ONCE
    return rows


def packed(path: Path) -> Path:
    """The file as a gzip beside it."""
    target = path.with_suffix(".csv.gz")
    if target.exists():
        return target
    with path.open("rb") as source, gzip.open(target, "wb", compresslevel=1) as file:
        shutil.copyfileobj(source, file, 1 << 20)
    return target


async def measure(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Every file on an installation that saw none before, but for the rows that are to be there already."""
    results: list[dict[str, Any]] = []
    for size in options.gigabytes:
        path = folder / f"orders_{size:g}.csv"
        rows = write_orders(path, round(size * 1e9))
        for together in TOGETHER:
            kinds = [kind for kind in together if kind in options.kinds]
            results += await load(folder / "stack", kinds, size, rows, path) if kinds else []
        for written in folder.glob("orders_*"):
            written.unlink()
    return results


async def load(folder: Path, kinds: list[str], size: float, rows: int, path: Path) -> list[dict[str, Any]]:
    """The same rows in these ways, one after the other, in a dataset of a fresh installation."""
    results: list[dict[str, Any]] = []
    with running(folder, lambda line: print(line, flush=True)) as (stack, services):
        async with Target.open(stack.environment(), lambda: check(stack, services)) as target:
            await target.declare("bench/orders", COLUMNS)
            with Meter({process.name: process for process in services}) as meter:
                for kind in kinds:
                    file = path if kind == "csv" else packed(path)
                    with meter.measured() as figures:
                        began = time.perf_counter()
                        await target.put_file_and_wait("bench/orders", file)
                        seconds = time.perf_counter() - began
                    result = {"kind": kind, "gigabytes": size, "rows": rows, "seconds": round(seconds, 1)}
                    results.append(result | {"rows_per_second": round(rows / seconds)} | figures)
                    print(json.dumps(results[-1]), flush=True)
    shutil.rmtree(folder)
    return results


def faults(results: list[dict[str, Any]]) -> list[str]:
    """What is over the bar, a sentence each."""
    found = []
    for result in results:
        name, peaks = f"{result['gigabytes']:g} GB as {result['kind']}", result["peak_megabytes"]
        found += [
            f"{name}: {service} took {peaks[service]} MB" for service in SERVICES if peaks[service] > BAR_MEGABYTES
        ]
    for kind in dict.fromkeys(result["kind"] for result in results):
        first, *_, last = [result["peak_megabytes"] for result in results if result["kind"] == kind] * 2
        grown = [service for service in SERVICES if last[service] - first[service] > MOST_GROWTH_MEGABYTES]
        found += [f"{kind}: {service} grew from {first[service]} to {last[service]} MB" for service in grown]
    return found


def main() -> int:
    """Measure on a stack of its own in a temporary folder."""
    parser = argparse.ArgumentParser(prog="python -m bench.large", description=__doc__)
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[0.5, 1.0], help="sizes, smallest first")
    parser.add_argument("--kinds", nargs="+", choices=("csv", "gzip", "unchanged"), default=["csv", "gzip"])
    parser.add_argument("--output", type=Path, default=Path(".waybill/BENCH-LARGE.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="waybill-large-") as folder:
        results = asyncio.run(measure(options, Path(folder)))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(results, indent=2) + "\n")
    found = faults(results)
    print("\n".join(found) or f"within {BAR_MEGABYTES} MB, and not growing; written to {options.output}")
    return bool(found)


if __name__ == "__main__":
    raise SystemExit(main())
