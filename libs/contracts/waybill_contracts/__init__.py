"""The language that Waybill's services share: events, their codec, and the declaration of a dataset."""

from waybill_contracts.codec import (
    EVENTS,
    CodecError,
    Decoded,
    Message,
    Tombstone,
    UnknownType,
    UnknownVersion,
    Unreadable,
    decode,
    encode,
)
from waybill_contracts.column import Column
from waybill_contracts.declaration import Declaration, DeclarationError, Group, Guards, OrderBy, Partition, Rule
from waybill_contracts.declaration_yaml import dump_declaration, parse_declaration
from waybill_contracts.event import DatasetEvent, Event, FileEvent, Request, dataset_name, uuid7
from waybill_contracts.files import FileGone, FilePart, FileRegistered
from waybill_contracts.format import Format
from waybill_contracts.loads import FileLoaded
from waybill_contracts.records import (
    Batch,
    ColumnType,
    FileFailed,
    FileHeld,
    FileRefused,
    FileSkipped,
    Hold,
    PartCount,
    Proposal,
    RecordsIngested,
    RepairCount,
    RowCounts,
    RuleCount,
    Source,
)
from waybill_contracts.requests import DecisionRequested, DeclarationRequested, RetryRequested

__all__ = [
    "EVENTS",
    "Batch",
    "CodecError",
    "Column",
    "ColumnType",
    "DatasetEvent",
    "DecisionRequested",
    "Declaration",
    "DeclarationError",
    "DeclarationRequested",
    "Decoded",
    "Event",
    "FileEvent",
    "FileFailed",
    "FileGone",
    "FileHeld",
    "FileLoaded",
    "FilePart",
    "FileRefused",
    "FileRegistered",
    "FileSkipped",
    "Format",
    "Group",
    "Guards",
    "Hold",
    "Message",
    "OrderBy",
    "PartCount",
    "Partition",
    "Proposal",
    "RecordsIngested",
    "RepairCount",
    "Request",
    "RetryRequested",
    "RowCounts",
    "Rule",
    "RuleCount",
    "Source",
    "Tombstone",
    "UnknownType",
    "UnknownVersion",
    "Unreadable",
    "dataset_name",
    "decode",
    "dump_declaration",
    "encode",
    "parse_declaration",
    "uuid7",
]
