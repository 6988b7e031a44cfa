"""Room on the local disk: one folder a process, in it one an attempt; what a dead process left is removed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Workspaces:
    """This process's folder, held by a lock for as long as the process lives."""

    def __init__(self, base: Path) -> None:
        base.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(base)
        self.folder = Path(tempfile.mkdtemp(prefix="process-", dir=base))
        self._lock = _lock(self.folder)

    @classmethod
    @contextmanager
    def on(cls, base: Path) -> Iterator["Workspaces"]:
        """A folder below this one until the process ends."""
        workspaces = cls(base)
        try:
            yield workspaces
        finally:
            workspaces.close()

    @contextmanager
    def open(self, dataset: str, attempt: int) -> Iterator[Path]:
        """An empty folder of this attempt; gone when the attempt is over."""
        folder = self.folder / f"{dataset.replace('/', '.')}-{attempt}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.release()

    def release(self) -> None:
        """Hold the folder no more, as when the process ends."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock(folder: Path) -> int | None:
    """The locked descriptor; None where another process holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_abandoned(base: Path) -> None:
    for folder in base.glob("process-*"):
        try:
            lock = _lock(folder)
        except FileNotFoundError:
            continue
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
