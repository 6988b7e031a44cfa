"""waybill up | down | reset | logs | run: the local installation."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from stack import background, foreground
from stack.errors import StackError
from stack.processes import end_of
from stack.servers import holder

from waybill import installation, output
from waybill.environment import FOLDER, home, use_stack_environment

ServiceName = Annotated[str, typer.Argument(help=f"One of {', '.join(installation.SERVICES)}.")]


def up(
    detach: Annotated[bool, typer.Option("--detach", help="Go on in the background; waybill down stops it.")] = False,
    queue_notifications: Annotated[
        bool,
        typer.Option(
            "--queue-notifications",
            help="Let MinIO keep notifications on disk while Kafka is away (each then takes seconds).",
        ),
    ] = False,
) -> None:
    """Start Kafka, MinIO, MongoDB, PostgreSQL and Waybill's services here; Ctrl-C stops them."""
    folder = FOLDER.absolute()
    try:
        if detach:
            output.say("starting Kafka, MinIO, MongoDB, PostgreSQL and the services; some seconds")
            pid = installation.start_in_background(folder, queue_notifications)
            output.say(f"Waybill runs here as process {pid}; see: waybill status; stop it with: waybill down")
            return
        if pid := holder(folder) or 0:
            output.fail(f"Waybill already runs here as process {pid}; stop it with: waybill down", output.WRONG_USE)
        with foreground.stoppable():
            _stay(folder, queue_notifications)
    except StackError as error:
        output.fail(str(error), output.UNREACHABLE)


def _stay(folder: Path, queue_notifications: bool) -> None:
    with installation.running(folder, output.say, queue_notifications) as (stack, services):
        output.say("drop a file: waybill file put FILE.csv --to acme/orders; Ctrl-C stops everything")
        foreground.watch(lambda: installation.check(stack, services))


def down() -> None:
    """Stop what runs here; the data stays."""
    folder = home()
    output.say("stopped" if background.stop(folder) else f"nothing runs in {folder}")


def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop what runs here and remove all its data: bucket, topics, databases, logs."""
    folder = FOLDER.absolute()
    if not folder.exists():
        output.say(f"there is nothing in {folder}")
        return
    if not yes:
        typer.confirm(f"Remove all data in {folder}?", abort=True, err=True)
    background.stop(folder)
    installation.remove(folder)
    output.say(f"removed all data in {folder}")


def logs(
    service: Annotated[
        str | None, typer.Argument(help="A service or server; all by default.", show_default=False)
    ] = None,
    lines: Annotated[int, typer.Option(min=1, help="How many of the last lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
) -> None:
    """The end of the logs."""
    folder = home() / "logs"
    known = sorted(folder.glob("*.log"))
    found = [path for path in known if not service or path.stem == service]
    if not found:
        names = f"; there are: {', '.join(path.stem for path in known)}" if known else ""
        output.fail(f"no log of {service or 'anything'} in {folder}{names}", output.WRONG_USE)
    for path in found:
        if len(found) > 1:
            output.say(f"--- {path.name}")
        output.write(end_of(path, lines))
    if follow:
        sys.stdout.flush()
        with foreground.stoppable():
            _follow(found)


def _follow(paths: list[Path]) -> None:
    ends = {path: path.stat().st_size for path in paths}
    while True:
        for path, end in ends.items():
            with path.open("rb") as log:
                log.seek(end)
                if new := log.read():
                    output.write(new.decode(errors="replace").rstrip("\n"))
                    sys.stdout.flush()
                ends[path] = log.tell()
        time.sleep(0.3)


def run_service(service: ServiceName) -> None:
    """One service in the foreground, for a debugger; the servers must run."""
    if service not in installation.SERVICES:
        known = ", ".join(installation.SERVICES)
        output.fail(f"no service is called {service!r}; expected one of {known}", output.WRONG_USE)
    try:
        use_stack_environment()
    except output.Unreachable as error:
        output.fail(str(error), output.UNREACHABLE)
    own = {"WAYBILL_LOG__FORMAT": "console", "WAYBILL_HTTP__PORT": "0", "WAYBILL_INSTANCE": f"{service}-foreground"}
    for name, value in (own | installation.declarations()).items():
        os.environ.setdefault(name, value)
    os.execv(sys.executable, [sys.executable, "-m", service])
