"""Where a file stands: states move only forward by (attempt, rank), whatever order the events come in."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import UUID

from waybill_contracts import (
    FileFailed,
    FileHeld,
    FileLoaded,
    FileRefused,
    FileSkipped,
    Hold,
    Proposal,
    RecordsIngested,
    RowCounts,
)

State = Literal["REGISTERED", "HELD", "INGESTED", "LOADED", "SKIPPED", "REFUSED", "FAILED", "IGNORED"]
Ending = RecordsIngested | FileSkipped | FileHeld | FileRefused | FileFailed
Outcome = Ending | FileLoaded

FINAL: frozenset[State] = frozenset({"LOADED", "SKIPPED", "REFUSED", "FAILED"})
RETRIABLE: frozenset[State] = frozenset({"SKIPPED", "REFUSED", "FAILED"})
CHECKSUM_MODULUS = 1 << 128


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """First half of a waybill: what went into MongoDB."""

    attempt: int
    position: int
    sha256: str
    batches: int
    versions: int
    checksum: str
    format: dict[str, Any] | None = None
    """How the file was read; None: from before that was said."""
    repairs: dict[str, int] = field(default_factory=dict)
    """Rows that were taken mended, by what was mended."""
    entries: list[dict[str, Any]] = field(default_factory=list)
    """Files of archives, and what was read of each."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Second half of a waybill: what was found in the warehouse."""

    attempt: int
    position: int
    inserted: int
    updated: int
    deleted: int
    checksum: str


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a file stands. `base_attempt` is the attempt at its last registration: what it ended counts no more."""

    state: State
    attempt: int = 0
    rank: int = 0
    base_attempt: int = 0
    code: str | None = None
    reason: str | None = None
    rows: RowCounts | None = None
    holds: tuple[Hold, ...] = ()
    proposal: Proposal | None = None
    twin_file_id: UUID | None = None
    ingested: Ingested | None = None
    loaded: Loaded | None = None
    balanced: bool | None = None


def note(standing: Standing, event: Outcome) -> Standing:
    """The standing after an outcome; any order and repetition of the same outcomes ends in the same standing."""
    if event.attempt <= standing.base_attempt:
        return standing
    if isinstance(event, FileLoaded):
        return _settle(_keep_loaded(standing, event))
    if isinstance(event, FileHeld) and (standing.state, standing.attempt) == ("REFUSED", event.attempt):
        return replace(standing, rows=standing.rows or event.rows, holds=event.holds)
    if (event.attempt, _rank(event)) <= (standing.attempt, standing.rank):
        return standing
    return _settle(_end_attempt(standing, event))


def is_overtaken(event: FileHeld, registration: int) -> bool:
    """Whether the file was registered again since that attempt: the next one does not wait for a decision of it."""
    return event.registration < registration


def retry(standing: Standing, attempt: int) -> Standing | str:
    """The file registered once more, answering the attempt; or why it cannot be."""
    if standing.state not in RETRIABLE:
        return f"only a file that is FAILED, REFUSED or SKIPPED can be tried again; this one is {standing.state}"
    if attempt != standing.attempt:
        return f"the request answers attempt {attempt}, but the newest is {standing.attempt}"
    return Standing(state="REGISTERED", attempt=attempt, base_attempt=attempt, loaded=standing.loaded)


def faults(rows: RowCounts, ingested: Ingested, loaded: Loaded) -> list[str]:
    """What keeps a waybill from balancing: each row accounted for, and both stores hold the same versions."""
    found = []
    if not rows.is_balanced:
        found.append(f"{rows.read} rows were read, but their outcomes do not add up to that")
    for change in ("inserted", "updated", "deleted"):
        expected, actual = getattr(rows, change), getattr(loaded, change)
        if expected != actual:
            found.append(f"{change}: {expected} in MongoDB, {actual} in PostgreSQL")
    if ingested.versions != rows.inserted + rows.updated + rows.deleted:
        found.append(f"the batches hold {ingested.versions} versions, the counts say otherwise")
    if ingested.position != loaded.position:
        found.append(f"position {ingested.position} was ingested, {loaded.position} was loaded")
    if ingested.checksum != loaded.checksum:
        found.append("the checksums differ")
    return found


def _rank(event: Ending) -> int:
    """A file can be refused after it was held, by a decision about the same attempt."""
    return 2 if isinstance(event, FileRefused) else 1


def _end_attempt(standing: Standing, event: Ending) -> Standing:
    ended = Standing(
        state="INGESTED",
        attempt=event.attempt,
        rank=_rank(event),
        base_attempt=standing.base_attempt,
        loaded=standing.loaded,
    )
    match event:
        case RecordsIngested():
            return replace(ended, rows=event.rows, ingested=_first_half(event))
        case FileSkipped():
            return replace(ended, state="SKIPPED", reason="the same bytes as its twin", twin_file_id=event.twin_file_id)
        case FileFailed():
            return replace(ended, state="FAILED", code=event.code, reason=event.reason, rows=event.rows)
        case FileHeld(holds=holds):
            reasons = "; ".join(hold.reason for hold in holds)
            held = replace(ended, state="HELD", code=holds[0].code, reason=reasons, rows=event.rows)
            return replace(held, holds=holds, proposal=event.proposal)
        case FileRefused():
            refused = replace(ended, state="REFUSED", code=event.code, reason=event.reason, rows=event.rows)
            return _keep_holds(refused, standing)


def _keep_holds(refused: Standing, standing: Standing) -> Standing:
    """What a file was held for, and what its rows would have become, stays known when it is refused."""
    if (standing.state, standing.attempt) != ("HELD", refused.attempt):
        return refused
    return replace(refused, rows=refused.rows or standing.rows, holds=standing.holds)


def _first_half(event: RecordsIngested) -> Ingested:
    checksum = sum(int(batch.checksum, 16) for batch in event.batches) % CHECKSUM_MODULUS
    return Ingested(
        attempt=event.attempt,
        position=event.position,
        sha256=event.sha256,
        batches=len(event.batches),
        versions=sum(batch.version_count for batch in event.batches),
        checksum=f"{checksum:032x}",
        format=event.format.model_dump(mode="json", exclude_unset=True, exclude_none=True) if event.format else None,
        repairs={each.repair: each.rows for each in event.repairs},
        entries=[part.model_dump(mode="json") for part in event.parts if part.entry],
    )


def _keep_loaded(standing: Standing, event: FileLoaded) -> Standing:
    if standing.loaded and standing.loaded.attempt >= event.attempt:
        return standing
    rows = event.rows
    return replace(
        standing,
        loaded=Loaded(
            attempt=event.attempt,
            position=event.position,
            inserted=rows.inserted,
            updated=rows.updated,
            deleted=rows.deleted,
            checksum=event.checksum,
        ),
    )


def _settle(standing: Standing) -> Standing:
    """LOADED once both halves of the newest attempt are here and balance; where they do not, INGESTED with why."""
    rows, ingested, loaded = standing.rows, standing.ingested, standing.loaded
    if standing.state != "INGESTED" or not (rows and ingested and loaded) or loaded.attempt != standing.attempt:
        return standing
    found = faults(rows, ingested, loaded)
    if found:
        return replace(standing, reason=f"does not balance: {'; '.join(found)}", balanced=False)
    return replace(standing, state="LOADED", rank=2, balanced=True)
