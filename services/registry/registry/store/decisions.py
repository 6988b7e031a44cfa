"""Decisions about files that are held: each is written down, whatever came of it."""

from dataclasses import dataclass
from uuid import UUID

from chassis import Tx
from waybill_contracts import DeclarationError

from registry.domain.deciding import Decision, declare, problem_of, release
from registry.domain.declaring import refusal
from registry.store import datasets, standings
from registry.store.registration import announce

ANNOUNCED_TOGETHER = 500


async def decide(tx: Tx, file: standings.FileRow, decision: Decision) -> str | None:
    """Do what was decided and write it down; else why it changes nothing. The dataset and the file are locked."""
    version = None
    problem = problem_of(decision, file.standing, await _find_taken(tx, file.file_id, decision.attempt))
    if not problem and decision.verb == "release":
        problem = await _declare(tx, file, decision)
    if problem:
        await standings.note_refusal(tx, file, decision.who, f"{decision.verb} refused: {problem}")
    elif decision.verb == "release":
        version = await _release(tx, file, decision)
    await _insert(tx, file, decision, _Answer(version, problem))
    return problem


async def _declare(tx: Tx, file: standings.FileRow, decision: Decision) -> str | None:
    """The declaration that the release needs is the newest; or why it cannot be."""
    newest = await datasets.newest_declaration(tx, file.dataset)
    assert newest, "a file is registered under a declaration"
    try:
        declared = declare(newest, decision, file.standing.proposal)
    except DeclarationError as error:
        return "; ".join(error.problems)
    if declared == newest:
        return None
    # Where key or columns are still to be found, no file took effect yet.
    is_bound = newest.is_complete and await datasets.has_taken_effect(tx, file.dataset)
    problem = refusal(newest, declared, has_taken_effect=is_bound)
    if not problem:
        why = f"release of {file.dataset}#{file.arrival}" + (f": {decision.why}" if decision.why else "")
        await datasets.add_declaration(tx, declared, decision.who, why)
    return problem


async def _release(tx: Tx, file: standings.FileRow, decision: Decision) -> int:
    await standings.change(tx, file, release(file.standing), decision.who, decision.why or "release")
    version = await standings.register_released(tx, file.file_id, [hold.code for hold in file.standing.holds])
    ids = [file.file_id, *await standings.register_followers(tx, file, decision.who)]
    for start in range(0, len(ids), ANNOUNCED_TOGETHER):
        await announce(tx, ids[start : start + ANNOUNCED_TOGETHER])
    return version


async def _find_taken(tx: Tx, file_id: UUID, attempt: int) -> Decision | None:
    """The decision of this attempt that was accepted."""
    row = await tx.fetchrow(
        "SELECT decision_id AS id, attempt, decision AS verb, who FROM decisions"
        " WHERE file_id = $1 AND attempt = $2 AND accepted",
        file_id,
        attempt,
    )
    return Decision(**row) if row else None


@dataclass(frozen=True)
class _Answer:
    declaration_version: int | None
    problem: str | None


async def _insert(tx: Tx, file: standings.FileRow, decision: Decision, answer: _Answer) -> None:
    # A replay asks again, and finds that all is done; the first answer stands.
    await tx.execute(
        """
        INSERT INTO decisions (decision_id, file_id, dataset, attempt, codes, decision, renames, accept_columns,
            declaration_version, who, why, accepted, problem, format)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::text IS NULL, $12, $13)
        ON CONFLICT DO NOTHING
        """,
        decision.id,
        file.file_id,
        file.dataset,
        decision.attempt,
        [hold.code for hold in file.standing.holds],
        decision.verb,
        dict(decision.renames),
        decision.accept_columns,
        answer.declaration_version,
        decision.who,
        decision.why,
        answer.problem,
        decision.format and decision.format.model_dump(mode="json", exclude_unset=True),
    )


async def confirm_refusal(tx: Tx, file_id: UUID, attempt: int) -> None:
    """The file was refused, though the request was heard here before the hold, and not accepted: now it is."""
    await tx.execute(
        """
        UPDATE decisions SET accepted = true, problem = NULL WHERE decision_id = (
            SELECT decision_id FROM decisions WHERE file_id = $1 AND attempt = $2 AND decision = 'refuse'
              AND NOT EXISTS (SELECT FROM decisions d WHERE d.file_id = $1 AND d.attempt = $2 AND d.accepted)
            ORDER BY at LIMIT 1
        )
        """,
        file_id,
        attempt,
    )
