"""What is wrong with a text that is no JSON, or is not strict enough, and where."""

import json
import re
from typing import NamedTuple

_STRING = r'"(?:[^"\\]++|\\.)*+"'
_KEYS_AND_BRACES = re.compile(rf"({_STRING})[ \t\r\n]*+(:)?|[{{}}]", re.DOTALL)
_CONSTANTS = re.compile(rf"{_STRING}|(-?Infinity|NaN)", re.DOTALL)
_WHOLE_ESCAPES = re.compile(
    r"(?:[^\\]++|\\(?:[^u]|u(?![dD][89a-fA-F])|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]))*+", re.DOTALL
)
SHOWN_CHARACTERS = 40

_SYNTAX = {
    "Expecting value": "a value is missing, or is none that JSON knows,",
    "Expecting property name enclosed in double quotes": "expected a key in double quotes",
    "Expecting ':' delimiter": "expected a colon",
    "Expecting ',' delimiter": "expected a comma, or the end of the object or array,",
    "Unterminated string starting at": "a string is never closed that begins",
    "Invalid \\escape: ": "a backslash escapes what JSON does not let it",
    "Invalid \\escape": "a backslash escapes what JSON does not let it",
    "Invalid \\uXXXX escape": "an escape is not \\u and four hexadecimal digits",
}


class JsonFault(Exception):
    """A value that is refused; `code` is stable, `what` is for people, `at` its place in bytes where it has one."""

    def __init__(self, code: str, what: str, at: int | None = None, key: str | None = None) -> None:
        super().__init__(what if at is None else f"{what} at byte {at}")
        self.code = code
        self.what = what
        self.at = at
        self.key = key
        """Of the outermost object, where the fault is about the value of one of its keys."""


class Doubled(NamedTuple):
    """A key that its object has already; `column` is the key of the outermost object that it is in, or is."""

    at: int
    key: str
    column: str | None


def shown(text: str) -> str:
    """The text as people read it, cut where it is long."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def syntax_fault(error: json.JSONDecodeError) -> JsonFault:
    """What the scanner says, in our words; its place counts characters."""
    found = error.doc[error.pos : error.pos + 1]
    if error.msg == "Invalid control character at":
        if found == "\0":
            return JsonFault("nul", "NUL", error.pos)
        return JsonFault("control_character", "a control character inside a string", error.pos)
    if found == "\ufeff":
        return JsonFault("byte_order_mark", "a byte-order mark that does not begin the file", error.pos)
    return JsonFault("invalid_json", f"no JSON: {_SYNTAX.get(error.msg, error.msg)}", error.pos)


def constant_fault(text: str) -> JsonFault:
    """The first NaN or Infinity outside strings."""
    found = next(found for found in _CONSTANTS.finditer(text) if found[1])
    return JsonFault("not_finite", f"{found[1]} is no number that JSON knows,", found.start())


def doubled_fault(text: str) -> JsonFault:
    """The first key that its object has already."""
    doubled = _doubled(text)
    return JsonFault("doubled_key", f'the key "{shown(doubled.key)}" appears again', doubled.at, doubled.column)


def lone_surrogate(text: str) -> int | None:
    """Where in a text that is JSON half of a surrogate pair is escaped without the other."""
    whole = _WHOLE_ESCAPES.match(text)
    end = whole.end() if whole else 0
    return end if end < len(text) else None


def _doubled(text: str) -> Doubled:
    seen: list[set[str]] = []
    column = None
    for found in _KEYS_AND_BRACES.finditer(text):
        if found[0] == "{":
            seen.append(set())
        elif found[0] == "}":
            seen.pop()
        elif found[2]:
            key = json.loads(found[1])
            column = key if len(seen) == 1 else column
            if key in seen[-1]:
                return Doubled(found.start(), key, column)
            seen[-1].add(key)
    raise ValueError("no key is doubled")
