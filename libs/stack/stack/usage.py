"""CPU and memory of process trees: now, and at their highest over a while."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Usage:
    """What a process and its children have taken; a page that several share is counted once between them (PSS)."""

    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    processes: int = 0


def usage(pid: int) -> Usage:
    """CPU seconds so far, ended children included, and memory now; zeros when the process is gone."""
    try:
        top = psutil.Process(pid)
        tree = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return Usage()
    parts = [part for process in tree if (part := _own_usage(process))]
    return Usage(sum(cpu for cpu, _ in parts), sum(memory for _, memory in parts), len(parts))


class Meter:
    """Watches process trees inside its `with` block: CPU seconds used and highest memory of each, by name."""

    def __init__(self, pids: Mapping[str, int], every_seconds: float = 0.2) -> None:
        self._pids = dict(pids)
        self._every_seconds = every_seconds
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._before: dict[str, Usage] = {}
        self._after: dict[str, Usage] = {}
        self.peak_bytes: dict[str, int] = {}
        self.seconds = 0.0

    @property
    def cpu_seconds(self) -> dict[str, float]:
        """CPU seconds of each tree between the beginning and its last sample."""
        return {name: self._after[name].cpu_seconds - self._before[name].cpu_seconds for name in self._pids}

    def __enter__(self) -> "Meter":
        self._began = time.monotonic()
        self._before = {name: usage(pid) for name, pid in self._pids.items()}
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()
        self._look()
        self.seconds = time.monotonic() - self._began

    def _sample(self) -> None:
        while not self._done.wait(self._every_seconds):
            self._look()

    def _look(self) -> None:
        for name, pid in self._pids.items():
            now = usage(pid)
            if now.processes:
                self._after[name] = now
            self._after.setdefault(name, now)
            self.peak_bytes[name] = max(self.peak_bytes.get(name, 0), now.memory_bytes)


def _own_usage(process: psutil.Process) -> tuple[float, int] | None:
    try:
        with process.oneshot():
            times, resident = process.cpu_times(), process.memory_info().rss
    except psutil.NoSuchProcess:
        return None
    return times.user + times.system + times.children_user + times.children_system, _share(process.pid) or resident


def _share(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # ended meanwhile, or not ours to see
        return 0
    return next((int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0)
