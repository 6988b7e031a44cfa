"""What the ingestor does on its own time: attempts at files, and sweeping up after dead ones."""

from ingestor.jobs.endings import announce_exhausted
from ingestor.jobs.ingest import ingest_next_file
from ingestor.jobs.sweep import sweep_dead_attempts

__all__ = ["announce_exhausted", "ingest_next_file", "sweep_dead_attempts"]
