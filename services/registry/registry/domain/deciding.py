"""What a decision does to a file that waits for one: release it, refuse it, or change nothing and say why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self
from uuid import UUID

from records.header import business_name
from records.proposals import with_format, with_proposal
from waybill_contracts import DecisionRequested, Declaration, DeclarationError, FileHeld, Format, Proposal
from waybill_contracts.declaration import MAX_NAME_BYTES

from registry.domain.standing import Standing

REFUSED_BY_DECISION = "refused"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What somebody, or a policy, wants to become of the attempt at which a file was held."""

    id: UUID
    attempt: int
    verb: Literal["release", "refuse"]
    who: str
    why: str | None = None
    renames: Mapping[str, str] = field(default_factory=dict)
    accept_columns: bool = False
    format: Format | None = None

    @classmethod
    def asked(cls, request: DecisionRequested) -> Self:
        """As a person asked for it."""
        return cls(
            id=request.id,
            attempt=request.attempt,
            verb=request.decision,
            who=request.user,
            why=request.reason,
            renames=request.renames,
            accept_columns=request.accept_columns,
            format=request.format,
        )

    @classmethod
    def by_policy(cls, event: FileHeld, policy: str) -> Self:
        """As the declaration decides by itself."""
        return cls(
            id=event.id,
            attempt=event.attempt,
            verb="release",
            who=policy,
            accept_columns=event.proposal is not None,
        )


def problem_of(decision: Decision, standing: Standing, taken: "Decision | None") -> str | None:
    """Why the decision changes nothing; `taken` is the one that was accepted of the same attempt before."""
    if taken:
        return f"attempt {decision.attempt} was decided already: {taken.verb}, by {taken.who}"
    is_refused = standing.state == "REFUSED" and standing.code == REFUSED_BY_DECISION
    # The ingestor refuses by itself, and may be heard first.
    if standing.state != "HELD" and not (decision.verb == "refuse" and is_refused):
        hint = "; try it again instead: waybill file retry" if standing.state in ("REFUSED", "FAILED") else ""
        return f"only a file that is HELD waits for a decision; this one is {standing.state}{hint}"
    if decision.attempt != standing.attempt:
        return f"the request answers attempt {decision.attempt}, but the newest is {standing.attempt}"
    return None


def release(standing: Standing) -> Standing:
    """The file registered once more: what the attempt that was held ended in counts no more."""
    attempt = standing.attempt
    return Standing(state="REGISTERED", attempt=attempt, base_attempt=attempt, loaded=standing.loaded)


def declare(newest: Declaration, decision: Decision, proposal: Proposal | None) -> Declaration:
    """The declaration that the release makes; the same one where it changes nothing. DeclarationError says why not."""
    if decision.accept_columns and proposal is None:
        raise DeclarationError(["nothing is proposed about the columns of this file; release it without accepting any"])
    if decision.format:
        newest = with_format(newest, decision.format)
    if not decision.renames and not decision.accept_columns:
        return newest
    renames = {business_name(name): column for name, column in decision.renames.items()}
    accepted = proposal if proposal and decision.accept_columns else Proposal()
    missing = tuple(name for name in accepted.optional if name not in renames.values())
    return with_proposal(_with_aliases(newest, renames), accepted.model_copy(update={"optional": missing}))


def _with_aliases(declaration: Declaration, renames: Mapping[str, str]) -> Declaration:
    problems = [problem for name, column in renames.items() if (problem := _problem(declaration, name, column))]
    doubled = {column for column in renames.values() if list(renames.values()).count(column) > 1}
    problems += [f"{column}: expected one column of the file for it" for column in sorted(doubled)]
    if problems:
        raise DeclarationError(problems)
    columns = dict(declaration.columns)
    for name, column in renames.items():
        if name not in columns[column].aliases:
            columns[column] = columns[column].model_copy(update={"aliases": (*columns[column].aliases, name)})
    return declaration.model_copy(update={"columns": columns})


def _problem(declaration: Declaration, name: str, column: str) -> str | None:
    """Why the file's column cannot be another name of the declared one."""
    if column not in declaration.columns:
        turned = f"; did you mean {column}={name}?" if name in declaration.columns else ""
        return f"{name}={column}: no column {column} is declared{turned}"
    if not 1 <= len(name.encode()) <= MAX_NAME_BYTES:
        return f"{name[:MAX_NAME_BYTES]}={column}: expected a name of 1 to {MAX_NAME_BYTES} bytes"
    if not declaration.columns[column].is_in_files:
        return f"{name}={column}: {column} is not in the files"
    holders = [each for each, declared in declaration.columns.items() if name in (each, *declared.aliases)]
    if any(each != column or name == each for each in holders):
        return f"{name}={column}: {name} is a name of the declared column {holders[0]} already"
    return None
