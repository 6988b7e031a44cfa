"""Damaged files of every format, half a minute each: rows, rejects or a refusal with its reason, in bounded memory."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SECONDS = 30
SEED = 5

WATCH = """
import sys
from tests.fuzz import watch
watch.CASE_SECONDS, watch.MOST_BYTES = float(sys.argv[2]), int(sys.argv[3]) << 20
run = watch.Run("csv", 1)
watcher = watch.Watcher(run, [sys.executable, sys.argv[1]])
for _ in range(10):
    watcher.watch(4)
    if run.findings and run.cases > 10:
        break
print(run.cases, *(f"{finding.number}: {finding.what}" for finding in run.findings), sep="\\n")
"""
CHILD = """
import os, sys, time
number, kept = int(sys.argv[3]), []
while True:
    print(f"begin {number} 1", flush=True)
    if number == 3:
        WRONG
    time.sleep(0.001)
    LEAK
    resident = int(open("/proc/self/statm").read().split()[1]) * 4096
    print(f"end {number} {resident} read", flush=True)
    number += 1
"""


def watched(folder: Path, wrong: str = "pass", leak: str = "pass", case_seconds: int = 30, most: int = 1024) -> str:
    """What is said of a process whose cases go wrong like this, at most after 40 seconds."""
    program = folder / "child.py"
    program.write_text(CHILD.replace("WRONG", wrong).replace("LEAK", leak))
    command = [sys.executable, "-c", WATCH, str(program), str(case_seconds), str(most)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100).stdout


@pytest.mark.timeout(600)
def test_damaged_files_of_all_formats_break_no_reader(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", str(SECONDS), "--seed", str(SEED), "--jobs", "2"]
    done = subprocess.run([*command, "--out", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def test_a_case_that_ends_the_process_is_found_and_the_others_go_on(tmp_path: Path) -> None:
    said = watched(tmp_path, "os.abort()")
    assert "3: the process died with -6" in said
    assert int(said.split()[0]) > 10


def test_a_case_that_never_ends_is_found(tmp_path: Path) -> None:
    assert "3: a case takes more than 1 s" in watched(tmp_path, "while True: pass", case_seconds=1)


def test_a_case_that_takes_too_much_memory_is_found(tmp_path: Path) -> None:
    said = watched(tmp_path, "held = b'x' * (300 << 20); time.sleep(20)", most=200)
    assert re.search(r"^3: \d+ MiB of memory, at most 200", said, re.M), said


def test_memory_that_is_never_given_back_is_found(tmp_path: Path) -> None:
    assert "memory grew from" in watched(tmp_path, leak="kept.append(b'x' * (1 << 20))")


def test_an_exception_that_is_no_fault_of_a_file_is_found() -> None:
    code = "from tests.fuzz import child; child.read_whole = lambda case: 1 / 0; print(child.outcome(None))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("! ZeroDivisionError")


def test_the_same_seed_makes_the_same_files() -> None:
    code = "from tests.fuzz.cases import CASES, case; print([case(name, 7, 3).content for name in CASES])"
    command = [sys.executable, "-c", code]
    first, second = (subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout for _ in range(2))
    assert first == second
