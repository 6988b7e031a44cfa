"""Declarations as people write them: YAML, one dataset a file; every problem with file, line, field and expectation."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson
import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from waybill_contracts.column import Column
from waybill_contracts.declaration import Declaration, DeclarationError, Group, Guards, OrderBy, Partition, Rule
from waybill_contracts.event import MAX_INTEGER
from waybill_contracts.format import Format

MAX_BYTES = 1_000_000
MAX_DEPTH = 10
MAX_PROBLEMS = 50

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LINE_ENDS = re.compile("[\r\n\x85\u2028\u2029]")
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
FLOAT = re.compile(r"[-+]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][-+]?[0-9]{1,3})?")
# YAML 1.2: NO is a country and 2026-01-31 a text here.
WORDS: dict[str, bool | None] = {
    word: value
    for names, value in (("null Null NULL ~", None), ("true True TRUE", True), ("false False FALSE", False))
    for word in names.split()
} | {"": None}

Path = tuple[str | int, ...]


@dataclass
class Tree:
    """A YAML document as plain values, the line of each, and what is wrong with it."""

    file_name: str
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def note(self, line: int, path: Path, expected: str) -> None:
        where = ".".join(map(str, path)) or "declaration"
        self.problems.append(f"{self.file_name}:{line}: {where}: {expected}")

    def line(self, path: Path) -> int:
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def known(self, path: Path) -> Path:
        """The longest beginning of the path that the document has."""
        while path and path not in self.lines:
            path = path[:-1]
        return path


def parse_declaration(text: str, file_name: str) -> Declaration:
    """The declaration; DeclarationError with all its problems when it is none."""
    tree = Tree(file_name)
    value = _read(text, tree)
    if tree.problems:
        raise DeclarationError(tree.problems[:MAX_PROBLEMS])
    try:
        return Declaration.model_validate_json(orjson.dumps(value), strict=True)
    except ValidationError as error:
        seen: set[Path] = set()
        for detail in error.errors(include_url=False):
            _note_fault(tree, detail, seen)
    raise DeclarationError(tree.problems[:MAX_PROBLEMS])


def dump_declaration(declaration: Declaration) -> str:
    """The declaration as YAML without what is default; parses back to the same."""
    value = declaration.model_dump(mode="json", exclude_defaults=True)
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31)
    return str(text)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that would be read back as something else."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # Line ends of other scripts are folded in every style but this one.
    style = '"' if LINE_ENDS.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)

_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(rf"^({FLOAT.pattern})$"), list("-+.0123456789"))


def _read(text: str, tree: Tree) -> Any:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return tree.note(1, (), "expected UTF-8 text")
    if size > MAX_BYTES:
        return tree.note(1, (), f"expected at most {MAX_BYTES} bytes, found {size}")
    try:
        return _Composer(tree, text).document()
    except _Refused as refused:
        tree.note(refused.line, refused.path, str(refused))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        tree.note(mark.line + 1 if mark else 1, (), f"expected YAML: {_yaml_problem(error, text)}")
    except yaml.reader.ReaderError as error:
        tree.note(_line_of_odd_character(text), (), f"expected YAML: {error.reason}")
    return None


def _yaml_problem(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark
    lines = text.splitlines()
    if mark and mark.line < len(lines) and "\t" in lines[mark.line]:
        return "indent with spaces, not tabs"
    return error.problem or error.context or "cannot be read"


def _line_of_odd_character(text: str) -> int:
    odd = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    return text.count("\n", 0, odd.start()) + 1 if odd else 1


class _Refused(Exception):
    def __init__(self, event: yaml.Event, path: Path, expected: str) -> None:
        super().__init__(expected)
        self.line, self.path = _line(event), path


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


class _Composer:
    """Plain values from YAML events: no anchors, aliases or tags, nothing doubled, nothing deep."""

    def __init__(self, tree: Tree, text: str) -> None:
        self.tree = tree
        self.events = yaml.parse(text.removeprefix("\ufeff"), Loader=LOADER)

    def document(self) -> Any:
        next(self.events)
        start = next(self.events)
        if isinstance(start, yaml.StreamEndEvent):
            raise _Refused(start, (), "expected a mapping of fields, found nothing")
        first = next(self.events)
        if not isinstance(first, yaml.MappingStartEvent):
            raise _Refused(first, (), "expected a mapping of fields")
        value = self.value(first, ())
        next(self.events)
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise _Refused(after, (), "expected one document a file")
        return value

    def value(self, event: yaml.Event, path: Path) -> Any:
        if getattr(event, "anchor", None):
            raise _Refused(event, path, "expected no anchors and aliases")
        if getattr(event, "tag", None):
            raise _Refused(event, path, "expected no tags")
        if len(path) > MAX_DEPTH:
            raise _Refused(event, path, f"expected at most {MAX_DEPTH} levels")
        self.tree.lines.setdefault(path, _line(event))
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path)
        return self.mapping(path)

    def sequence(self, path: Path) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            values.append(self.value(event, (*path, len(values))))
        return values

    def mapping(self, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(key := next(self.events), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent) or key.anchor or key.tag:
                raise _Refused(key, path, "expected a plain name before the colon")
            here = (*path, key.value)
            line = _line(key)
            if key.value in values:
                self.tree.note(line, here, f"expected once, first on line {self.tree.lines[here]}")
            self.tree.lines.setdefault(here, line)
            values[key.value] = self.value(next(self.events), here)
        return values


def _scalar(event: yaml.ScalarEvent) -> Any:
    text: str = event.value
    if not event.implicit[0]:  # quoted
        return text
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text) and abs(int(text)) <= MAX_INTEGER:
        return int(text)
    # A number that a float cannot hold exactly stays text, which decimal limits accept.
    if FLOAT.fullmatch(text) and Decimal(repr(float(text))) == Decimal(text):
        return float(text)
    return text


MODELS: dict[str, type[BaseModel]] = {
    "format": Format,
    "guards": Guards,
    "group": Group,
    "order_by": OrderBy,
    "partition": Partition,
    "rules": Rule,
    "columns": Column,
}
EXPECTATIONS = {
    "missing": "expected, but missing",
    "string_type": "expected text, in quotes where it looks like something else",
    "string_pattern_mismatch": "expected text that matches {pattern}",
    "string_too_long": "expected at most {max_length} characters",
    "string_too_short": "expected some text",
    "int_type": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "too_long": "expected at most {max_length} of them",
    "too_short": "expected at least one",
}


def _note_fault(tree: Tree, detail: ErrorDetails, seen: set[Path]) -> None:
    loc = detail["loc"]
    message = _expectation(detail)
    path = loc if detail["type"] == "missing" else tree.known(loc)
    if not path and ": " in message:  # a rule over several fields names the one to look at
        name, _, message = message.partition(": ")
        path = (name,)
    if not any(other[: len(path)] == path for other in seen):
        seen.add(path)
        tree.note(tree.line(path), path, message)


def _expectation(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        loc = detail["loc"]
        fields = (MODELS[str(loc[0])] if len(loc) > 1 else Declaration).model_fields
        return f"unknown field, expected one of {', '.join(fields)}"
    if kind in EXPECTATIONS:
        return EXPECTATIONS[kind].format(**detail.get("ctx", {}))
    return detail["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
