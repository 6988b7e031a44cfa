"""The local installation: the stack's four servers and Waybill's services, as one tree of processes."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from stack import background
from stack.errors import StackError
from stack.ports import Ports, avoiding_taken, by_whom, is_free, one_at_a_time
from stack.processes import Process, end_of, first_dead, service, stop_all
from stack.progress import shown
from stack.server import died
from stack.servers import Stack, erase, holder

from waybill.environment import FILE

SERVICES = {"registry": 8401, "ingestor": 8402, "loader": 8403}
SERVICES_FILE = "services.json"
SAMPLES_FOLDER = "demo"
READY_SECONDS = 60.0


@contextmanager
def running(
    folder: Path, say: Callable[[str], None], queue_notifications: bool = False
) -> Iterator[tuple[Stack, list[Process]]]:
    """Everything up and ready; all of it ends with the block."""
    programs = fetch_programs()
    with ExitStack() as ends:
        with one_at_a_time():
            began = time.monotonic()
            ports, moved = avoiding_taken(Ports())
            for line in moved:
                say(line)
            stack = Stack(folder, ports=ports, programs=programs, log=say, queue_notifications=queue_notifications)
            ends.enter_context(stack)
            stack.write_environment(folder / FILE)
            services = make_services(stack, folder, say)
            ends.callback(stop_all, services)
            ends.callback((folder / SERVICES_FILE).unlink, missing_ok=True)
            _start(stack, services, folder, say)
        say(f"ready after {time.monotonic() - began:.1f} s; other clients find it by {folder / FILE}")
        yield stack, services


def fetch_programs() -> Any:
    """The servers' programs, with a line for each that has to be fetched or built first."""
    # Slow to import, and only needed where servers are started.
    from stack.fetch import fetch

    with shown() as progress:
        return fetch(progress)


def make_services(stack: Stack, folder: Path, say: Callable[[str], None]) -> list[Process]:
    """The services' processes, not started, each on its port or the next free one."""
    made = []
    for name, port in SERVICES.items():
        free = port
        while not is_free(free):
            free += 10
        if free != port:
            say(f"{name}: port {port} is taken{by_whom(port)}, so it listens on {free}")
        own = {"WAYBILL_HTTP__PORT": str(free), "WAYBILL_LOG__FORMAT": os.environ.get("WAYBILL_LOG__FORMAT", "json")}
        made.append(service(name, stack.environment() | declarations() | own, folder / "logs"))
    return made


def declarations() -> dict[str, str]:
    """The setting that names the folder `datasets` here, if there is one."""
    folder = Path("datasets").absolute()
    return {"WAYBILL_DATASETS": str(folder)} if folder.is_dir() else {}


def _start(stack: Stack, services: list[Process], folder: Path, say: Callable[[str], None]) -> None:
    for process in services:
        process.start()
    end = time.monotonic() + READY_SECONDS
    for process in services:
        _wait_until_ready(process, end)
        say(f"{process.name} is ready")
    # Another installation may have taken a port meanwhile, and answered in the place of a service that has ended.
    check(stack, services)
    known = {each.name: {"pid": each.pid, "port": _port(each), "log": str(each.log)} for each in services}
    aside = folder / f".{SERVICES_FILE}"
    aside.write_text(json.dumps(known))
    aside.rename(folder / SERVICES_FILE)


def _port(process: Process) -> int:
    return int(process.environment["WAYBILL_HTTP__PORT"])


def _wait_until_ready(process: Process, end: float) -> None:
    while (found := health(_port(process)))[0] != "ready":
        if not process.is_running:
            raise died(process)
        if time.monotonic() > end:
            raise StackError(f"{process.name} is {found[0]}: {found[1]}\n{process.log_end()}")
        time.sleep(0.1)


def health(port: int) -> tuple[str, str]:
    """`ready`, `not ready` or `away`, and why."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=3) as reply:
            return "ready", _reasons(reply.read())
    except HTTPError as error:
        return "not ready", _reasons(error.read())
    except OSError as error:
        return "away", str(getattr(error, "reason", error))


def _reasons(body: bytes) -> str:
    text = body.decode(errors="replace")
    try:
        told = json.loads(text)
    except ValueError:
        return text
    reasons = told.get("reasons") if isinstance(told, dict) else None
    return "; ".join(f"{what}: {why}" for what, why in reasons.items()) if isinstance(reasons, dict) else text


def check(stack: Stack, services: list[Process]) -> None:
    """Raises with name and end of the log when a server or a service has ended by itself."""
    stack.check()
    dead = first_dead(services)
    if dead:
        raise died(dead)


def known_services(folder: Path) -> dict[str, dict[str, Any]]:
    """The services that run on this folder; none where nothing runs."""
    path = folder / SERVICES_FILE
    if holder(folder) is None or not path.is_file():
        return {}
    known: dict[str, dict[str, Any]] = json.loads(path.read_text())
    return known


def start_in_background(folder: Path, queue_notifications: bool = False) -> int:
    """The whole installation apart from this terminal; its process once all are ready. One that runs is left alone."""
    if holder(folder) is None:
        fetch_programs()  # here, where somebody sees how far it is
        options = ["--queue-notifications"] if queue_notifications else []
        background.start([sys.executable, "-m", "waybill", "up", *options], folder)
    end = time.monotonic() + READY_SECONDS
    while not known_services(folder):
        if holder(folder) is None:
            raise StackError(f"the services did not start:\n{end_of(folder / 'logs/supervisor.log')}")
        if time.monotonic() > end:
            background.stop(folder)
            raise StackError(f"not ready in time:\n{end_of(folder / 'logs/supervisor.log')}")
        time.sleep(0.1)
    return holder(folder) or 0


def remove(folder: Path) -> None:
    """All data of an installation that does not run; the programs stay in their cache."""
    erase(folder)
    for name in (FILE, SERVICES_FILE):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / SAMPLES_FOLDER, ignore_errors=True)
