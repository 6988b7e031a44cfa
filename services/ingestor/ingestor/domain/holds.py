"""Why a file is not taken as it is: held for a person's decision, or refused by policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from waybill_contracts import Proposal, RowCounts

LATE = "late"
REJECT_SHARE = "reject_share"
TYPE_CHANGED = "type_changed"
DELETE_SHARE = "delete_share"
KEYLESS_REJECTS = "keyless_rejects"
COLUMNS_ADDED = "columns_added"
COLUMNS_MISSING = "columns_missing"
UNDECLARED = "undeclared"
DIALECT = "dialect"
NARROWED_TYPE = "narrowed_type"
NOT_ITS_FILE = "not_its_file"
NOT_NEWEST = "not_newest"


@dataclass(frozen=True)
class Reason:
    """One reason to hold a file: a stable code, a sentence, and the facts to decide by."""

    code: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Absent:
    """Live records that a snapshot speaks for: how many, how many of them are not in it, and the keys of a few."""

    live: int = 0
    count: int = 0
    first_keys: tuple[str, ...] = ()


class Held(Exception):
    """The file waits for a decision; nothing of it is written."""

    def __init__(
        self,
        reasons: Sequence[Reason],
        *,
        rows: RowCounts | None = None,
        proposal: Proposal | None = None,
        decided_by: str | None = None,
        blocks: bool = True,
    ) -> None:
        super().__init__("; ".join(reason.text for reason in reasons))
        self.reasons = tuple(reasons)
        self.rows = rows
        self.proposal = proposal
        self.decided_by = decided_by
        self.blocks = blocks


class Refused(Exception):
    """The declaration says that such a file is not taken."""

    def __init__(self, code: str, text: str, rows: RowCounts | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.rows = rows
