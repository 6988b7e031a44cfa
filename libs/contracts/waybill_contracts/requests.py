"""Events of the topic `requests`: what operators and the reconciler ask of the service that owns a thing."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from waybill_contracts.declaration import Declaration, DeclaredTable
from waybill_contracts.event import Count, Remark, Request, Text
from waybill_contracts.format import Format


class RetryRequested(Request):
    """Try the file again; answers the attempt it names, and no later one."""

    type: ClassVar[str] = "waybill.retry-requested.v1"

    file_id: UUID
    attempt: Count
    as_declared_now: bool = False
    user: Remark
    reason: Remark | None = None

    @property
    def correlation_id(self) -> str | None:
        return str(self.file_id)


class DeclarationRequested(Request):
    """From now on the dataset's files mean this."""

    type: ClassVar[str] = "waybill.declaration-requested.v2"

    table: DeclaredTable

    declaration: Declaration
    user: Remark
    reason: Remark | None = None


class DecisionRequested(Request):
    """Release the held file, or refuse it; answers the attempt it names, and no later one."""

    type: ClassVar[str] = "waybill.decision-requested.v1"

    file_id: UUID
    attempt: Count
    decision: Literal["release", "refuse"]
    renames: dict[Text, Text] = Field(default_factory=dict)
    """Release: name in the file -> the declared column that it means from now on."""
    accept_columns: bool = False
    """Release: what the hold proposes is declared from now on."""
    format: Format | None = None
    """Release: files are read so from now on."""
    user: Remark
    reason: Remark | None = None

    @property
    def correlation_id(self) -> str | None:
        return str(self.file_id)
