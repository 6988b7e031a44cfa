"""How each part of a file is read: as declared, else as its content shows; in doubt the file waits for a decision."""

from typing import Any, BinaryIO

from records.recognise.choice import Recognition
from records.recognise.dialects import DEFAULT
from records.recognise.recognition import is_plain, recognise, to_declare
from records.recognise.trials import Candidate
from records.reject_file import LINE
from waybill_contracts import Format, Proposal

from ingestor.domain.holds import DIALECT, Held, Reason
from ingestor.files.parts import Part
from ingestor.jobs.attempt import Attempt

SHOWN_COLUMNS = 30
SHOWN_CHARACTERS = 80


def recognise_parts(attempt: Attempt) -> None:
    """Each part has a format that says all that its reader needs; Held with what it might be, where that is in doubt.

    Where a person said that it is taken nevertheless, it is what is most plausible.
    """
    columns = [name for name, column in attempt.declaration.columns.items() if column.is_in_files]
    for part in attempt.parts:
        part.columns = columns
        with part.unpacked() as source:
            found = _recognise(source, part, attempt)
        if not found.is_certain and DIALECT not in attempt.accepted:
            raise _held(part, found)
        part.format = _packed(found.format, part)
        part.header = found.header


def _recognise(source: BinaryIO, part: Part, attempt: Attempt) -> Recognition:
    # What is sent back of rejects is as they were given, whatever the sender's files are.
    if attempt.file.corrects and (header := is_plain(source, LINE)):
        return Recognition(DEFAULT, header=header)
    return recognise(source, attempt.declaration, part.name)


def _packed(found: Format, part: Part) -> Format:
    """The format, with what the part turned out to be packed with."""
    packed = part.packed if part.entry is None else "zip"
    return found.model_copy(update={"compression": packed}) if isinstance(packed, str) and packed != "none" else found


def _held(part: Part, found: Recognition) -> Held:
    text = part.named(f"how it is to be read is in doubt: {found.why}")
    facts: dict[str, Any] = {"candidates": [_told(candidate, found) for candidate in found.candidates]}
    if part.file_id:
        facts["part"] = part.name
    best = to_declare(found.candidates[0], found.candidates)
    return Held([Reason(DIALECT, text, facts)], proposal=Proposal(format=best))


def _told(candidate: Candidate, found: Recognition) -> dict[str, Any]:
    """What a person chooses by; `format` is what a declaration would have to say."""
    return {
        "format": to_declare(candidate, found.candidates).model_dump(mode="json", exclude_unset=True),
        "score": candidate.score,
        "columns": len(candidate.header),
        "header": _shown(candidate.header),
        "rows": [_shown(row) for row in candidate.rows],
        "rows_in_sample": candidate.row_count,
        "faults_in_sample": candidate.faults,
    }


def _shown(values: tuple[str | None, ...]) -> list[str | None]:
    """The first of them, as PostgreSQL can keep them."""
    return [value and value[:SHOWN_CHARACTERS].replace("\0", "\\0") for value in values[:SHOWN_COLUMNS]]
