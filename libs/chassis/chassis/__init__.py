"""What every service rides on: transactions, outbox, jobs, consumers, health, telemetry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chassis.app import run
    from chassis.database import Pool, Tx, open_pool
    from chassis.errors import AlreadyHandled, Fenced, NotNow, Unprocessable
    from chassis.jobs import WAITING, Job, JobKind, JobRow, end_waiting, find_job, lock_lane, put_job
    from chassis.messaging import emit, once
    from chassis.names import Names
    from chassis.service import Service
    from chassis.telemetry import stage

__all__ = [
    "WAITING",
    "AlreadyHandled",
    "Fenced",
    "Job",
    "JobKind",
    "JobRow",
    "Names",
    "NotNow",
    "Pool",
    "Service",
    "Tx",
    "Unprocessable",
    "emit",
    "end_waiting",
    "find_job",
    "lock_lane",
    "once",
    "open_pool",
    "put_job",
    "run",
    "stage",
]

_HOMES = {
    "WAITING": "chassis.jobs",
    "AlreadyHandled": "chassis.errors",
    "Fenced": "chassis.errors",
    "Job": "chassis.jobs",
    "JobKind": "chassis.jobs",
    "JobRow": "chassis.jobs",
    "Names": "chassis.names",
    "NotNow": "chassis.errors",
    "Pool": "chassis.database",
    "Service": "chassis.service",
    "Tx": "chassis.database",
    "Unprocessable": "chassis.errors",
    "emit": "chassis.messaging",
    "end_waiting": "chassis.jobs",
    "find_job": "chassis.jobs",
    "lock_lane": "chassis.jobs",
    "once": "chassis.messaging",
    "open_pool": "chassis.database",
    "put_job": "chassis.jobs",
    "run": "chassis.app",
    "stage": "chassis.telemetry",
}


def __getattr__(name: str) -> Any:
    """Imported when first asked for: the command line needs the settings, but neither broker nor telemetry."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
