"""What the registry can be told."""

from typing import ClassVar

from chassis import settings
from pydantic import Field


class Settings(settings.Settings):
    """The registry's own settings beside those of every service."""

    requires: ClassVar[tuple[str, ...]] = ("s3",)
    s3: settings.S3

    sweep_seconds: float = Field(default=60, gt=0)
    """Pause between two sweeps of the bucket."""
    sweep_grace_seconds: float = Field(default=10, ge=0)
    """Age from which a drop that no notification told of is missed."""
    announce_again_seconds: float = Field(default=300, gt=0)
    """Age from which a registration without an outcome is announced again."""
    infer: bool = True
    """Files of a dataset that nobody declared are taken in: columns and key are found in the first of them."""

    @property
    def notification_target(self) -> str:
        """The object store's name for the topic of its notifications."""
        return f"arn:minio:sqs::{self.namespace.upper()}:kafka"
