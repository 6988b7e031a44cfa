"""Columns that are not the declared ones: what the difference is, and what the policy makes of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from records.widening import widens
from waybill_contracts import Column, Declaration, Proposal

from ingestor.domain.holds import COLUMNS_ADDED, COLUMNS_MISSING, Held, Reason, Refused

ALIKE = 0.6
Samples = dict[str, list[str | None]]


def likely_renames(missing: Sequence[str], unknown: Sequence[str]) -> dict[str, str]:
    """Column of the file -> declared column that it may be under a new name."""
    found: dict[str, str] = {}
    for name in missing:
        free = [other for other in unknown if other not in found]
        close = get_close_matches(name, free, n=1, cutoff=ALIKE) or (free if len(missing) == len(unknown) == 1 else [])
        found |= {other: name for other in close[:1]}
    return found


def is_tolerated(declaration: Declaration, accepted: Sequence[str], unknown: bool, missing: bool) -> bool:
    """Whether the file is read although its columns are not the declared ones: unknown ones left out, missing null."""
    takes_unknown = declaration.other_columns == "ignore" or COLUMNS_ADDED in accepted
    return (not unknown or takes_unknown) and (not missing or COLUMNS_MISSING in accepted)


def merged(found: Iterable[dict[str, Column]]) -> dict[str, Column]:
    """Columns that several files have more than is declared, each of a type that loses nothing of any of them."""
    columns: dict[str, Column] = {}
    for name, column in (item for each in found for item in each.items()):
        held = columns.setdefault(name, column)
        if not widens(column.type, held.type):
            columns[name] = column if widens(held.type, column.type) else Column()
    return columns


@dataclass(frozen=True)
class Drift:
    """How columns differ from the declared ones; `parts`: the files of a delivery where they do."""

    missing: Sequence[str]
    added: dict[str, Column]
    samples: Samples
    parts: Sequence[str] = ()

    @property
    def where(self) -> str:
        """The beginning of a sentence about it."""
        others = f" and {len(self.parts) - 1} other files" if len(self.parts) > 1 else ""
        return f"{self.parts[0]}{others}: " if self.parts else ""


def judge_drift(declaration: Declaration, drift: Drift) -> Held | Refused:
    """What becomes of a file, or a delivery, whose columns are not the declared ones."""
    missing, added = drift.missing, drift.added
    undeclared = f"{drift.where}columns that are not declared: {', '.join(added)}"
    if added and declaration.other_columns == "reject":
        return Refused(COLUMNS_ADDED, undeclared)
    renames = likely_renames(missing, list(added))
    facts: dict[str, Any] = {
        "added": list(added),
        "missing": list(missing),
        "likely": renames,
        "samples": drift.samples,
    }
    if drift.parts:
        facts["parts"] = list(drift.parts)
    reasons = []
    if added and declaration.other_columns != "ignore":
        reasons.append(Reason(COLUMNS_ADDED, undeclared, facts))
    if missing:
        text = f"{drift.where}declared columns that the file lacks: {', '.join(missing)}"
        reasons.append(Reason(COLUMNS_MISSING, text, facts))
    optional = [name for name in missing if name not in declaration.needed_columns]
    accepts = declaration.other_columns == "accept" and not missing
    return Held(
        reasons,
        proposal=Proposal(columns=added, optional=tuple(optional)),
        decided_by="other_columns: accept" if accepts else None,
    )
