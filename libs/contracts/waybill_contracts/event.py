"""What every event is: a frozen model with a versioned type, a topic, a key and an id that repeats with its cause."""

import os
import time
from abc import abstractmethod
from typing import Annotated, ClassVar, Self
from uuid import UUID, uuid5

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

EVENT_NAMESPACE = UUID("5a0f6c1e-7b1d-5c7e-9d0a-3b8f4e2c6a91")
"""Namespace of all event ids (UUIDv5); fixed for ever."""

ORGANISATION_PATTERN = r"^[a-z][a-z0-9-]{0,30}$"
TABLE_PATTERN = r"^[a-z][a-z0-9_]{0,40}$"

MAX_INTEGER = 2**63 - 1
MAX_REMARK = 2000

Organisation = Annotated[str, Field(pattern=ORGANISATION_PATTERN)]
Table = Annotated[str, Field(pattern=TABLE_PATTERN)]
Ordinal = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
"""1, 2, 3… as a 64-bit column holds it."""
Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
"""Text that PostgreSQL can hold: without U+0000."""


def _fit_remark(value: object) -> object:
    return value.replace("\0", "\ufffd")[:MAX_REMARK] if isinstance(value, str) else value


Remark = Annotated[Text, BeforeValidator(_fit_remark)]
"""What a person or an error said: cut and cleaned, never a reason to lose the event that carries it."""


def uuid7() -> UUID:
    """A new UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62)


def dataset_name(organisation: str, table: str) -> str:
    """`acme/orders`: how a dataset is written everywhere."""
    return f"{organisation}/{table}"


class Event(BaseModel):
    """Something that happened, or that somebody asks for; sent to `topic` under `key`."""

    # Producers may not invent fields; the codec reads with extra="ignore", so readers tolerate newer writers.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    type: ClassVar[str]
    """ce_type: `waybill.<noun-participle>.v<n>`."""
    topic: ClassVar[str]
    """Topic without the installation's first word: `files` for `waybill.files`."""

    @property
    @abstractmethod
    def message_key(self) -> str:
        """Key of the Kafka message; events of one key keep their order."""

    @property
    @abstractmethod
    def id(self) -> UUID:
        """The same for every repeat of the same event."""

    @property
    def subject(self) -> str:
        """ce_subject."""
        return self.message_key

    @property
    def correlation_id(self) -> str | None:
        """The id of the file that the event is about; None where it is about none."""
        return None

    @classmethod
    def natural_id(cls, *parts: object) -> UUID:
        """UUIDv5 of `<type without version>:<part>:<part>…`."""
        return uuid5(EVENT_NAMESPACE, ":".join([cls.type.rsplit(".v", 1)[0], *map(str, parts)]))


class DatasetEvent(Event):
    """An event of one dataset; its key is `organisation/table`."""

    organisation: Organisation
    table: Table

    @property
    def message_key(self) -> str:
        return self.dataset

    @property
    def dataset(self) -> str:
        return dataset_name(self.organisation, self.table)


class FileEvent(DatasetEvent):
    """An event of one file; the file's id correlates everything that is said of it."""

    file_id: UUID

    @property
    def correlation_id(self) -> str | None:
        return str(self.file_id)


class Request(DatasetEvent):
    """Something an operator or the reconciler asks for; each has an id of its own, kept in ce_id."""

    topic: ClassVar[str] = "requests"
    _id: UUID = PrivateAttr(default_factory=uuid7)

    @property
    def id(self) -> UUID:
        return self._id

    def with_id(self, id: UUID) -> Self:
        """The same request under the id it was sent with."""
        sent = self.model_copy()
        sent._id = id
        return sent
