"""What the ingestor can be told."""

import tempfile
from pathlib import Path
from typing import ClassVar

from chassis import settings
from pydantic import Field


class Settings(settings.Settings):
    """The ingestor's own settings beside those of every service."""

    requires: ClassVar[tuple[str, ...]] = ("mongo", "s3")

    mongo: settings.Mongo
    s3: settings.S3
    http: settings.Http = settings.Http(port=8402)
    spool: Path = Field(default_factory=lambda: Path(tempfile.gettempdir()) / "waybill-ingestor")
    """Folder on the local disk for files in work; at times it holds about three times their size."""
    attempt_sweep_seconds: float = Field(default=3600, gt=0)
    """How often documents of dead attempts are removed."""
