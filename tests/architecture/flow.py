"""docs/flow.md, made from what the services say of themselves: `python tests/architecture/flow.py` writes it."""

import ast
import importlib
import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import MagicMock

import house
from chassis import Service
from chassis.names import Names
from waybill_contracts import EVENTS, Event

PAGE = house.ROOT / "docs" / "flow.md"
NAMES = Names("waybill")
TABLE = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", re.MULTILINE)
COMMAND_LINE = "command line"
# Events that nobody handles yet, and who will.
FOR_LATER_SERVICES = {"FileGone": "quality and the reconciler"}


@dataclass(frozen=True)
class Part:
    """A service, as the page shows it."""

    service: Service
    promise: str
    tables: tuple[str, ...]


@cache
def parts() -> tuple[Part, ...]:
    """Every service, wired without a connection."""
    return tuple(part_of(name) for name in house.SERVICES)


@cache
def part_of(name: str) -> Part:
    main = importlib.import_module(f"{name}.main")
    settings = importlib.import_module(f"{name}.settings").Settings.model_construct()
    rooms = {parameter: MagicMock() for parameter in inspect.signature(main.service).parameters}
    service = main.service(**rooms | {"settings": settings})
    return Part(service, _first_line(main.__doc__), tables(house.ROOT / "services" / name / name / "migrations"))


def tables(migrations: Path) -> tuple[str, ...]:
    """Tables that the migrations make, in their order."""
    return tuple(table for path in sorted(migrations.glob("*.sql")) for table in TABLE.findall(path.read_text()))


def made(modules: Iterable[ast.Module]) -> set[str]:
    """Events that the code makes: only what is going to be emitted is ever constructed."""
    names = {event.__name__ for event in EVENTS}
    return {house.called(call) for module in modules for call in house.calls(module)} & names


def made_in(folder: str) -> set[str]:
    """Events that the product code of a folder makes."""
    return made(house.tree(path) for path in house.product() if path.is_relative_to(folder))


def emitters(event: type[Event]) -> list[str]:
    """Who says it: services by their wiring, the command line by its code."""
    names = [part.service.name for part in parts() if event in part.service.emits]
    return names + [COMMAND_LINE] * (event.__name__ in made_in("cli"))


def handlers(event: type[Event]) -> list[str]:
    """Who acts on it."""
    return [
        f"{part.service.name} (`{_name(part.service.handles[event])}`)"
        for part in parts()
        if event in part.service.handles
    ]


def _name(handler: object) -> str:
    return str(getattr(getattr(handler, "func", handler), "__name__", handler))


def _first_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0]


def page() -> str:
    """The whole page."""
    lines = [
        "# Flow",
        "",
        "Generated from the services' `main.py` by `python tests/architecture/flow.py`; `make check` keeps it fresh.",
        "",
        "## Events",
        "",
        "| event | what it says | topic | emitted by | handled by |",
        "|---|---|---|---|---|",
        *map(_event_row, EVENTS),
        "",
        "## Services",
        *(line for part in parts() for line in _service_lines(part)),
        "",
        "## In every service's schema",
        "",
        f"{_listed(tables(house.ROOT / 'libs/chassis/chassis/migrations'))}: made by the chassis.",
        "",
    ]
    return "\n".join(lines)


def _event_row(event: type[Event]) -> str:
    later = f"later: {FOR_LATER_SERVICES[event.__name__]}" if event.__name__ in FOR_LATER_SERVICES else "nobody"
    said = _first_line(event.__doc__).replace("|", "\\|")
    cells = [f"`{event.__name__}`", said, f"`{NAMES.topic(event.topic)}`", ", ".join(emitters(event)) or "nobody"]
    return f"| {' | '.join([*cells, ', '.join(handlers(event)) or later])} |"


def _service_lines(part: Part) -> list[str]:
    service = part.service
    read = [NAMES.topic(noun) for noun in service.handled_topics]
    written = sorted({NAMES.topic(event.topic) for event in service.emits})
    return [
        "",
        f"### {service.name}",
        "",
        part.promise,
        "",
        f"- reads {_listed(read)}",
        f"- writes {_listed([*written, NAMES.dead_letters(service.name)])}",
        f"- jobs: {_listed(job.name for job in service.jobs)}",
        f"- tables in `{NAMES.schema(service.name)}`: {_listed(part.tables)}",
    ]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


if __name__ == "__main__":
    PAGE.write_text(page())
