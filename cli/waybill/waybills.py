"""What is told of a file: its line in a list, its whole story, and what to do about it."""

from collections.abc import Iterable
from typing import Any

from asyncpg import Record

from waybill import correcting, deciding, delivering, output
from waybill.references import name_of
from waybill.stores import Stores

OUTCOMES = ("read", "inserted", "updated", "unchanged", "duplicate", "stale", "rejected", "deleted")
COUNTED = ("read", "inserted", "updated", "unchanged", "duplicate", "rejected")
PLAIN = ("bucket", "key", "version_id", "size", "arrival", "position", "attempt", "state", "late", "code", "reason")
WHAT = ("state", "code", "reason", "key", "version_id", "file_id", "arrival", "position", "attempt", "late", "presence")
WHO = ("found_by", "registered_at", "sent_by", "sent_reason", "twin_file_id", "balanced")
REJECTS = ("open_rejects", "closed_rejects")
STOPPED = ("FAILED", "REFUSED", "IGNORED")
ENDED = ("FAILED", "REFUSED", "HELD", "LATE")


def write_list(files: Iterable[Record], title: str | None = None, objects: bool = True) -> None:
    """The files as a table, a line each; duplicates only where there are any."""
    found = list(files)
    counted = [name for name in COUNTED if name != "duplicate" or any(_count(file, name) for file in found)]
    columns = ("file", "state", *counted, "balanced", *(("object",) if objects else ()))
    lines = [_line(file, counted)[: len(columns)] for file in found]
    if any(file.get("open_rejects") for file in found):
        columns = (*columns, "open")
        lines = [[*line, file.get("open_rejects")] for line, file in zip(lines, found, strict=True)]
    if any(file["state"] == "HELD" for file in found):
        columns = (*columns, "held for")
        lines = [
            [*line, file["reason"] if file["state"] == "HELD" else ""] for line, file in zip(lines, found, strict=True)
        ]
    if any(_is_of_delivery(file) for file in found):
        columns = (*columns, "why")
        lines = [
            [*line, file["reason"] if _is_of_delivery(file) else ""] for line, file in zip(lines, found, strict=True)
        ]
    output.write_table(columns, lines, title)


def _is_of_delivery(file: Record) -> bool:
    return delivering.is_of_delivery(file["state"], file["dataset"], file["reason"])


def _line(file: Record, counted: list[str]) -> list[Any]:
    own = f"{file['dataset']}/"
    is_named = file["arrival"] and file["key"].startswith(own)
    place = f"…/{file['key'].removeprefix(own)}" if is_named else file["key"]
    balanced = "NO" if file["balanced"] is False else file["balanced"]
    name = name_of(file) if file["arrival"] else ""
    gone = "" if file.get("presence", "present") == "present" else f" ({file['presence']})"
    return [name, file["state"], *(_count(file, each) for each in counted), balanced, place + gone]


def _count(file: Record, name: str) -> int | None:
    return (file["rows"] or {}).get(name)


def as_json(file: Record) -> dict[str, Any]:
    """A file as conventions say for every listing."""
    rows = file["rows"] or {}
    names = {"file_id": file["file_id"], "name": name_of(file), "organisation": file["organisation"]}
    return (
        names
        | {"table": file["table_name"]}
        | {name: file[name] for name in PLAIN}
        | {"registered_at": file["registered_at"], "found_by": file["found_by"]}
        | {"rows": {name: rows.get(name, 0) for name in OUTCOMES}, "balanced": file["balanced"]}
        | {name: file[name] for name in ("presence", "open_rejects", "corrects", "removes")}
        | ({"reason": file["reason"] or file["sent_reason"]} if file["removes"] else {})
    )


async def story(stores: Stores, file: Record) -> dict[str, Any]:
    """The file with its audit trail, and the jobs of it that wait, run or failed."""
    trail = await stores.registry(
        "SELECT at, who, from_state, to_state, why FROM file_audit WHERE file_id = $1 ORDER BY audit_id",
        file["file_id"],
    )
    more = ("sent_by", "sent_reason", "twin_file_id", "declaration_version", "ingested", "loaded", "closed_rejects")
    jobs = await open_jobs(stores, file)
    decided = {
        "holds": await deciding.find_holds(stores, file),
        "files_behind": await deciding.count_behind(stores, file, jobs),
        "decisions": await deciding.find_decisions(stores, file),
    }
    links = await correcting.find_links(stores, file) | await delivering.find_delivery(stores, file)
    told = as_json(file) | {name: file[name] for name in more} | links | decided
    return told | {"jobs": jobs, "audit": [dict(row) for row in trail]}


async def open_jobs(stores: Stores, file: Record) -> list[dict[str, Any]]:
    """What the ingestor and the loader still have to do for the file, or failed to do."""
    query = """
        SELECT kind, state, attempt, tries, due, reason FROM jobs
        WHERE kind = $1 AND lane = $2 AND seq = $3 AND state <> 'DONE'"""
    ingest = await stores.ingestor(query, "ingest", file["dataset"], file["arrival"]) if file["arrival"] else []
    load = await stores.loader(query, "load", file["dataset"], file["position"]) if file["position"] else []
    return [dict(job) for job in (*ingest, *load)]


def write_story(told: dict[str, Any]) -> None:
    """The story for a person: what, how many rows, what happened, and what to do."""
    what = [(name, told[name]) for name in (*WHAT, *WHO, *REJECTS) if told[name] is not None]
    if told["ingested"] and (read_as := told["ingested"].get("format")):
        what.append(("format", format_text(read_as)))
    if told["subject"]:
        what.append(("corrects" if told["corrects"] else "removes", told["subject"]))
    output.write_table(("what", "value"), what)
    is_held = told["state"] == "HELD"
    if not is_held or any(told["rows"].values()):
        title = "rows, if it is released" if is_held else "rows"
        output.write_table(OUTCOMES, [[told["rows"][name] for name in OUTCOMES]], title)
    correcting.write_repairs(told)
    correcting.write_links(told)
    delivering.write_delivery(told)
    deciding.write_holds(told)
    for job in told["jobs"]:
        if job["state"] in ENDED and job["kind"] == "ingest":
            continue  # the file's own state and reason say so
        why = f": {job['reason']}" if job["reason"] else ""
        output.write(f"  {job['kind']} job: {job['state']}, tried {job['tries']} times{why}\n")
    trail = [(row["at"], row["who"], row["from_state"], row["to_state"], row["why"]) for row in told["audit"]]
    output.write_table(("at", "who", "from", "to", "why"), trail, "what happened")
    deciding.write_decisions(told)
    if line := advice(told):
        output.say(line)


def format_text(read_as: dict[str, Any]) -> str:
    """How a file was read, as it would be declared."""
    import orjson
    from waybill_contracts import Format

    names = [name for name in Format.model_fields if name in read_as]
    return f"{{{', '.join(f'{name}: {orjson.dumps(read_as[name]).decode()}' for name in names)}}}"


def advice(told: dict[str, Any]) -> str | None:
    """What a person can do about the file; nothing where nothing is wrong."""
    name = told["name"]
    if has_failed_load(told["jobs"]):
        return f"Its load failed and its dataset waits. Once the cause is mended: waybill file retry '{name}'"
    if delivering.is_of_delivery(told["state"], told.get("table"), told.get("reason")):
        return None  # the reason says what it waits for
    if told["state"] == "IGNORED":
        return "No dataset takes this object. Declare one (waybill dataset apply FILE.yaml) or send it elsewhere."
    if told["state"] == "HELD":
        return deciding.advice(told)
    if told["state"] not in STOPPED:
        return correcting.advice(told) if told.get("open_rejects") else None
    rejects = f"See its rejects (waybill file rejects '{name}'). " if told["rows"]["rejected"] else ""
    return (
        f"Nothing of this file was taken in. {rejects}Send a corrected file; or mend the declaration "
        f"(waybill dataset apply FILE.yaml) and then: waybill file retry '{name}' --as-declared-now"
    )


def has_failed_load(jobs: Iterable[dict[str, Any]]) -> bool:
    """Whether the loader gave up on the file."""
    return any(job["kind"] == "load" and job["state"] == "FAILED" for job in jobs)
