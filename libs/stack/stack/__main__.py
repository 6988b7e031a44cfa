"""python -m stack fetch | up [--detach] | down | status: the servers alone, without Waybill's services."""

import argparse
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from stack import background, foreground
from stack.errors import StackError
from stack.fetch import fetch
from stack.ports import Ports, avoiding_taken, free_ports, one_at_a_time
from stack.processes import end_of
from stack.progress import shown
from stack.servers import Stack, status


def main() -> int:
    """Runs the command; 0 done, 3 when a server could not be had."""
    arguments = _arguments()
    arguments.folder = arguments.folder.absolute()
    try:
        return COMMANDS[arguments.command](arguments)
    except StackError as error:
        _say(str(error))
        return 3


def _fetch(arguments: argparse.Namespace) -> int:
    with shown() as progress:
        fetch(progress)
    return 0


def _up(arguments: argparse.Namespace) -> int:
    _fetch(arguments)
    if arguments.detach:
        options = [f"--environment-file={arguments.environment_file}"] if arguments.environment_file else []
        options += ["--free-ports"] if arguments.free_ports else []
        options += ["--queue-notifications"] if arguments.queue_notifications else []
        pid = background.start(background.supervisor_command(arguments.folder, *options), arguments.folder)
        _say(f"the stack runs as process {pid}; stop it with: python -m stack down --folder {arguments.folder}")
        return 0
    with foreground.stoppable():
        _run(arguments)
    return 0


def _run(arguments: argparse.Namespace) -> None:
    began = time.monotonic()
    queue = arguments.queue_notifications
    with ExitStack() as ends:
        with one_at_a_time():
            ports, moved = (free_ports(), []) if arguments.free_ports else avoiding_taken(Ports())
            for line in moved:
                _say(line)
            stack = ends.enter_context(Stack(arguments.folder, ports=ports, log=_say, queue_notifications=queue))
        path = arguments.environment_file or arguments.folder / "stack.env"
        stack.write_environment(path)
        _say(f"ready after {time.monotonic() - began:.1f} s; how to reach it: {path}")
        foreground.watch(stack.check)


def _down(arguments: argparse.Namespace) -> int:
    _say("stopped" if background.stop(arguments.folder) else f"no stack runs on {arguments.folder}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    now = status(arguments.folder)
    if not now["running"]:
        _say(end_of(arguments.folder / "logs/supervisor.log"))
    sys.stdout.write(json.dumps(now, indent=2) + "\n")
    return 0 if now["ready"] and all(server["alive"] for server in now["servers"].values()) else 1


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--folder", type=Path, default=Path(".waybill"), help="where the data lies")
    parser.add_argument("--environment-file", type=Path, help="default: stack.env in the folder")
    parser.add_argument("--detach", action="store_true", help="go on in the background")
    parser.add_argument("--free-ports", action="store_true", help="any free ports instead of the fixed ones")
    parser.add_argument("--queue-notifications", action="store_true", help="survive Kafka's absence; events come later")
    return parser.parse_args()


COMMANDS = {"fetch": _fetch, "up": _up, "down": _down, "status": _status}

if __name__ == "__main__":
    sys.exit(main())
