"""waybill dataset list | show | check | apply | infer."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from waybill_contracts import Declaration, DeclarationError, DeclarationRequested
from waybill_contracts.declaration_yaml import dump_declaration, parse_declaration

from waybill import output
from waybill.environment import CliSettings, settings
from waybill.output import Refusal, Unreachable, run
from waybill.references import split_dataset
from waybill.requests import current_user, publish
from waybill.stores import Stores, open_stores

if TYPE_CHECKING:
    from waybill.sampling import Trial

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Datasets: what their files mean.")
Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]
DeclarationFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The declaration, a YAML file.")]
APPLY_SECONDS = 20.0


@app.command("list")
def list_datasets(json: Json = False) -> None:
    """Every dataset, with its files counted by state."""

    async def work() -> list[dict[str, Any]]:
        query = """
            SELECT d.dataset, d.declaration_version, count(f.*) AS files,
                count(*) FILTER (WHERE f.state = 'LOADED') AS loaded,
                count(*) FILTER (WHERE f.state IN ('REGISTERED', 'INGESTED')) AS in_work,
                count(*) FILTER (WHERE f.state IN ('FAILED', 'HELD', 'REFUSED')) AS stopped,
                max(f.changed_at) AS changed_at
            FROM datasets d LEFT JOIN files f USING (dataset) GROUP BY d.dataset ORDER BY d.dataset"""
        async with open_stores(settings()) as stores:
            return [dict(row) for row in await stores.registry(query)]

    found = run(work())
    if json:
        output.write_json(found)
    else:
        columns = ("dataset", "declared", "files", "loaded", "in work", "stopped", "last change")
        output.write_table(columns, [_line(row) for row in found])


def _line(row: dict[str, Any]) -> list[Any]:
    declared = f"version {row['declaration_version']}" if row["declaration_version"] else "not declared"
    counts = [row[name] for name in ("files", "loaded", "in_work", "stopped")]
    return [row["dataset"], declared, *counts, row["changed_at"]]


@app.command("show")
def show(dataset: Annotated[str, typer.Argument(help="As acme/orders.")], json: Json = False) -> None:
    """The declaration as it stands, and how far the dataset has come."""

    async def work() -> dict[str, Any]:
        split_dataset(dataset)
        async with open_stores(settings()) as stores:
            return await _standing(stores, dataset)

    told = run(work())
    if json:
        output.write_json(told)
        return
    standing = {name: value for name, value in told.items() if name not in ("declaration", "trail")}
    output.write_table(("what", "value"), list(standing.items()))
    if told["declaration"]:
        output.write(dump_declaration(Declaration.model_validate(told["declaration"])))
    output.write_table(("at", "who", "what", "why"), [list(row.values()) for row in told["trail"]], "declarations")


async def _standing(stores: Stores, dataset: str) -> dict[str, Any]:
    found = await stores.registry(
        """
        SELECT d.dataset, d.declaration_version, d.last_arrival, d.last_position, v.who AS declared_by, v.accepted_at,
            v.body AS declaration
        FROM datasets d LEFT JOIN declarations v ON v.dataset = d.dataset AND v.version = d.declaration_version
        WHERE d.dataset = $1""",
        dataset,
    )
    if not found:
        raise Refusal(f"no dataset is called {dataset!r}; see: waybill dataset list")
    trail = (
        "SELECT at, who, to_state AS what, why FROM file_audit WHERE dataset = $1 AND file_id IS NULL ORDER BY audit_id"
    )
    applied = await stores.loader("SELECT applied FROM datasets WHERE dataset = $1", dataset)
    return dict(found[0]) | {
        "applied_position": applied[0]["applied"] if applied else 0,
        "trail": [dict(row) for row in await stores.registry(trail, dataset)],
    }


@app.command("check")
def check(
    path: DeclarationFile,
    sample: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A data file: what would become of it.")
    ] = None,
    json: Json = False,
) -> None:
    """Whether a declaration would be accepted, and what it would make of a data file; nothing needs to run."""
    declaration = _parsed(path)
    trial = run(_try_out(declaration, sample)) if sample else None
    if json:
        tried = trial and trial.as_json()
        accepted = declaration.model_dump(mode="json")
        output.write_json({"dataset": declaration.dataset, "declaration": accepted, "sample": tried})
    else:
        output.say(f"{path}: a good declaration of {declaration.dataset} ({_summary(declaration)})")
    if trial and not json:
        from waybill.trials import write_trial

        write_trial(trial)
    if trial and trial.outcome != "LOADED":
        raise typer.Exit(output.BAD_ANSWER)


async def _try_out(declaration: Declaration, sample: Path) -> "Trial":
    # Polars and the ingestor come with it, which the other commands do not need.
    from waybill.sampling import try_out

    return await try_out(declaration, sample)


def _summary(declaration: Declaration) -> str:
    if not declaration.is_complete:
        found = "key is" if declaration.columns else "columns are" if declaration.key else "columns and key are"
        return f"mode {declaration.mode}; {found} found in its first file"
    key = f"key {', '.join(declaration.key)}" if declaration.key else "no key"
    return f"{len(declaration.columns)} columns, mode {declaration.mode}, {key}"


@app.command("apply")
def apply(
    path: DeclarationFile,
    user: Annotated[str | None, typer.Option(help="Who asks; you by default.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the audit trail.")] = None,
) -> None:
    """From now on the dataset's files mean this; files that waited for a declaration are taken in."""
    declaration = _parsed(path)
    answer, why = run(_ask(declaration, user or current_user(), reason))
    if answer == "REFUSED":
        output.fail(f"{declaration.dataset}: REFUSED: {why}", output.BAD_ANSWER)
    is_new = answer != "UNCHANGED"
    told = answer.replace("DECLARED", "declared, version") if is_new else "this is its declaration already"
    output.say(f"{declaration.dataset}: {told}")


@app.command("infer")
def infer(
    data: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file of the dataset, CSV.")],
    to: Annotated[str | None, typer.Option("--to", help="The dataset, as acme/orders.")] = None,
) -> None:
    """A declaration made from a file, as YAML to look through and apply; nothing needs to run."""
    from waybill.inferring import inferred_declaration

    async def work() -> tuple[Declaration, list[str]]:
        return inferred_declaration(data, to)

    declaration, doubts = run(work())
    output.write(dump_declaration(declaration).rstrip("\n"))
    for doubt in doubts:
        output.say(doubt)


async def _ask(declaration: Declaration, user: str, reason: str | None) -> tuple[str, str | None]:
    return await ask_for(settings(), declaration, user, reason)


async def ask_for(
    using: CliSettings, declaration: Declaration, user: str, reason: str | None
) -> tuple[str, str | None]:
    """Ask for the declaration; what the registry answered and why, as it stands in the audit trail."""
    request = DeclarationRequested(
        organisation=declaration.organisation,
        table=declaration.table,
        declaration=declaration,
        user=user,
        reason=reason,
    )
    async with open_stores(using) as stores:
        before = await _last_entry(stores, declaration.dataset)
        await publish(using, request)
        return await _answer(stores, declaration.dataset, before)


async def _last_entry(stores: Stores, dataset: str) -> int:
    query = "SELECT coalesce(max(audit_id), 0) AS last FROM file_audit WHERE dataset = $1 AND file_id IS NULL"
    return int((await stores.registry(query, dataset))[0]["last"])


async def _answer(stores: Stores, dataset: str, after: int) -> tuple[str, str | None]:
    query = "SELECT to_state, why FROM file_audit WHERE dataset = $1 AND file_id IS NULL AND audit_id > $2"
    end = time.monotonic() + APPLY_SECONDS
    while time.monotonic() < end:
        for row in await stores.registry(query, dataset, after):
            return row["to_state"], row["why"]
        await asyncio.sleep(0.1)
    raise Unreachable(f"the registry has not answered within {APPLY_SECONDS:.0f} s; does it run? waybill status")


def _parsed(path: Path) -> Declaration:
    # Polars comes with it, which the other commands do not need.
    from records.rules import check_declaration

    try:
        declaration = parse_declaration(path.read_text(encoding="utf-8"), str(path))
    except (DeclarationError, UnicodeDecodeError) as error:
        output.fail(str(error), output.WRONG_USE)
    problems = check_declaration(declaration)
    if problems:
        output.fail("\n".join(f"{path}: {problem}" for problem in problems), output.WRONG_USE)
    return declaration
