"""What is being done now, a line for each part: living lines on a terminal, plain ones elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from rich.console import Console
from rich.progress import Progress as RichProgress
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

REPEAT_SECONDS = 10.0


class Progress:
    """Tells a person how far each named part is; safe to call from several threads."""

    def say(self, part: str, what: str) -> None:
        """`part` is now doing `what`."""

    def done(self, part: str, what: str) -> None:
        """`part` is finished."""


class PlainProgress(Progress):
    """A line when a part begins or ends, and one every ten seconds for a part that keeps counting."""

    def __init__(self, out: IO[str] | None = None) -> None:
        self._out = out or sys.stderr
        self._lock = threading.Lock()
        self._last: dict[str, tuple[str, float]] = {}

    def say(self, part: str, what: str) -> None:
        """A line, unless it only counts on from one written a moment ago."""
        doing, now = what.split(":")[0], time.monotonic()
        with self._lock:
            before, at = self._last.get(part, ("", 0.0))
            if doing != before or now - at >= REPEAT_SECONDS:
                self._last[part] = (doing, now)
                self._write(part, what)

    def done(self, part: str, what: str) -> None:
        """Always a line."""
        with self._lock:
            self._write(part, what)

    def _write(self, part: str, what: str) -> None:
        self._out.write(f"{part:<12} {what}\n")
        self._out.flush()


class LivingProgress(Progress):
    """One line a part, with a spinner and its time."""

    def __init__(self, rich: RichProgress) -> None:
        self._rich = rich
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}

    def say(self, part: str, what: str) -> None:
        """The part's line now reads `what`."""
        with self._lock:
            if part not in self._tasks:
                self._tasks[part] = self._rich.add_task(part, total=1, what=what)
        self._rich.update(self._tasks[part], what=what)

    def done(self, part: str, what: str) -> None:
        """The part's spinner and clock stop."""
        self.say(part, what)
        self._rich.update(self._tasks[part], completed=1)


@contextmanager
def shown() -> Iterator[Progress]:
    """Progress on standard error, in the form that fits where it goes."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield PlainProgress()
        return
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description:<12} {task.fields[what]}"))
    with RichProgress(*columns, TimeElapsedColumn(), console=console) as rich:
        yield LivingProgress(rich)
