"""One real server: prepared, started, and ready only when it answers."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from stack.errors import ServerDied, StackError
from stack.processes import Process

READY_SECONDS = 120.0  # seconds on a quiet machine; a busy one may take long


@dataclass
class Server(Process):
    """A process that first needs its data prepared and then time until it answers."""

    prepare: Callable[[], None] = lambda: None
    # True once the server answers as its clients need it; an OSError or False means: not yet.
    answers: Callable[[], bool] = lambda: True

    def start(self) -> None:
        """Starts the server on its port and its data, and returns when it answers."""
        self.prepare()
        super().start()
        self.wait_until_ready()

    def wait_until_ready(self, timeout_seconds: float = READY_SECONDS) -> None:
        """Returns when the server answers; raises, with the end of its log, when it ends or never does."""
        deadline = time.monotonic() + timeout_seconds
        while not self._answers():
            if not self.is_running:
                raise died(self)
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} does not answer after {timeout_seconds:.0f} s\n{_log_of(self)}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return self.answers()
        except OSError:
            return False


def died(process: Process) -> ServerDied:
    """The error that names a process which ended by itself, with how it ended and the end of its log."""
    code = process.exit_code
    how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
    return ServerDied(f"{process.name} {how}\n{_log_of(process)}")


def _log_of(process: Process) -> str:
    return f"the end of {process.log}:\n{process.log_end()}"
