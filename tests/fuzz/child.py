"""Runs cases one after the other and tells of each before it begins, so that somebody else sees which one was the last.

python -m tests.fuzz.child FORMAT SEED FIRST_CASE
"""

import resource
import sys
import traceback
import warnings
from pathlib import Path

import psutil

from tests.fuzz.cases import Case, case
from tests.fuzz.whole import read_whole

DATA_BYTES = 3 << 30
"""So much asked for at once is refused at once; what is really used is watched from outside."""
SAID_LINES = 6


def run(name: str, seed: int, first: int) -> None:
    """Until somebody ends it."""
    number = first
    while True:
        made = case(name, seed, number)
        print(f"begin {number} {len(made.content)}", flush=True)
        said = outcome(made)
        print(f"end {number} {psutil.Process().memory_info().rss} {said}", flush=True)
        number += 1


def outcome(made: Case) -> str:
    """What became of a case, in one line; an exception that is none of a file is told with its place."""
    try:
        return read_whole(made)
    except Exception as error:  # noqa: BLE001 (it is what is looked for)
        frames = traceback.extract_tb(error.__traceback__)[-SAID_LINES:]
        places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
        said = " ".join(str(error).split())[:300]
        return f"! {type(error).__name__}: {said} ({places})"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))
    run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
