"""How an attempt's versions are cut into batches, and which attempts left documents that nobody will read."""

from collections.abc import Iterable

from waybill_contracts import FileRegistered

BATCH_VERSIONS = 20_000
MAX_BATCHES = 2_500
"""One message tells of all, of some 83 bytes each, beside 1,000 columns and 400,000 bytes of names of parts."""
MAX_STORED_REJECTS = 1_000
"""Rejects of an attempt that are kept in the database; all of them are in the output bucket."""

MAX_WARNED_LINES = 100
"""Lines of an attempt that are kept for each rule that only warns."""


def batch_size(versions: int) -> int:
    """Versions in a batch, so that a file has at most 2,500 batches."""
    return max(BATCH_VERSIONS, -(-versions // MAX_BATCHES))


def merge_runs(attempts: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as ranges (first, last)."""
    runs: list[tuple[int, int]] = []
    for attempt in attempts:
        if runs and runs[-1][1] == attempt - 1:
            runs[-1] = (runs[-1][0], attempt)
        else:
            runs.append((attempt, attempt))
    return runs


def rejects_key(file: FileRegistered, attempt: int) -> str:
    """Where the attempt's rejects lie in the output bucket."""
    return f"{file.dataset}/{file.file_id}/{attempt}/rejects.csv"


def repairs_key(file: FileRegistered, attempt: int) -> str:
    """Where the rows that were mended lie there, as they came."""
    return f"{file.dataset}/{file.file_id}/{attempt}/repairs.csv"
