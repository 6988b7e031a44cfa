"""python -m tests.fuzz: mutated files of every format, read the whole way; what breaks a reader is kept to be rerun.

A case that ends in anything but rows, rejects or a refusal with its reason, that takes longer than 5 s or more memory
than there is for a file, is saved under its hash, with the format, seed and number that make it again.
"""

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from waybill_contracts import Format

from tests.fuzz.cases import CASES, Case, case
from tests.fuzz.child import outcome
from tests.fuzz.watch import Finding, Run, Watcher

USUAL_SECONDS = 600


def main() -> int:
    """The exit code: 1 where anything was found."""
    options = parsed()
    if options.again:
        return again(options.again)
    seed = options.seed if options.seed is not None else int(time.time())
    print(f"seed {seed}: {options.seconds:.0f} s for each of {', '.join(options.formats)}", flush=True)

    def fuzz(name: str) -> Run:
        run = Run(name, seed)
        Watcher(run).watch(options.seconds)
        tell(run, options.out)
        return run

    with ThreadPoolExecutor(options.jobs) as pool:
        runs = list(pool.map(fuzz, options.formats))
    found = sum(len(run.findings) for run in runs)
    print(f"{sum(run.cases for run in runs)} cases, {found} went wrong", flush=True)
    return 1 if found else 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("formats", nargs="*", default=list(CASES), help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--seconds", type=float, default=USUAL_SECONDS, help="for each format")
    parser.add_argument("--seed", type=int, help="the same seed makes the same cases; by default the time")
    parser.add_argument("--jobs", type=int, default=1, help="formats at a time")
    parser.add_argument("--out", type=Path, default=Path(".waybill/fuzz"), help="where cases that went wrong are kept")
    parser.add_argument("--again", type=Path, help="only read this kept case again")
    options = parser.parse_args()
    if unknown := set(options.formats) - set(CASES):
        parser.error(f"unknown formats: {', '.join(sorted(unknown))}")
    return options


def tell(run: Run, folder: Path) -> None:
    """What became of the cases of a format, and the first of each kind that went wrong."""
    most = ", ".join(f"{count} {name}" for name, count in run.outcomes.most_common(6))
    lines = [f"{run.format:<10} {run.cases:>7} cases, at most {run.peak_bytes >> 20} MiB: {most}"]
    kinds = Counter(finding.kind for finding in run.findings)
    for kind, count in kinds.items():
        first = next(finding for finding in run.findings if finding.kind == kind)
        path = keep(run, first, folder)
        lines.append(f"  --seed {run.seed}, case {first.number} and {count - 1} more: {first.what}\n    kept as {path}")
    print("\n".join(lines), flush=True)


def keep(run: Run, finding: Finding, folder: Path) -> Path:
    """The file that went wrong, and beside it what it is."""
    made = case(run.format, run.seed, finding.number)
    path = folder / f"{hashlib.sha256(made.content).hexdigest()[:16]}.{run.format}"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made.content)
    told = {"format": run.format, "seed": run.seed, "case": finding.number, "what": finding.what, "name": made.name}
    declared = made.format.model_dump(mode="json", exclude_defaults=True)
    path.with_suffix(path.suffix + ".json").write_text(json.dumps(told | {"declared": declared}, indent=1) + "\n")
    return path


def again(path: Path) -> int:
    """Read a kept case in this process."""
    told = json.loads(path.with_suffix(path.suffix + ".json").read_text())
    found = outcome(Case(path.read_bytes(), told["name"], Format.model_validate(told["declared"])))
    print(found)
    return 1 if found.startswith("!") else 0


if __name__ == "__main__":
    sys.exit(main())
