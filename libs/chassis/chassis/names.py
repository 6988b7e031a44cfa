"""How things are called in an installation: the namespace is the first word of every shared name (conventions.md 5)."""

import re
from dataclasses import dataclass

DEFAULT_NAMESPACE = "waybill"
NAMESPACE_PATTERN = re.compile(r"^[a-z][a-z0-9]{0,15}$")


@dataclass(frozen=True)
class Names:
    """Names of topics, groups, schemas, collections and roles in one namespace."""

    namespace: str = DEFAULT_NAMESPACE

    def __post_init__(self) -> None:
        if not NAMESPACE_PATTERN.match(self.namespace):
            raise ValueError("namespace: expected 1 to 16 lower-case letters and digits, beginning with a letter")

    def topic(self, noun: str) -> str:
        return f"{self.namespace}.{noun}"

    def dead_letters(self, service: str) -> str:
        return f"{self.namespace}.{service}.dead-letters"

    def group(self, service: str, purpose: str | None = None) -> str:
        return ".".join(filter(None, (self.namespace, service, purpose)))

    def schema(self, service: str) -> str:
        return f"{self.namespace}_{service}"

    @property
    def mongo_database(self) -> str:
        return self.namespace

    def collection(self, organisation: str, table: str) -> str:
        return f"raw_{organisation}_{table}"

    def current_schema(self, organisation: str) -> str:
        """Schema of the organisation's current rows and history views."""
        return self._warehouse(f"orgdata_{_underscored(organisation)}")

    def log_schema(self, organisation: str) -> str:
        """Schema of the organisation's logs."""
        return self._warehouse(f"orglog_{_underscored(organisation)}")

    def reader_role(self, organisation: str) -> str:
        return f"{self.current_schema(organisation)}_reader"

    def _warehouse(self, name: str) -> str:
        return name if self.namespace == DEFAULT_NAMESPACE else f"{self.namespace}_{name}"


def _underscored(organisation: str) -> str:
    # Organisations have no underscore, so this is injective.
    return organisation.replace("-", "_")
