"""Damaged files of every format, half a minute each: rows, rejects or a refusal with its reason, in bounded memory."""

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
watch.CASE_SECONDS = 1.0
run = watch.Run("csv", 1)
watch.Watcher(run, [sys.executable, sys.argv[1]]).watch(float(sys.argv[2]))
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
PROMPT_SECONDS = 4


def watched(folder: Path, seconds: float, wrong: str = "pass", leak: str = "pass") -> str:
    """What is said of a process whose cases go wrong like this."""
    program = folder / "child.py"
    program.write_text(CHILD.replace("WRONG", wrong).replace("LEAK", leak))
    command = [sys.executable, "-c", WATCH, str(program), str(seconds)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100).stdout


@pytest.mark.timeout(600)
def test_damaged_files_of_all_formats_break_no_reader(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seconds", str(SECONDS), "--seed", str(SEED), "--jobs", "2"]
    done = subprocess.run([*command, "--out", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def test_a_case_that_ends_the_process_is_found_and_the_others_go_on(tmp_path: Path) -> None:
    said = watched(tmp_path, PROMPT_SECONDS, "os.abort()")
    assert "3: the process died with -6" in said
    assert int(said.split()[0]) > 10


def test_a_case_that_never_ends_is_found(tmp_path: Path) -> None:
    assert "3: a case takes more than 1 s" in watched(tmp_path, 2 * PROMPT_SECONDS, "while True: pass")


def test_a_case_that_takes_too_much_memory_is_found(tmp_path: Path) -> None:
    assert "of memory, at most 1024" in watched(tmp_path, PROMPT_SECONDS, "held = b'x' * (1100 << 20); time.sleep(2)")


def test_memory_that_is_never_given_back_is_found(tmp_path: Path) -> None:
    assert "memory grew from" in watched(tmp_path, PROMPT_SECONDS, leak="kept.append(b'x' * (1 << 20))")


def test_an_exception_that_is_no_fault_of_a_file_is_found() -> None:
    code = "from tests.fuzz import child; child.read_whole = lambda case: 1 / 0; print(child.outcome(None))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("! ZeroDivisionError")


def test_the_same_seed_makes_the_same_files() -> None:
    code = "from tests.fuzz.cases import CASES, case; print([case(name, 7, 3).content for name in CASES])"
    command = [sys.executable, "-c", code]
    first, second = (subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout for _ in range(2))
    assert first == second
