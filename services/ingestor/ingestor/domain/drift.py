"""Columns that are not the declared ones: what the difference is, and what the policy makes of it."""

from collections.abc import Sequence
from difflib import get_close_matches

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


def judge_drift(
    declaration: Declaration, missing: Sequence[str], added: dict[str, Column], samples: Samples
) -> Held | Refused:
    """What becomes of a file whose columns are not the declared ones."""
    if added and declaration.other_columns == "reject":
        return Refused(COLUMNS_ADDED, f"columns that are not declared: {', '.join(added)}")
    renames = likely_renames(missing, list(added))
    facts = {"added": list(added), "missing": list(missing), "likely": renames, "samples": samples}
    reasons = []
    if added and declaration.other_columns != "ignore":
        reasons.append(Reason(COLUMNS_ADDED, f"columns that are not declared: {', '.join(added)}", facts))
    if missing:
        reasons.append(Reason(COLUMNS_MISSING, f"declared columns that the file lacks: {', '.join(missing)}", facts))
    optional = [name for name in missing if name not in declaration.needed_columns]
    accepts = declaration.other_columns == "accept" and not missing
    return Held(
        reasons,
        proposal=Proposal(columns=added, optional=tuple(optional)),
        decided_by="other_columns: accept" if accepts else None,
    )
