"""What the loader is told."""

from typing import ClassVar

from chassis import settings


class Settings(settings.Settings):
    """The common settings; the document store is required."""

    requires: ClassVar[tuple[str, ...]] = ("mongo",)

    @property
    def dsn(self) -> str:
        """Where the service's own schema lives: in the warehouse that it loads."""
        return self.warehouse_dsn
