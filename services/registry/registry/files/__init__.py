"""The bucket, and what stands in its objects."""

from registry.files.bucket import Files

__all__ = ["Files"]
