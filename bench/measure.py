"""CPU seconds and peak memory of process trees."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from stack.processes import Process

EVERY_SECONDS = 0.2


class Meter:
    """Watches process trees; memory is their highest sum of resident bytes, sampled."""

    def __init__(self, processes: Mapping[str, Process]) -> None:
        self._processes = dict(processes)
        self._peaks: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "Meter":
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    @contextmanager
    def measured(self) -> Iterator[dict[str, Any]]:
        """Fills the dict it yields when the block ends."""
        figures: dict[str, Any] = {}
        self._peaks = {}
        before = {name: process.usage().cpu_seconds for name, process in self._processes.items()}
        yield figures
        after = {name: process.usage().cpu_seconds for name, process in self._processes.items()}
        figures["cpu_seconds"] = {name: round(after[name] - before[name], 2) for name in after}
        figures["peak_megabytes"] = {name: round(peak / 1e6) for name, peak in self._peaks.items()}

    def _sample(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            for name, process in self._processes.items():
                self._peaks[name] = max(self._peaks.get(name, 0), process.usage().memory_bytes)
