"""Processes under control: started with a log, watched, measured, stopped with all their children."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from stack.errors import StackError
from stack.usage import Usage, usage

LAUNCH = Path(__file__).with_name("launch.py")
# The kernel ties 'dies with its parent' to the thread that started the child, so one thread that never ends starts all.
_STARTER = ThreadPoolExecutor(1, thread_name_prefix="starter")


@dataclass
class Process:
    """One program with its log; ends, at the latest, when this process ends."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    user_id: int | None = None
    stop_signal: int = signal.SIGTERM
    popen: subprocess.Popen[bytes] | None = None
    wanted: bool = False

    @property
    def pid(self) -> int:
        """The process's id; raises when it was never started."""
        if self.popen is None:
            raise StackError(f"{self.name} was not started")
        return self.popen.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs or before it was started."""
        return self.popen.poll() if self.popen else None

    @property
    def is_running(self) -> bool:
        """Started and not ended."""
        return self.popen is not None and self.popen.poll() is None

    def start(self) -> None:
        """Starts the program; its output is appended to the log."""
        if self.is_running:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        user = "" if self.user_id is None else str(self.user_id)
        launch = [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), user, *self.command]
        with self.log.open("ab") as log:
            self.popen = _STARTER.submit(
                subprocess.Popen,
                launch,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                start_new_session=True,
            ).result()
        self.wanted = True

    def stop(self, timeout_seconds: float = 8.0) -> None:
        """Asks it to end, and kills what is left after the timeout."""
        self.wanted = False
        if self.is_running:
            tree = self._tree()
            self._send(signal.SIGCONT, tree)
            self._send(self.stop_signal, tree[:1])
            psutil.wait_procs(tree[:1], timeout=timeout_seconds)
            self._end(tree)  # children of a parent that has ended have nobody left to work for

    def kill(self) -> None:
        """Ends it and its children at once, without a chance to tidy up."""
        self.wanted = False
        if self.is_running:
            self._end(self._tree())

    def pause(self) -> None:
        """Stops it in its tracks (SIGSTOP), children too."""
        self._send(signal.SIGSTOP, self._tree())

    def resume(self) -> None:
        """Lets it go on after `pause`."""
        self._send(signal.SIGCONT, self._tree())

    def wait(self, timeout_seconds: float) -> int:
        """Its exit code, once it has ended."""
        if self.popen is None:
            raise StackError(f"{self.name} was not started")
        return self.popen.wait(timeout_seconds)

    def usage(self) -> Usage:
        """CPU seconds so far (ended children included) and memory now, of the whole tree."""
        return usage(self.pid) if self.is_running else Usage()

    def log_end(self, lines: int = 20) -> str:
        """The last lines of its log."""
        return end_of(self.log, lines)

    def _tree(self) -> list[psutil.Process]:
        try:
            top = psutil.Process(self.pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    @staticmethod
    def _send(number: int, tree: list[psutil.Process]) -> None:
        for process in tree:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue

    def _end(self, tree: list[psutil.Process]) -> None:
        self._send(signal.SIGKILL, tree)
        assert self.popen is not None
        self.popen.wait(5)
        psutil.wait_procs(tree, timeout=5)


def service(name: str, environment: Mapping[str, str], logs: Path, instance: str = "") -> Process:
    """A Waybill service: `python -m NAME`, its log `logs/NAME.log`; several of one kind differ by instance."""
    full = f"{name}-{instance}" if instance else name
    own = {"PYTHONUNBUFFERED": "1", "OTEL_SERVICE_NAME": name, "WAYBILL_INSTANCE": full}
    return Process(full, [sys.executable, "-m", name], logs / f"{full}.log", {**own, **environment})


def end_of(log: Path, lines: int = 20) -> str:
    """The last lines of a log; nothing when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as content:
        content.seek(max(0, content.seek(0, os.SEEK_END) - 16_384))
        return "\n".join(content.read().decode(errors="replace").splitlines()[-lines:])


def stop_all(processes: Sequence[Process], timeout_seconds: float = 8.0) -> None:
    """Stops all at the same time, so that the slowest one sets the time."""
    with ThreadPoolExecutor(max(1, len(processes))) as pool:
        list(pool.map(lambda process: process.stop(timeout_seconds), processes))


def first_dead(processes: Sequence[Process]) -> Process | None:
    """A process that ended although nobody asked it to."""
    return next((process for process in processes if process.wanted and not process.is_running), None)


def wait_until_one_dies(processes: Sequence[Process], poll_seconds: float = 0.2) -> Process:
    """Blocks while all run; returns the first that ended by itself."""
    while (dead := first_dead(processes)) is None:
        time.sleep(poll_seconds)
    return dead
