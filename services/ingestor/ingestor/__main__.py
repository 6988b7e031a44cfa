"""`python -m ingestor` starts the service."""

import ctypes
import os
from contextlib import suppress

# Read once, when the libraries are loaded: threads that hold memory, and how long freed memory is kept.
_LIMITS = {
    "POLARS_MAX_THREADS": "2",
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:200,muzzy_decay_ms:0,narenas:2",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
# glibc's names and numbers: arenas at most, and the size from which memory goes back to the system when it is freed.
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3


def start() -> None:
    """Serve until told to stop."""
    for name, value in _LIMITS.items():
        os.environ.setdefault(name, value)
    with suppress(AttributeError):  # another C library
        allocator = ctypes.CDLL(None)
        allocator.mallopt(M_ARENA_MAX, 2)
        allocator.mallopt(M_MMAP_THRESHOLD, 1 << 20)

    from chassis.app import start as start_service

    from ingestor.main import main

    start_service(main)


if __name__ == "__main__":
    start()
