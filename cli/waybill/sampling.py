"""What a declaration would make of a data file, as the first of its dataset; nothing needs to run.

The rows go the ingestor's own way: before its dataset's first position an attempt asks no server anything.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from chassis import Job
from ingestor.domain.drift import likely_renames
from ingestor.domain.holds import Held, Refused
from ingestor.domain.registration import Dataset
from ingestor.files.parts import Part
from ingestor.jobs.attempt import Attempt, Known, Stores, attempt_in
from ingestor.jobs.comparing import Changes
from ingestor.jobs.ingest import guard, read_and_compare
from ingestor.jobs.recognising import recognise_parts
from ingestor.jobs.unpacking import unpack
from ingestor.jobs.writing import cut
from records.columns import canonical
from records.errors import FileFault
from records.header import match
from records.infer import examine
from records.order import file_order
from records.proposals import with_proposal
from waybill_contracts import Declaration, DeclarationError, Proposal, RowCounts, uuid7

from waybill.inferring import table_of

SHOWN_ROWS = 5
SHOWN_REJECTS = 20
NO_SERVERS = cast(Stores, None)


@dataclass
class Trial:
    """What would become of a file, and what it is like."""

    file: str
    declaration: Declaration
    """Under which the rows were read: with what is found in the file or proposed because of it."""
    outcome: str = "LOADED"
    reasons: list[dict[str, str]] = field(default_factory=list)
    """Why it would not be loaded."""
    remarks: list[str] = field(default_factory=list)
    format: dict[str, Any] = field(default_factory=dict)
    """How it was read."""
    candidates: list[dict[str, Any]] = field(default_factory=list)
    """The ways to read it, where that is in doubt; it was read in the first."""
    drift: dict[str, Any] = field(default_factory=dict)
    rows: RowCounts | None = None
    typed: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    repairs: list[dict[str, Any]] = field(default_factory=list)
    """How many rows were taken mended, by what was mended."""
    warnings: list[dict[str, Any]] = field(default_factory=list)
    scores: dict[str, Any] = field(default_factory=dict)

    def stop(self, outcome: str, *reasons: tuple[str, str]) -> None:
        """It would not be loaded."""
        self.outcome = outcome
        self.reasons += [{"code": code, "reason": reason} for code, reason in reasons]

    def as_json(self) -> dict[str, Any]:
        """The trial as one JSON object."""
        return vars(self) | {
            "declaration": self.declaration.model_dump(mode="json"),
            "rows": self.rows and self.rows.model_dump(),
        }


async def try_out(declaration: Declaration, data: Path) -> Trial:
    """What would become of the file."""
    trial = Trial(data.name, _alone(declaration, data))
    if len(trial.declaration.rules) < len(declaration.rules):
        trial.remarks.append("rules that refer to other datasets are not checked")
    try:
        await _complete(trial, data)
        await _take_in(trial, data)
    except Refused as refused:
        trial.stop("REFUSED", (refused.code, refused.text))
    except FileFault as fault:
        trial.stop("FAILED", (fault.code, fault.message))
    return trial


def _alone(declaration: Declaration, data: Path) -> Declaration:
    """The declaration as it is for one table that stands alone."""
    table = table_of(data) if declaration.is_for_any_table else declaration.table
    rules = tuple(rule for rule in declaration.rules if rule.references is None)
    return declaration.model_copy(update={"table": table, "rules": rules})


async def _complete(trial: Trial, data: Path) -> None:
    """What is to be found out before rows are read; a file in doubt is looked at as what is most plausible."""
    for _ in range(2):
        with _attempt(trial.declaration, data) as attempt:
            await unpack(attempt)
            try:
                recognise_parts(attempt)
            except Held as held:
                trial.candidates = held.reasons[0].facts["candidates"]
                _note_proposal(trial, held)
                continue
            _look_at(attempt.parts[0], trial)
            return


def _look_at(part: Part, trial: Trial) -> None:
    trial.format = part.format.model_dump(mode="json", exclude_none=True)
    with part.open() as source:
        if not trial.declaration.is_complete:
            found = examine(lambda: part.begin(source), trial.declaration, part.format)
            trial.declaration = with_proposal(trial.declaration, found.proposal)
            trial.remarks += found.doubts
        header = match(part.begin(source).header, trial.declaration)
    trial.drift = {
        "unknown": list(header.unknown),
        "missing": list(header.missing),
        "likely": likely_renames(header.missing, header.unknown),
    }


async def _take_in(trial: Trial, data: Path) -> None:
    """The ingestor's steps; a file that is held for its columns is read as if what is proposed were declared."""
    for is_last in (False, True):
        with _attempt(trial.declaration, data) as attempt:
            try:
                changes = await read_and_compare(attempt, NO_SERVERS)
            except Held as held:
                if is_last:
                    return
                _note_proposal(trial, held)
                continue
            _note_rows(trial, attempt, changes)
            try:
                guard(changes, attempt)
            except Held as held:
                trial.stop("HELD", *((reason.code, reason.text) for reason in held.reasons))
            return


def _note_proposal(trial: Trial, held: Held) -> None:
    try:
        trial.declaration = with_proposal(trial.declaration, held.proposal or Proposal())
    except DeclarationError as error:
        trial.remarks.append(f"what the file has more cannot be declared: {error}")
    else:
        if held.decided_by:
            trial.remarks.append(f"{held}; from now on they are ({held.decided_by})")
            return
    trial.stop("HELD", *((reason.code, reason.text) for reason in held.reasons))


@contextmanager
def _attempt(declaration: Declaration, data: Path) -> Iterator[Attempt]:
    """The first attempt at the first file of a dataset."""
    with TemporaryDirectory(prefix="waybill-") as name:
        folder = Path(name)
        (folder / "content").symlink_to(data.resolve())
        job = Job("ingest", declaration.dataset, seq=1, attempt=1, tries=1, payload=_announcement(declaration, data))
        yield attempt_in(folder, job, Known(Dataset(0, declaration.dataset, position=0, columns={})))


def _announcement(declaration: Declaration, data: Path) -> dict[str, Any]:
    """What the registry would say of the file; nobody is told."""
    return {
        "organisation": declaration.organisation,
        "table": declaration.table,
        "file_id": uuid7(),
        "arrival": 1,
        "registration": 1,
        "cause": "new",
        "bucket": "sample",
        "object_key": f"{declaration.dataset}/{data.name}",
        "version_id": "1",
        "size": data.stat().st_size,
        "etag": "",
        "last_modified": datetime.now(UTC),
        "found_by": "notification",
        "order": file_order(declaration.order_by, data.name),
        # Which part of a dataset that is empty makes no difference.
        "partition": declaration.partition.path if declaration.partition else None,
        "declaration": declaration,
    }


def _note_rows(trial: Trial, attempt: Attempt, changes: Changes) -> None:
    trial.rows = changes.rows
    rejects = attempt.rejects.first.sort("line", maintain_order=True)
    trial.rejects = rejects.head(SHOWN_REJECTS).to_dicts()
    attempt.repairs.settle(attempt.rejects.lines)
    trial.repairs = [{"repair": name, "rows": count} for name, count in sorted(attempt.repairs.counts.items())]
    trial.warnings = [
        {"rule": rule, "rows": count, "lines": attempt.warnings.lines[rule]}
        for rule, count in attempt.warnings.counts.items()
    ]
    for frame in cut(changes, attempt.types):
        first = frame.head(SHOWN_ROWS)
        values = {name: canonical(first[name]).to_list() for name in attempt.types}
        trial.typed = [
            {"line": line, "values": {name: texts[row] for name, texts in values.items()}}
            for row, line in enumerate(first["_line"])
        ]
        break
    trial.scores = _scores(changes, attempt)


def _scores(changes: Changes, attempt: Attempt) -> dict[str, Any]:
    """Shares of 1: values that are there in rows without a fault, rows not rejected, such rows with a key not seen yet.

    Null where there is nothing to have a share of.
    """
    count, nulls = changes.values.height, dict.fromkeys(attempt.types, 0)
    for frame in changes.values.frames():
        nulls = {name: found + frame[name].null_count() for name, found in nulls.items()}
    return {
        "completeness": {name: _share(count - found, count) for name, found in nulls.items()},
        "validity": _share(changes.rows.read - changes.rows.rejected, changes.rows.read),
        "uniqueness": _share(changes.rows.inserted, count),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
