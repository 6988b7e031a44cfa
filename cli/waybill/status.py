"""waybill status: what runs, what is in work, what waits for a person."""

from typing import Annotated, Any

import typer

from waybill import installation, output
from waybill.environment import home, is_local, settings
from waybill.output import run
from waybill.references import name_of
from waybill.stores import Stores, open_stores

Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
JOB = ("service", "kind", "lane", "seq", "state", "tries", "reason")
# One query for all services: each has these tables in its own schema.
OPEN_JOBS = """
    SELECT kind, lane, seq, state, attempt, tries, reason FROM jobs
    WHERE state IN ('QUEUED', 'RUNNING', 'HELD', 'LATE', 'FAILED') AND lane <> '-'
      AND (state <> 'FAILED' OR kind = 'load')
    ORDER BY kind, lane, seq LIMIT 100"""


def status(json: Json = False) -> None:
    """Services, files by state, jobs in work or failed, events not yet sent, consumers on hold."""

    async def work() -> dict[str, Any]:
        async with open_stores(settings()) as stores:
            return await _status(stores)

    told = run(work())
    if json:
        output.write_json(told)
    else:
        _write(told)
    if told["failed_loads"] or told["held_consumers"]:
        raise typer.Exit(output.BAD_ANSWER)


async def _status(stores: Stores) -> dict[str, Any]:
    files = await stores.registry("SELECT state, count(*) AS files FROM files GROUP BY state ORDER BY state")
    (rejects,) = await stores.registry("SELECT sum(open_rejects) AS open FROM files WHERE open_rejects > 0")
    jobs: list[dict[str, Any]] = []
    holds: list[dict[str, Any]] = []
    pending: dict[str, int] = {}
    for name in installation.SERVICES:
        query = getattr(stores, name)
        own = {"service": name}
        jobs += [own | dict(row) for row in await query(OPEN_JOBS)]
        holds += [own | dict(row) for row in await query("SELECT * FROM consumers WHERE held_since IS NOT NULL")]
        pending[name] = (await query("SELECT count(*) AS pending FROM outbox WHERE published_at IS NULL"))[0]["pending"]
    return {
        "services": _services(),
        "files": {row["state"]: row["files"] for row in files},
        "open_rejects": int(rejects["open"] or 0),
        "open_jobs": [job for job in jobs if job["state"] != "FAILED"],
        "failed_loads": [job | await _file(stores, job) for job in jobs if job["state"] == "FAILED"],
        "outbox_pending": pending,
        "held_consumers": holds,
    }


async def _file(stores: Stores, job: dict[str, Any]) -> dict[str, Any]:
    query = "SELECT dataset, arrival, key FROM files WHERE dataset = $1 AND position = $2"
    return {"file": next(map(name_of, await stores.registry(query, job["lane"], job["seq"])), None)}


def _services() -> dict[str, dict[str, Any]]:
    known = installation.known_services(home()) if is_local() else {}
    return {
        name: dict(zip(("health", "reason"), installation.health(each["port"]), strict=True))
        for name, each in known.items()
    }


def _write(told: dict[str, Any]) -> None:
    if told["services"]:
        rows = [(name, each["health"], each["reason"]) for name, each in told["services"].items()]
        output.write_table(("service", "health", "reason"), rows, "services")
    output.write_table(("state", "files"), list(told["files"].items()) or [("no file came yet", 0)], "files")
    if told["open_jobs"]:
        output.write_table(JOB, [[job[column] for column in JOB] for job in told["open_jobs"]], "jobs in work")
    waiting = {name: count for name, count in told["outbox_pending"].items() if count}
    output.say(f"events not yet sent: {', '.join(f'{name} {n}' for name, n in waiting.items()) or 'none'}")
    if held := told["files"].get("HELD"):
        what = "1 file waits" if held == 1 else f"{held} files wait"
        output.say(f"{what} for a decision: waybill file list --state HELD")
    if count := told["open_rejects"]:
        what = "1 rejected row is" if count == 1 else f"{count:,} rejected rows are"
        output.say(f"{what} open, to be corrected: waybill file list --open-rejects")
    for job in told["failed_loads"]:
        output.say(
            f"LOAD FAILED: {job['lane']} waits at position {job['seq']}: {job['reason']}\n"
            f"  once the cause is mended: waybill file retry '{job['file']}'"
        )
    for hold in told["held_consumers"]:
        since = output.shown(hold["held_since"])
        output.say(
            f"ON HOLD: the {hold['service']} takes nothing from {hold['topic']} since {since}: {hold['reason']}\n"
            f"  see: waybill dead-letter list {hold['service']}; then redrive or discard them"
        )
