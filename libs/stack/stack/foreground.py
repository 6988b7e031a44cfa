"""Runs until somebody asks it to stop or something it needs has died."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(BaseException):
    """Somebody asked this process to end; passes through everything that catches errors."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Inside, the first SIGINT or SIGTERM raises Stopped, which ends the block; further ones are ignored meanwhile."""

    def stop(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        raise Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Stopped:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def watch(check: Callable[[], None], every_seconds: float = 0.2) -> None:
    """Calls `check` for ever; it ends by what `check` raises, or by Stopped."""
    nothing = threading.Event()
    while not nothing.wait(every_seconds):
        check()
