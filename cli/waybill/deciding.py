"""Files that wait for a decision: what it is decided by, and how it is asked for."""

import asyncio
import re
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from waybill import output
from waybill.environment import CliSettings
from waybill.output import Refusal, Unreachable
from waybill.references import name_of
from waybill.stores import Stores, open_stores

if TYPE_CHECKING:
    from asyncpg import Record
    from waybill_contracts import Format

Decision = Literal["release", "refuse"]
ANSWER_SECONDS = 20.0
SHOWN_APART = ("added", "missing", "likely", "samples", "candidates")
SETTING = re.compile(r"\s*([a-z_]+)=(.*?)\s*(?:,(?=\s*[a-z_]+=)|$)")
WRITTEN = {"\\t": "\t", "tab": "\t", "space": " "}


def read_renames(pairs: Iterable[str]) -> dict[str, str]:
    """`NAME=COLUMN` of the command line: the file's name for a declared column."""
    renames: dict[str, str] = {}
    for pair in pairs:
        name, equals, column = (part.strip() for part in pair.rpartition("="))
        if not (name and equals and column):
            raise Refusal(f"--map {pair!r}: expected NAME=COLUMN, the name in the file and the declared column it is")
        if name in renames:
            raise Refusal(f"--map {pair!r}: {name} is {renames[name]} already")
        renames[name] = column
    return renames


def read_format(text: str, candidates: Sequence[dict[str, Any]]) -> "Format":
    """What files are read as from now on: the number of a candidate, or `delimiter=;,encoding=windows-1252`."""
    from pydantic import ValidationError
    from waybill_contracts import Format

    if text.strip().isdecimal():
        number = int(text)
        if not 1 <= number <= len(candidates):
            numbers = f"expected a number from 1 to {len(candidates)}"
            known = numbers if candidates else "the file is not held for how it is read"
            raise Refusal(f"--format {text}: {known}; see: waybill file show")
        return Format.model_validate(candidates[number - 1]["format"])
    pairs = SETTING.findall(text)
    if not pairs or SETTING.sub("", text).strip():
        raise Refusal(f'--format {text!r}: expected the number of a candidate, or settings as delimiter=;,quote="')
    try:
        return Format.model_validate({name: _setting(value) for name, value in pairs})
    except ValidationError as error:
        found = error.errors()[0]
        field = ".".join(map(str, found["loc"]))
        known = f"expected one of {', '.join(Format.model_fields)}" if found["type"] == "extra_forbidden" else ""
        said = known or found["msg"].removeprefix("Value error, ")
        raise Refusal(f"--format {text!r}: {f'{field}: ' if field else ''}{said}") from error


def _setting(value: str) -> str:
    """A value as it is meant: without the quotes that only a shell needs, and signs that are hard to type."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return WRITTEN.get(value, value)


def candidates_of(holds: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ways to read the file, where that is in doubt."""
    return next((hold["facts"]["candidates"] for hold in holds if hold["facts"].get("candidates")), [])


def check_is_held(file: "Record") -> None:
    """Only a file that is held waits for a decision."""
    if file["state"] != "HELD":
        hint = "; try it again with: waybill file retry" if file["state"] in ("FAILED", "REFUSED", "SKIPPED") else ""
        raise Refusal(f"{name_of(file)} is {file['state']}; only a file that is HELD is released or refused{hint}")


async def decide(
    using: CliSettings,
    file: "Record",
    decision: Decision,
    who: tuple[str | None, str | None],
    **how: Any,
) -> dict[str, Any]:
    """Ask for the decision; the registry's answer as it wrote it down."""
    from waybill_contracts import DecisionRequested

    from waybill.requests import current_user, publish

    user, reason = who
    request = DecisionRequested(
        organisation=file["organisation"],
        table=file["table_name"],
        file_id=file["file_id"],
        attempt=file["attempt"],
        decision=decision,
        user=user or current_user(),
        reason=reason,
        **how,
    )
    await publish(using, request)
    query = "SELECT accepted, problem, declaration_version FROM decisions WHERE decision_id = $1"
    end = time.monotonic() + ANSWER_SECONDS
    async with open_stores(using) as stores:
        while time.monotonic() < end:
            for answer in await stores.registry(query, request.id):
                return dict(answer)
            await asyncio.sleep(0.1)
    raise Unreachable(
        f"the registry has not answered within {ANSWER_SECONDS:.0f} s and may still do so; does it run? waybill status"
    )


async def find_holds(stores: Stores, file: "Record") -> list[dict[str, Any]]:
    """Why the file's last attempt was held, with the facts that the ingestor kept."""
    if not file["holds"]:
        return []
    query = """
        SELECT code, reason, facts FROM holds JOIN datasets USING (dataset_id)
        WHERE dataset = $1 AND attempt = $2 ORDER BY number"""
    found = [dict(row) for row in await stores.ingestor(query, file["dataset"], file["attempt"])]
    return found or [{**hold, "facts": {}} for hold in file["holds"]]


async def find_decisions(stores: Stores, file: "Record") -> list[dict[str, Any]]:
    """Every decision about the file, and what came of it."""
    query = """
        SELECT at, who, decision, attempt, codes, renames, accept_columns, format, declaration_version, why, accepted,
            problem
        FROM decisions WHERE file_id = $1 ORDER BY at"""
    return [dict(row) for row in await stores.registry(query, file["file_id"])]


async def count_behind(stores: Stores, file: "Record", jobs: Iterable[dict[str, Any]]) -> int:
    """How many files wait for this one; none where it is held only for being late."""
    if not any(job["kind"] == "ingest" and job["state"] == "HELD" for job in jobs):
        return 0
    query = "SELECT count(*) AS n FROM files WHERE dataset = $1 AND arrival > $2 AND state = 'REGISTERED'"
    return int((await stores.registry(query, file["dataset"], file["arrival"]))[0]["n"])


def write_holds(told: dict[str, Any]) -> None:
    """What a person decides by: each reason with its facts, the difference of columns, and a few rows."""
    for hold in told["holds"]:
        facts = {name: fact for name, fact in hold["facts"].items() if name not in SHOWN_APART}
        said = "; ".join(f"{name}: {_listed(fact)}" for name, fact in facts.items())
        output.write(f"  held for {hold['code']}: {hold['reason']}{f' ({said})' if said else ''}")
    write_candidates(candidates_of(told["holds"]))
    drift = drift_of(told)
    added, missing, likely = (drift.get(name) or {} for name in ("added", "missing", "likely"))
    rows = [(name, "not declared", f"{likely[name]} renamed" if name in likely else "") for name in added]
    rows += [(name, "declared, not in the file", "") for name in missing]
    if rows:
        output.write_table(("column", "difference", "likely"), rows, "columns")
    known: dict[str, list[Any]] = drift.get("samples") or {}
    samples = {name: known[name] for name in added if name in known}
    if samples:
        depth = max(map(len, samples.values()))
        cells = [[values[line] if line < len(values) else "" for values in samples.values()] for line in range(depth)]
        output.write_table(list(samples), cells, "the first rows of these columns")


def write_candidates(candidates: Sequence[dict[str, Any]]) -> None:
    """The ways to read a file, each with its number and what it gives."""
    if not candidates:
        return
    fields = sorted({name: None for each in candidates for name in each["format"]}, key=_place)
    rows = []
    for number, each in enumerate(candidates, 1):
        said = [_said(each["format"].get(name)) for name in fields]
        first = each["rows"][0] if each["rows"] else []
        counts = (each["score"], each["columns"], each["faults_in_sample"])
        rows.append((number, *said, *counts, _joined(each["header"]), _joined(first)))
    columns = ("number", *fields, "score", "columns", "faults", "header", "first row")
    output.write_table(columns, rows, "ways to read it")


def _place(field: str) -> int:
    from waybill_contracts import Format

    return list(Format.model_fields).index(field)


def _said(value: Any) -> Any:
    return {"": "none", " ": "space"}.get(value, value) if isinstance(value, str) else value


def _joined(values: Sequence[str | None]) -> str:
    return " | ".join(value or "" for value in values)


def write_decisions(told: dict[str, Any]) -> None:
    """Who decided what, and what came of it."""
    rows = [
        (each["at"], each["who"], each["decision"], each["attempt"], each["accepted"], each["problem"] or each["why"])
        for each in told["decisions"]
    ]
    if rows:
        output.write_table(("at", "who", "decision", "attempt", "accepted", "why"), rows, "decisions")


def drift_of(told: dict[str, Any]) -> dict[str, Any]:
    """The difference of columns, if the file was held for one."""
    facts: Iterable[dict[str, Any]] = (hold["facts"] for hold in told["holds"])
    return next((each for each in facts if each.get("added") or each.get("missing")), {})


def advice(told: dict[str, Any]) -> str:
    """What a person can do about a file that is held, as commands."""
    name, drift = told["name"], drift_of(told)
    behind = told["files_behind"]
    waits = f" {behind} files wait behind it." if behind > 1 else " 1 file waits behind it." if behind else ""
    lines = [f"It waits for a decision; nothing of it was taken in.{waits}"]
    likely = drift.get("likely") or {}
    if likely:
        maps = " ".join(f"--map '{each}={column}'" for each, column in likely.items())
        lines.append(f"  its columns were renamed:     waybill file release '{name}' {maps}")
    if drift:
        what = "files may have these columns: " if drift.get("added") else "files may lack these columns: "
        lines.append(f"  {what}waybill file release '{name}' --accept-columns")
    candidates = candidates_of(told["holds"])
    if candidates:
        lines.append(f"  files are read as number 1:   waybill file release '{name}' --format 1")
        lines.append(f"  they are read in another way: waybill file release '{name}' --format \"delimiter=;,quote='\"")
    plain = "just this one, as number 1:   " if candidates else _plain(drift)
    lines.append(f"  {plain}waybill file release '{name}'")
    lines.append(f"  it should not be taken:       waybill file refuse '{name}' --reason '…'")
    lines.append("  the declaration was wrong:    waybill dataset apply FILE.yaml, then release it")
    return "\n".join(lines)


def _plain(drift: dict[str, Any]) -> str:
    """What a release does that accepts nothing."""
    if drift.get("missing"):
        return "take it with nulls there:     "
    return "take it without the rest:     " if drift else "take it as it is:             "


def _listed(fact: Any) -> str:
    if isinstance(fact, list):
        return ", ".join(map(str, fact))
    return ", ".join(f"{name} {value}" for name, value in fact.items()) if isinstance(fact, dict) else str(fact)
