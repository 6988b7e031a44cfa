"""Events of the topic `requests`: what operators and the reconciler ask of the service that owns a thing."""

from typing import ClassVar
from uuid import UUID

from waybill_contracts.declaration import Declaration
from waybill_contracts.event import Count, Remark, Request


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

    type: ClassVar[str] = "waybill.declaration-requested.v1"

    declaration: Declaration
    user: Remark
    reason: Remark | None = None
