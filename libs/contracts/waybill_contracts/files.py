"""Events of the topic `files`: what the registry says of objects in the bucket."""

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from waybill_contracts.declaration import Declaration
from waybill_contracts.event import Count, FileEvent, Ordinal, Remark, Text


class FilePart(BaseModel):
    """One of the files of a delivery."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file_id: UUID
    object_key: Text
    version_id: Text
    size: Count


class FileRegistered(FileEvent):
    """A version of an object is to be taken in as arrival n of its dataset, under this declaration."""

    type: ClassVar[str] = "waybill.file-registered.v2"
    topic: ClassVar[str] = "files"

    arrival: Ordinal
    registration: Ordinal
    cause: Text
    """new, repeat, retry or release; readers tolerate others."""
    bucket: Text
    object_key: Text
    version_id: Text
    size: Count
    etag: Text
    last_modified: AwareDatetime
    found_by: Text
    """notification or sweep."""
    user: Remark | None = None
    reason: Remark | None = None
    late: bool = False
    order: Text | None = None
    """The order value that the object's name gives."""
    partition: Text | None = None
    """The part of the dataset that the object's key says it speaks for."""
    corrects: UUID | None = None
    """The file whose rejects these rows replace; order and partition are that file's."""
    removes: UUID | None = None
    """The file whose object was removed; there is nothing to read, its records end."""
    parts: tuple[FilePart, ...] = ()
    """The files of a delivery, in the order they are read; the object itself is its marker or manifest."""
    accepted: tuple[Text, ...] = ()
    """Codes of holds that were decided: the file is not held for them again."""
    declaration: Declaration
    declaration_version: Ordinal | None = None

    @property
    def id(self) -> UUID:
        return self.natural_id(self.file_id, self.registration)


class FileGone(FileEvent):
    """The object's version is no longer the newest (deleted) or can no longer be read (gone)."""

    type: ClassVar[str] = "waybill.file-gone.v1"
    topic: ClassVar[str] = "files"

    presence: Text
    """deleted (behind a delete marker) or gone (the version itself is removed)."""

    @property
    def id(self) -> UUID:
        return self.natural_id(self.file_id, self.presence)
