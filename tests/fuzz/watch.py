"""Watches a process that runs cases: whether it dies, hangs, or takes memory that it does not give back."""

import contextlib
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
CASE_SECONDS = 10.0
"""Of processor time, so that a busy machine is no fault of a reader; ten times as long by the clock."""
MOST_BYTES = 1 << 30
"""Of the process and all that it started: the longest record there may be, 16 MiB of quotes alone, takes 800 MB."""
WARM_CASES = 100
MOST_GROWTH = 150 << 20
START_SECONDS = 120
DIED = "the process died"


@dataclass(frozen=True)
class Finding:
    """A case that went wrong."""

    number: int
    what: str

    @property
    def kind(self) -> str:
        """The same for all that went wrong at the same place; else what is said, whatever the numbers."""
        exception, _, place = self.what.partition("(")
        return f"{exception.partition(':')[0]} {place}" if place else re.sub(r"\d+", "0", self.what)


@dataclass
class Run:
    """What became of the cases of one format."""

    format: str
    seed: int
    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    peak_bytes: int = 0


class Watcher:
    """One process at a time; where it is ended, the next goes on with the next case."""

    def __init__(self, run: Run, program: Sequence[str] = (sys.executable, "-m", "tests.fuzz.child")) -> None:
        self.run = run
        self._program = program
        self._next = 0
        self._kept: list[int] = []
        """Bytes of memory that the process had after each of its cases."""
        self._buffer = b""

    def watch(self, seconds: float) -> None:
        """For so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._watch_one(deadline)

    def _watch_one(self, deadline: float) -> None:
        command = [*self._program, self.run.format, str(self.run.seed), str(self._next)]
        self._buffer, self._kept = b"", []
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=said, start_new_session=True)
            try:
                what = self._until_something(process, deadline)
            finally:
                # The session is of our own making: the process and those that it started to read for it.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if what == DIED:
                said.seek(0)
                what = f"{DIED} with {process.returncode}: " + " | ".join(said.read().decode().splitlines()[-4:])
        if what and not self.run.cases:
            raise RuntimeError(f"{self.run.format}: not one case could be run: {what}")
        if what:
            self.run.findings.append(Finding(self._next, what))
            self._next += 1

    def _until_something(self, process: "subprocess.Popen[bytes]", deadline: float) -> str:
        """What went wrong; empty at the deadline."""
        assert process.stdout
        shown = psutil.Process(process.pid)
        begun, used = time.monotonic() + START_SECONDS, 0.0
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while time.monotonic() < deadline:
                if selector.select(0.2):
                    data = os.read(process.stdout.fileno(), 1 << 16)
                    if not data:
                        process.wait(10)
                        return DIED
                    self._take(data)
                    begun, used = time.monotonic(), cpu_seconds(shown)
                wrong = self._memory(shown)
                if wrong:
                    return wrong
                spent = time.monotonic() - begun
                if spent > CASE_SECONDS and (cpu_seconds(shown) - used > CASE_SECONDS or spent > 10 * CASE_SECONDS):
                    return f"a case takes more than {CASE_SECONDS:.0f} s"
        return ""

    def _take(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if line.startswith(b"end "):
                _, number, resident, outcome = line.decode(errors="replace").split(" ", 3)
                self._ended(int(number), int(resident), outcome)

    def _ended(self, number: int, resident: int, outcome: str) -> None:
        self._next = number + 1
        self.run.cases += 1
        self._kept.append(resident)
        if outcome.startswith("!"):
            self.run.findings.append(Finding(number, outcome))
        self.run.outcomes["exception" if outcome.startswith("!") else outcome] += 1

    def _memory(self, shown: psutil.Process) -> str:
        together = resident_bytes(shown)
        self.run.peak_bytes = max(self.run.peak_bytes, together)
        if together > MOST_BYTES:
            return f"{together >> 20} MiB of memory, at most {MOST_BYTES >> 20}"
        if len(self._kept) >= 2 * WARM_CASES:
            # What one case takes is given back, if only hundreds of cases later; what all leave behind is not.
            first, last = min(self._kept[:WARM_CASES]), min(self._kept[len(self._kept) // 2 :])
            if last - first > MOST_GROWTH:
                return f"memory grew from {first >> 20} to {last >> 20} MiB in {len(self._kept)} cases"
        return ""


def cpu_seconds(process: psutil.Process) -> float:
    """Of the process and those that it waits for."""
    try:
        times = process.cpu_times()
        together = times.user + times.system + times.children_user + times.children_system
        return together + sum(sum(child.cpu_times()[:2]) for child in process.children(recursive=True))
    except psutil.Error:
        return 0.0


def resident_bytes(process: psutil.Process) -> int:
    """Of the process and those that it started."""
    try:
        return sum(each.memory_info().rss for each in [process, *process.children(recursive=True)])
    except psutil.Error:
        return 0
