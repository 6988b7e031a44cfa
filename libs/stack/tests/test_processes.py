"""Processes: ended with their children, measured with them, and never outliving who started them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from stack.processes import Process, first_dead
from stack.server import died

WITH_CHILD = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"])
"""
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)
PARENT = """
import sys, time
from pathlib import Path
from stack.processes import Process

sleep = "import time; print(1, flush=True); time.sleep(60)"
child = Process("child", [sys.executable, "-c", sleep], Path(sys.argv[1]))
child.start()
while not child.log_end():
    time.sleep(0.02)
child.pause()
print(child.pid, flush=True)
time.sleep(60)
"""


def _python(code: str, folder: Path) -> Process:
    return Process("worker", [sys.executable, "-c", code], folder / "worker.log")


def _wait(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_stop_ends_children_too(tmp_path: Path) -> None:
    process = _python(WITH_CHILD, tmp_path)
    process.start()
    _wait(process.log_end)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    assert process.usage().processes == 1 + len(children)

    process.stop()

    assert not process.is_running
    assert not any(child.is_running() for child in children)


def test_a_process_that_ignores_the_request_is_killed_after_the_timeout(tmp_path: Path) -> None:
    process = _python(STUBBORN, tmp_path)
    process.start()
    _wait(lambda: "deaf" in process.log_end())
    process.stop(timeout_seconds=0.3)
    assert process.exit_code == -signal.SIGKILL


def test_a_paused_process_stands_still_and_goes_on(tmp_path: Path) -> None:
    process = _python("import time\nwhile True: print('.', flush=True); time.sleep(0.01)", tmp_path)
    process.start()
    _wait(process.log_end)
    process.pause()
    _wait(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
    before = process.log.stat().st_size
    time.sleep(0.1)
    assert process.log.stat().st_size == before
    process.resume()
    _wait(lambda: process.log.stat().st_size > before)
    process.stop()


def test_one_that_dies_by_itself_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    process = _python("print('first', flush=True); raise SystemExit('the disk is full')", tmp_path)
    process.start()
    process.wait(10)
    assert first_dead([process]) is process
    assert "worker ended with exit code 1" in str(died(process))
    assert str(died(process)).endswith("the disk is full")


def test_nothing_outlives_a_killed_parent_even_when_it_was_paused(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "child.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        os.kill(parent.pid, signal.SIGKILL)
    _wait(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
