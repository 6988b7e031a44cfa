"""A stack that goes on after the command that started it: one supervising process holds the folder and all servers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from stack.errors import StackError
from stack.processes import end_of
from stack.servers import holder, status

READY_SECONDS = 180.0
STOP_SECONDS = 15.0


def start(command: Sequence[str], folder: Path, timeout_seconds: float = READY_SECONDS) -> int:
    """Starts the supervising command apart from this terminal; returns its process id once its stack is ready."""
    log = folder / "logs/supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        own = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    deadline = time.monotonic() + timeout_seconds
    while True:
        now = status(folder)
        if now["ready"] and now["pid"] == own.pid:
            return own.pid
        if own.poll() is not None:
            raise StackError(f"the stack did not start:\n{end_of(log)}")
        if time.monotonic() > deadline:
            own.terminate()
            raise StackError(f"the stack is not ready after {timeout_seconds:.0f} s:\n{end_of(log)}")
        time.sleep(0.1)


def stop(folder: Path) -> bool:
    """Stops the stack of this folder, whoever started it; False when none runs. Killed when it does not end in time."""
    pid = holder(folder)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    if not _wait_until_free(folder, STOP_SECONDS):
        os.kill(pid, signal.SIGKILL)
        _wait_until_free(folder, STOP_SECONDS)
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=1)
    return True


def _wait_until_free(folder: Path, timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while holder(folder) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def supervisor_command(folder: Path, *options: str) -> list[str]:
    """The command that runs just the servers on this folder."""
    return [sys.executable, "-m", "stack", "up", "--folder", str(folder), *options]
