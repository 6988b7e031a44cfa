"""Where files stand: read under a lock, changed with an audit row, and registered again."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from chassis import Tx
from waybill_contracts import Hold, Proposal, RowCounts

from registry.domain.standing import Ingested, Loaded, Standing


@dataclass(frozen=True)
class FileRow:
    """A file of a dataset, and where it stands."""

    file_id: UUID
    organisation: str
    dataset: str
    arrival: int
    registration: int
    found_by: str
    standing: Standing


async def lock_file(tx: Tx, file_id: UUID, dataset: str) -> FileRow | None:
    """A registered file of the dataset as it stands, locked to the end of the transaction; None where there is none."""
    row = await tx.fetchrow(
        """
        SELECT file_id, organisation, dataset, arrival, registration, found_by, state, attempt, rank, base_attempt,
            code, reason, rows, holds, proposal, twin_file_id, ingested, loaded, balanced
        FROM files WHERE file_id = $1 AND dataset = $2 AND arrival IS NOT NULL FOR UPDATE
        """,
        file_id,
        dataset,
    )
    return _file_row(dict(row)) if row else None


async def lock_file_at(tx: Tx, file_id: UUID, dataset: str, position: int) -> FileRow | None:
    """The same, and its dataset has come to this position at least."""
    # The file is joined to what the update returns, so the dataset is locked first, as everywhere.
    row = await tx.fetchrow(
        """
        WITH reached AS (
            UPDATE datasets SET last_position = greatest(last_position, $3) WHERE dataset = $2 RETURNING dataset
        )
        SELECT file_id, organisation, dataset, arrival, registration, found_by, state, attempt, rank, base_attempt,
            code, reason, rows, holds, proposal, twin_file_id, ingested, loaded, balanced
        FROM reached JOIN files USING (dataset) WHERE file_id = $1 AND arrival IS NOT NULL FOR UPDATE OF files
        """,
        file_id,
        dataset,
        position,
    )
    return _file_row(dict(row)) if row else None


def _file_row(values: dict[str, Any]) -> FileRow:
    names = ("file_id", "organisation", "dataset", "arrival", "registration", "found_by")
    identity = {name: values.pop(name) for name in names}
    return FileRow(**identity, standing=_standing(values))


def _standing(values: dict[str, Any]) -> Standing:
    rows, ingested, loaded = values.pop("rows"), values.pop("ingested"), values.pop("loaded")
    holds, proposal = values.pop("holds"), values.pop("proposal")
    return Standing(
        **values,
        rows=RowCounts(**rows) if rows else None,
        holds=tuple(Hold(**hold) for hold in holds),
        proposal=None if proposal is None else Proposal.model_validate(proposal),
        ingested=Ingested(**ingested) if ingested else None,
        loaded=Loaded(**loaded) if loaded else None,
    )


async def change(tx: Tx, file: FileRow, after: Standing, who: str, why: str | None) -> None:
    """Where the file stands from now on, and an audit row of who changed its state, and why."""
    ingested = after.ingested
    await tx.execute(
        """
        WITH file AS (
            UPDATE files SET state = $2, attempt = $3, rank = $4, base_attempt = $5, code = $6, reason = $7, rows = $8,
                twin_file_id = $9, ingested = $10, loaded = $11, balanced = $12, position = $13, holds = $14,
                proposal = $15, changed_at = now(),
                open_rejects = CASE WHEN ingested IS NULL AND $10::jsonb IS NOT NULL AND corrects IS NULL
                    THEN ($8::jsonb ->> 'rejected')::bigint - coalesce(
                        (SELECT sum(c.closed_rejects) FROM files c WHERE c.corrects = files.file_id), 0
                    ) ELSE open_rejects END
            WHERE file_id = $1 RETURNING file_id, dataset, state
        )
        INSERT INTO file_audit (file_id, dataset, who, from_state, to_state, why)
        SELECT file_id, dataset, $16, $17, state, $18 FROM file
        """,
        file.file_id,
        after.state,
        after.attempt,
        after.rank,
        after.base_attempt,
        after.code,
        after.reason,
        after.rows and after.rows.model_dump(),
        after.twin_file_id,
        ingested and asdict(ingested),
        after.loaded and asdict(after.loaded),
        after.balanced,
        ingested and ingested.position,
        [hold.model_dump() for hold in after.holds],
        after.proposal and after.proposal.model_dump(mode="json"),
        who,
        file.standing.state,
        why,
    )


async def register_again(tx: Tx, file_id: UUID, *, as_declared_now: bool) -> None:
    """The next registration of a file: a retry, under the declaration it had or the newest.

    A correction, or the end of a removed object's records, is always read under the newest.
    """
    await tx.execute(
        """
        UPDATE files SET registration = registration + 1, cause = 'retry', announced_at = now(),
            declaration_version = CASE WHEN $2 OR coalesce(corrects, removes) IS NOT NULL
                THEN datasets.declaration_version ELSE files.declaration_version END
        FROM datasets WHERE datasets.dataset = files.dataset AND file_id = $1
        """,
        file_id,
        as_declared_now,
    )


async def register_released(tx: Tx, file_id: UUID, codes: Sequence[str]) -> int:
    """The next registration of a file that was held for these: under the newest declaration; returns its version."""
    version: int = await tx.fetchval(
        """
        UPDATE files SET registration = registration + 1, cause = 'release', announced_at = now(),
            declaration_version = datasets.declaration_version,
            accepted = ARRAY(SELECT DISTINCT code FROM unnest(accepted || $2::text[]) AS n(code) ORDER BY code)
        FROM datasets WHERE datasets.dataset = files.dataset AND file_id = $1 RETURNING files.declaration_version
        """,
        file_id,
        codes,
    )
    return version


async def register_followers(tx: Tx, file: FileRow, who: str) -> list[UUID]:
    """The files that wait behind this one are registered again where the declaration changed since; in their order."""
    # What is tried again stays so: it is not to be skipped.
    rows = await tx.fetch(
        """
        WITH behind AS (
            SELECT file_id, datasets.declaration_version FROM files JOIN datasets USING (dataset)
            WHERE dataset = $1 AND arrival > $2 AND state = 'REGISTERED'
              AND files.declaration_version < datasets.declaration_version
            ORDER BY arrival FOR UPDATE OF files
        ), again AS (
            UPDATE files SET registration = registration + 1, announced_at = now(), changed_at = now(),
                cause = CASE cause WHEN 'retry' THEN cause ELSE 'release' END,
                declaration_version = behind.declaration_version
            FROM behind WHERE files.file_id = behind.file_id
            RETURNING files.file_id, dataset, arrival, state, behind.declaration_version
        ), audit AS (
            INSERT INTO file_audit (file_id, dataset, who, from_state, to_state, why)
            SELECT file_id, dataset, $3, state, state,
                'registered again under declaration ' || declaration_version || ': ' || $4 || ' was released'
            FROM again ORDER BY arrival
        )
        SELECT file_id FROM again ORDER BY arrival
        """,
        file.dataset,
        file.arrival,
        who,
        f"{file.dataset}#{file.arrival}",
    )
    return [row["file_id"] for row in rows]


async def note_refusal(tx: Tx, file: FileRow, who: str, why: str) -> None:
    """An audit row: who asked for a change of the file's state, and why it stays as it is."""
    await tx.execute(
        "INSERT INTO file_audit (file_id, dataset, who, from_state, to_state, why) VALUES ($1, $2, $3, $4, $4, $5)",
        file.file_id,
        file.dataset,
        who,
        file.standing.state,
        why,
    )
