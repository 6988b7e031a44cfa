"""waybill file put | list | show | rejects | retry | release | refuse."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waybill import correcting, deciding, output, waybills
from waybill.drop import put_files, wait_for_versions
from waybill.environment import CliSettings, settings
from waybill.output import Refusal, run
from waybill.references import find_file, name_of, split_dataset
from waybill.stores import open_stores

if TYPE_CHECKING:
    from asyncpg import Record

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Files: drop them, see where they stand, decide about them."
)

STATES = ("REGISTERED", "HELD", "INGESTED", "LOADED", "SKIPPED", "REFUSED", "FAILED", "IGNORED")
RETRIED = ("FAILED", "REFUSED", "SKIPPED")
Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
Reference = Annotated[
    str, typer.Argument(metavar="FILE", help="acme/orders#12, an object key, an id or its beginning.")
]
User = Annotated[str | None, typer.Option(help="Who asks; you by default.", show_default=False)]
Reason = Annotated[str | None, typer.Option(help="Why, for the audit trail.", show_default=False)]


@app.command("put")
def put(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", exists=True, dir_okay=False, readable=True)],
    to: Annotated[str, typer.Option("--to", help="The dataset, as acme/orders.")],
    user: User = None,
    reason: Reason = None,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait", help="Until each has come to an end or is HELD; 1 if one is neither LOADED nor SKIPPED."
        ),
    ] = False,
    corrects: Annotated[
        str | None, typer.Option(metavar="FILE", help="They are corrected rejects of this file.", show_default=False)
    ] = None,
) -> None:
    """Drop files into the bucket."""
    files = run(_put(paths, to, (user, reason), wait, corrects))
    if not wait:
        return
    waybills.write_list(files)
    # What became of a part is said of its delivery.
    stopped = [file for file in files if file["state"] not in ("LOADED", "SKIPPED") and not file["delivery_id"]]
    for file in stopped:
        output.say(f"{name_of(file)} {file['state']}: {file['reason']}; more: waybill file show '{name_of(file)}'")
    if stopped:
        raise typer.Exit(output.BAD_ANSWER)


async def _put(
    paths: list[Path], to: str, who: tuple[str | None, str | None], wait: bool, corrects: str | None
) -> "list[Record]":
    from waybill.requests import current_user

    split_dataset(to)
    using = settings()
    folder = to
    if corrects:
        async with open_stores(using) as stores:
            folder = correcting.folder_for(await find_file(stores, corrects), to)
    versions = await put_files(using, paths, folder, (who[0] or current_user(), who[1]))
    for key, _ in versions:
        output.say(f"sent {output.shown(key)}")
    return await wait_for_versions(using, versions) if wait else []


@app.command("list")
def list_files(
    dataset: Annotated[str | None, typer.Argument(help="Only this dataset's.", show_default=False)] = None,
    state: Annotated[str | None, typer.Option(help=f"Only files in this state: {', '.join(STATES)}.")] = None,
    open_rejects: Annotated[bool, typer.Option("--open-rejects", help="Only files with rejects to correct.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 100,
    json: Json = False,
) -> None:
    """Every file there ever was, and where it stands."""
    files = run(_list(dataset, state.upper() if state else None, open_rejects, limit))
    if json:
        output.write_json([waybills.as_json(file) for file in files])
    else:
        waybills.write_list(files)
        if len(files) == limit:
            output.say(f"only the newest {limit}; more: --limit")


async def _list(dataset: str | None, state: str | None, open_rejects: bool, limit: int) -> "list[Record]":
    if state and state not in STATES:
        raise Refusal(f"no state is called {state!r}; expected one of {', '.join(STATES)}")
    if dataset:
        split_dataset(dataset)
    query = """
        SELECT * FROM (
            SELECT * FROM files WHERE ($1::text IS NULL OR dataset = $1) AND ($2::text IS NULL OR state = $2)
              AND (NOT $4 OR open_rejects > 0)
            ORDER BY found_order DESC LIMIT $3
        ) AS newest ORDER BY found_order"""
    async with open_stores(settings()) as stores:
        files = await stores.registry(query, dataset, state, limit, open_rejects)
        if dataset and not files and not await stores.registry("SELECT FROM datasets WHERE dataset = $1", dataset):
            raise Refusal(f"no dataset is called {dataset!r}; see: waybill dataset list")
        return files


@app.command("show")
def show(file: Reference, json: Json = False) -> None:
    """One file: its waybill, what happened to it, and what to do."""

    async def work() -> dict[str, Any]:
        async with open_stores(settings()) as stores:
            return await waybills.story(stores, await find_file(stores, file))

    told = run(work())
    if json:
        output.write_json(told)
    else:
        output.say(output.shown(told["name"]))
        waybills.write_story(told)


@app.command("rejects")
def rejects(
    file: Reference,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that nothing corrected yet.")] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Save the sender's copy of them there.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the first.")] = 100,
    json: Json = False,
) -> None:
    """The rows that were refused, with line, reasons and raw text."""
    if save:
        size = run(_save(file, save, only_open))
        output.say(f"saved {save}, {size:,} bytes; how to send it back: waybill file show '{file}'")
        return

    async def work() -> "tuple[Record, list[dict[str, Any]]]":
        async with open_stores(settings()) as stores:
            meant = await find_file(stores, file)
            return meant, await correcting.find_rejects(stores, meant, limit, only_open)

    meant, found = run(work())
    if json:
        output.write_json(found)
    else:
        correcting.write_rejects(found)
    total = (meant["open_rejects"] if only_open else (meant["rows"] or {}).get("rejected")) or 0
    if total > len(found):
        place = correcting.rejects_key(meant)
        output.say(f"{len(found)} of {total} shown; all are in bucket {meant['bucket']}-out under {place}")


async def _save(reference: str, path: Path, only_open: bool) -> int:
    using = settings()
    async with open_stores(using) as stores:
        return await correcting.save_rejects(using, stores, await find_file(stores, reference), path, only_open)


@app.command("retry")
def retry(
    file: Reference,
    as_declared_now: Annotated[bool, typer.Option("--as-declared-now", help="With the newest declaration.")] = False,
    reason: Reason = None,
    user: User = None,
) -> None:
    """Try a file again that FAILED, was REFUSED or SKIPPED, or whose load failed."""

    async def work() -> str:
        using = settings()
        async with open_stores(using) as stores:
            meant = await find_file(stores, file)
            failed_load = waybills.has_failed_load(await waybills.open_jobs(stores, meant))
        if meant["state"] not in RETRIED and not failed_load:
            raise Refusal(
                f"{name_of(meant)} is {meant['state']}; only files that are {', '.join(RETRIED)},"
                " or whose load failed, are tried again"
            )
        await ask_to_retry(using, meant, as_declared_now, user, reason)
        return name_of(meant)

    name = run(work())
    output.say(f"asked to try {name} again; see: waybill file show '{name}'")


@app.command("release")
def release(
    file: Reference,
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="NAME=COLUMN", help="The file's NAME is the declared COLUMN from now on."),
    ] = None,
    accept_columns: Annotated[
        bool, typer.Option("--accept-columns", help="Declare what the file has beyond the declaration, or lacks.")
    ] = False,
    read_as: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="N",
            help="Files are read as candidate N from now on, or as said: delimiter=;,encoding=windows-1252",
            show_default=False,
        ),
    ] = None,
    reason: Reason = None,
    user: User = None,
) -> None:
    """Take a file in that is HELD, and go on with those behind it, under the newest declaration."""

    async def work() -> tuple[str, int | None]:
        renames = deciding.read_renames(maps or [])
        how = {"renames": renames, "accept_columns": accept_columns}
        return await _decide(file, "release", (user, reason), read_as, **how)

    name, version = run(work())
    output.say(f"{name} is released, under version {version} of its declaration; see: waybill file show '{name}'")


@app.command("refuse")
def refuse(file: Reference, reason: Reason = None, user: User = None) -> None:
    """Leave a file out that is HELD; those behind it go on."""
    name, _ = run(_decide(file, "refuse", (user, reason)))
    output.say(f"{name} is refused; those behind it go on. Its records stay as they are: waybill file show '{name}'")


async def _decide(
    reference: str,
    decision: deciding.Decision,
    who: tuple[str | None, str | None],
    read_as: str | None = None,
    **how: Any,
) -> tuple[str, int | None]:
    using = settings()
    async with open_stores(using) as stores:
        meant = await find_file(stores, reference)
        deciding.check_is_held(meant)
        if read_as is not None:
            candidates = deciding.candidates_of(await deciding.find_holds(stores, meant))
            how["format"] = deciding.read_format(read_as, candidates)
    answer = await deciding.decide(using, meant, decision, who, **how)
    if answer["problem"]:
        output.fail(f"{name_of(meant)} is as it was: {answer['problem']}", output.BAD_ANSWER)
    return name_of(meant), answer["declaration_version"]


async def ask_to_retry(
    using: CliSettings, file: "Record", as_declared_now: bool, user: str | None, reason: str | None
) -> None:
    """Ask for another attempt at the file as it stands now."""
    from waybill_contracts import RetryRequested

    from waybill.requests import current_user, publish

    request = RetryRequested(
        organisation=file["organisation"],
        table=file["table_name"],
        file_id=file["file_id"],
        attempt=file["attempt"],
        as_declared_now=as_declared_now,
        user=user or current_user(),
        reason=reason,
    )
    await publish(using, request)
