"""The waybill command: nouns, then verbs."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

# Command -> the module and its function or sub-commands, and the line about it in the list of commands.
COMMANDS = {
    "up": ("local:up", "Start the servers and Waybill's services here; Ctrl-C stops them."),
    "down": ("local:down", "Stop what runs here; the data stays."),
    "reset": ("local:reset", "Stop what runs here and remove all its data."),
    "logs": ("local:logs", "The end of the logs."),
    "run": ("local:run_service", "One service in the foreground, for a debugger."),
    "demo": ("demo:demo", "Files of two organisations go through, and every count is checked."),
    "status": ("status:status", "What runs, what is in work, what waits for a person."),
    "doctor": ("doctor:doctor", "Whether everything Waybill needs can be reached and is set up."),
    "file": ("file:app", "Files: drop them, see where they stand, try them again."),
    "dataset": ("dataset:app", "Datasets: what their files mean."),
    "record": ("record:app", "Records: what happened to one."),
    "dead-letter": ("dead_letter:app", "Messages that could not be handled, put aside whole."),
}


class LoadedWhenUsed(TyperGroup):
    """Imports a command's module when the command is called, not when it is listed: help comes at once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {name: TyperCommand(name, help=line) for name, (_, line) in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself, where `get_command` only knows its name and line."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name else None, rest


def load_command(name: str) -> Any:
    """The command as its module defines it."""
    module, _, member = COMMANDS[name][0].partition(":")
    found = getattr(import_module(f"waybill.{module}"), member)
    if isinstance(found, typer.Typer):
        return get_group(found)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return get_command(alone)


app = typer.Typer(cls=LoadedWhenUsed, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def waybill() -> None:
    """Every file gets a waybill: proof that each row was loaded, was already there, or was refused with a reason."""


def main() -> None:
    """The entry point."""
    app()
