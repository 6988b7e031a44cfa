"""python -m bench: how fast files become rows, on the local stack: PUT to LOADED, CPU, memory, bytes.

Prints a table and writes BENCH.json to the folder of the stack. Figures of shared machines are orders of magnitude.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from waybill import samples
from waybill.installation import check, running

from bench.measure import Meter
from bench.target import COLUMNS, Target

Step = Callable[[Target, Meter, argparse.Namespace], Any]


async def million_rows(target: Target, meter: Meter, options: argparse.Namespace) -> dict[str, Any]:
    """First delivery, then 85 % unchanged, 10 % changed, 5 % new, then the same rows in another order."""
    count = options.rows
    first = samples.orders(1, count, seed=7)
    kept = samples.changed(first.head(count - count // 20), 0.1 / 0.95, seed=8)
    second = kept.vstack(samples.orders(count + 1, count // 20, seed=9).cast(kept.schema))
    results: dict[str, Any] = {}
    await target.declare("bench/orders", COLUMNS)
    for name, rows in (("first", first), ("second", second), ("reordered", samples.shuffled(second, seed=10))):
        content = samples.to_csv(rows)
        with meter.measured() as figures:
            began = time.perf_counter()
            file = await target.put_and_wait("bench/orders", f"{name}.csv", content)
            seconds = time.perf_counter() - began
        results[name] = {"rows": rows.height, "megabytes": round(len(content) / 1e6, 1), "seconds": round(seconds, 2)}
        results[name] |= {"rows_per_second": round(rows.height / seconds), "counts": file["rows"]} | figures
        print(name, json.dumps(results[name]), flush=True)
    results["bytes_per_version"] = await target.bytes_per_version("bench", "orders")
    return results


async def small_file(target: Target, meter: Meter, options: argparse.Namespace) -> dict[str, Any]:
    """A 1,000-row file on an idle system, twenty times."""
    await target.declare("bench/small", COLUMNS)
    times = []
    for number in range(options.repeats):
        content = samples.to_csv(samples.orders(1 + 1000 * number, 1000, seed=number))
        began = time.perf_counter()
        await target.put_and_wait("bench/small", f"{number}.csv", content)
        times.append(time.perf_counter() - began)
        await asyncio.sleep(0.3)
    return {"p50": round(statistics.median(times), 3), "p95": round(sorted(times)[int(0.95 * len(times)) - 1], 3)}


async def many_files(target: Target, meter: Meter, options: argparse.Namespace) -> dict[str, Any]:
    """1,000 files of 100 rows over ten datasets."""
    datasets = [f"bench{number}/many" for number in range(10)]
    for dataset in datasets:
        await target.declare(dataset, COLUMNS)
    contents = [samples.to_csv(samples.orders(1 + 100 * number, 100, seed=number)) for number in range(options.files)]
    with meter.measured() as figures:
        began = time.perf_counter()
        await target.put_many(datasets, contents)
        seconds = time.perf_counter() - began
    return {
        "files": options.files,
        "seconds": round(seconds, 1),
        "files_per_second": round(options.files / seconds, 1),
    } | figures


async def idle(target: Target, meter: Meter, options: argparse.Namespace) -> dict[str, Any]:
    """What all services take of one core when nothing comes."""
    await asyncio.sleep(3)
    with meter.measured() as figures:
        await asyncio.sleep(options.idle_seconds)
    cpu = sum(figures["cpu_seconds"][name] for name in ("registry", "ingestor", "loader"))
    return {
        "seconds": options.idle_seconds,
        "percent_of_one_core": round(100 * cpu / options.idle_seconds, 2),
    } | figures


STEPS: dict[str, Step] = {"million": million_rows, "small": small_file, "many": many_files, "idle": idle}


async def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All chosen steps on one fresh installation."""
    results: dict[str, Any] = {}
    with running(folder, lambda line: print(line, flush=True)) as (stack, services):
        async with Target.open(stack.environment(), lambda: check(stack, services)) as target:
            with Meter({**stack.servers, **{process.name: process for process in services}}) as meter:
                for name in options.steps:
                    results[name] = await STEPS[name](target, meter, options)
                    print(f"{name}: {json.dumps(results[name], indent=2)}", flush=True)
    return results


def main() -> None:
    """Measure on a stack of its own in a temporary folder."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("steps", nargs="*", default=list(STEPS), help=f"of {', '.join(STEPS)}")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--idle-seconds", type=float, default=300)
    parser.add_argument("--output", type=Path, default=Path(".waybill/BENCH.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="waybill-bench-") as folder:
        results = asyncio.run(measure(options, Path(folder)))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(results, indent=2) + "\n")
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
