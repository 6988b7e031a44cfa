"""Data on stdout, the rest on stderr; exit codes of the conventions."""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer
from chassis.errors import is_away
from rich.console import Console
from rich.text import Text
from stack.errors import StackError

if TYPE_CHECKING:
    from rich.progress import Progress

BAD_ANSWER, WRONG_USE, UNREACHABLE = 1, 2, 3
LOG_WIDTH = 120
NUMBERS = {"size", "arrival", "position", "attempt", "tries", "version", "line", "seq"} | {
    *("files", "loaded", "in work", "stopped", "open", "rejects closed"),
    *("read", "inserted", "updated", "unchanged", "duplicate", "stale", "rejected", "deleted"),
}
NAMES = {"file", "state", "at", "by", "what"}
Result = TypeVar("Result")

# In a pipe or a log there is no width to ask for.
out = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else LOG_WIDTH, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)


class Refusal(Exception):
    """The command was used wrongly: what, and what to do."""


class Unreachable(Exception):
    """A dependency cannot be reached: which one, where, what to start."""


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end; what cannot be done becomes a sentence and an exit code."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it would say is in the sentence
    try:
        return asyncio.run(work)
    except Refusal as error:
        fail(str(error), WRONG_USE)
    except (Unreachable, StackError) as error:
        fail(str(error), UNREACHABLE)
    except KeyboardInterrupt:
        fail("interrupted", 130)
    except Exception as error:
        if isinstance(error, OSError) and error.filename:
            fail(f"{error.filename}: {error.strerror}", WRONG_USE)
        if not is_away(error):
            raise
        fail(f"a server does not answer ({type(error).__name__}: {error}); see: waybill doctor", UNREACHABLE)


def fail(message: str, code: int) -> NoReturn:
    """The message on stderr, and the end of the command."""
    err.print(Text(_harmless(message), style="red"))
    raise typer.Exit(code)


def say(message: str) -> None:
    """A remark to the person, not data."""
    err.print(Text(_harmless(message)))


def write(text: str) -> None:
    """Text on stdout as it is, but for control characters."""
    sys.stdout.write(_harmless(text) + "\n")


def progress() -> "Progress":
    """Bars on stderr where somebody watches, silent elsewhere."""
    from rich.progress import Progress

    return Progress(console=err, transient=True, disable=not err.is_terminal)


def write_json(value: Any) -> None:
    """One JSON document on stdout; what could move the cursor is escaped, which says the same."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
    text = orjson.dumps(value, default=str, option=options).decode()
    odd = {sign for sign in set(text) if not sign.isprintable() and sign != "\n"}
    sys.stdout.write(text.translate({ord(sign): _json_escaped(sign) for sign in odd}))


def _json_escaped(sign: str) -> str:
    units = sign.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def write_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None = None) -> None:
    """A table on stdout; control characters are shown, never sent to the terminal."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in columns:
        right = column in NUMBERS
        table.add_column(
            Text(shown(column)), justify="right" if right else "left", no_wrap=right or column in NAMES, overflow="fold"
        )
    for row in rows:
        table.add_row(*[Text(shown(value)) for value in row])
    if title:
        out.print(Text(f"\n{shown(title)}", style="bold"))
    out.print(table)


def shown(value: Any) -> str:
    """A value as one line of text that cannot move the cursor."""
    from datetime import datetime

    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _harmless(text: str) -> str:
    return "\n".join(map(shown, text.split("\n")))
