"""A trial of a data file as people read it."""

from typing import Any

from waybill import output
from waybill.correcting import write_rejects
from waybill.deciding import write_candidates
from waybill.sampling import Trial
from waybill.waybills import format_text


def write_trial(trial: Trial) -> None:
    """What would become of the file, why, and what it is like."""
    output.write_table(("what", "value"), _facts(trial))
    write_candidates(trial.candidates)
    if trial.typed:
        names = list(trial.declaration.columns)
        rows = [[row["line"], *(row["values"][name] for name in names)] for row in trial.typed]
        output.write_table(("line", *names), rows, "first rows, as they would be stored")
    if trial.rejects:
        write_rejects(trial.rejects, "first rejects")
    if trial.repairs:
        output.write_table(("what was mended", "rows"), [[*found.values()] for found in trial.repairs], "repairs")
    if trial.warnings:
        rows = [[found["rule"], found["rows"], ", ".join(map(str, found["lines"][:10]))] for found in trial.warnings]
        output.write_table(("rule", "rows", "first lines"), rows, "warnings")
    if trial.scores:
        rows = [[name, _percent(share)] for name, share in trial.scores["completeness"].items()]
        output.write_table(("column", "complete"), rows, "scores")
    for remark in trial.remarks:
        output.say(remark)


def _facts(trial: Trial) -> list[list[Any]]:
    facts: list[list[Any]] = [["as the first file", trial.outcome]]
    facts += [[reason["code"], reason["reason"]] for reason in trial.reasons]
    facts += [["format", format_text(trial.format)]] if trial.format else []
    facts += [["may be renamed", f"{new} is {old}"] for new, old in trial.drift.get("likely", {}).items()]
    if trial.rows:
        counts = trial.rows.model_dump()
        facts += [[name, counts[name]] for name in ("read", "inserted", "duplicate", "stale", "rejected")]
    if trial.scores:
        facts += [[name, _percent(trial.scores[name])] for name in ("validity", "uniqueness")]
    return facts


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"
