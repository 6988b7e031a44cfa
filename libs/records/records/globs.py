"""Routes: globs over object keys with captures, matched in time linear in the key whatever the pattern."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl
from waybill_contracts import Declaration, Group

MAX_WILDCARDS = 20
HIDDEN = ("_", ".")
"""How the parts of keys begin that are not for everybody."""
_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/")
_TOKEN = re.compile(r"(?P<wildcard>\*+|\?)|\{(?P<capture>[^{}]*)\}|(?P<literal>[^*?{}]+)|(?P<stray>[{}])")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_WILDCARDS = {"*": "[^/]*", "?": "[^/]"}


class BadGlob(ValueError):
    """The pattern is none; says what was expected."""


@dataclass(frozen=True)
class Glob:
    """A compiled pattern; `literals` counts the characters that it demands, `prefix` is what every key begins with.

    `hidden` counts its parts that begin with '_' or '.'.
    """

    pattern: str
    bucket: str | None
    prefix: str
    literals: int
    names: tuple[str, ...]
    regex: str
    hidden: int = 0

    def fits(self, bucket: str, keys: Sequence[str]) -> dict[str, dict[str, str]]:
        """The keys of the bucket that fit, each with its captures; where several are possible, first ones are long."""
        if self.bucket not in (None, bucket):
            return {}
        tried = [key for key in keys if key.startswith(self.prefix)]
        if not tried:
            return {}
        # Polars' regular expressions take linear time, whatever the pattern.
        groups = pl.Series(tried, dtype=pl.String).str.extract_groups(self.regex).struct.unnest().rows()
        return {
            key: dict(zip(self.names, captured, strict=True))
            for key, (whole, *captured) in zip(tried, groups, strict=True)
            if whole is not None
        }


def glob_problems(declaration: Declaration) -> list[str]:
    """What is wrong with the routes of a declaration, a sentence each; none where it can be accepted."""
    problems, names = [], set()
    for pattern in declaration.files:
        try:
            names |= set(compile_glob(pattern).names)
        except BadGlob as problem:
            problems.append(f"files: {pattern[:60]!r}: {problem}")
    if declaration.group:
        found = _group_problems(declaration.group, is_for_any_table=declaration.is_for_any_table)
        if isinstance(found, str):
            problems.append(found)
        else:
            names = set(found)
    path = declaration.partition and declaration.partition.path
    if path and not problems and path not in names:
        told_by = "the group" if declaration.group else "files"
        problems.append(f"partition.path: expected a capture of {told_by}, found {path!r}")
    return problems


def group_pattern(group: Group) -> str:
    """Of the object that tells of a delivery."""
    return str(group.marker or group.manifest)


def _group_problems(group: Group, *, is_for_any_table: bool) -> tuple[str, ...] | str:
    """What is wrong with the pattern of a group; nothing: the names of what it captures."""
    field, pattern = "group.marker" if group.marker else "group.manifest", group_pattern(group)
    try:
        names = compile_glob(pattern, is_marker=True).names
    except BadGlob as problem:
        return f"{field}: {pattern[:60]!r}: {problem}"
    if is_for_any_table and "table" not in names:
        return f"{field}: expected {{table}} in the pattern of a declaration for any table"
    return names


@lru_cache(maxsize=10_000)
def compile_glob(
    pattern: str, organisation: str | None = None, table: str | None = None, *, is_marker: bool = False
) -> Glob:
    """`**` any parts, `*` and `?` within a part, `{name}` a run within a part; the names given are literal captures.

    Only that of a marker or manifest may name parts that begin with '_' or '.'.
    """
    fixed = {"organisation": organisation, "table": table}
    bucket, path = _split_bucket(pattern)
    parts = path.split("/")
    pieces = [piece for number, part in enumerate(parts) for piece in _part(part, number == len(parts) - 1, fixed)]
    hidden = sum(part.startswith(HIDDEN) for part in parts)
    if hidden and not is_marker:
        raise BadGlob("expected no part that begins with '_' or '.': such keys are never taken")
    names = tuple(piece.name for piece in pieces if piece.name)
    if len(set(names)) != len(names):
        raise BadGlob("expected each capture once")
    if sum(not piece.is_literal for piece in pieces) > MAX_WILDCARDS:
        raise BadGlob(f"expected at most {MAX_WILDCARDS} wildcards and captures")
    return Glob(
        pattern=pattern,
        bucket=bucket,
        prefix=_prefix(pieces),
        literals=len(bucket or "") + sum(len(piece.text) for piece in pieces if piece.is_literal),
        names=names,
        regex=rf"\A({''.join(piece.regex for piece in pieces)})\z",
        hidden=hidden,
    )


@dataclass(frozen=True)
class _Piece:
    """Literal text, a wildcard (no text), or a capture, which has a name, and a text where it is fixed."""

    regex: str
    text: str = ""
    name: str | None = None

    @property
    def is_literal(self) -> bool:
        return bool(self.text) and self.name is None


def _split_bucket(pattern: str) -> tuple[str | None, str]:
    if not pattern.startswith("s3://"):
        return None, pattern
    match = _BUCKET.match(pattern)
    if not match:
        raise BadGlob("expected s3://<bucket>/<path>")
    return match[1], pattern[match.end() :]


def _part(part: str, is_last: bool, fixed: dict[str, str | None]) -> Iterator[_Piece]:
    if part == "**":
        yield _Piece("(?s:.+)" if is_last else "(?:[^/]+/)*")
        return
    if not part or part in (".", "..") or "\\" in part or "\0" in part:
        raise BadGlob("expected parts of some text between single '/', without '.', '..' and backslash")
    for token in _TOKEN.finditer(part):
        yield _piece(token, fixed)
    if not is_last:
        yield _literal("/")


def _piece(token: re.Match[str], fixed: dict[str, str | None]) -> _Piece:
    wildcard, name = token["wildcard"], token["capture"]
    if token["stray"]:
        raise BadGlob("expected { and } only around the name of a capture")
    if wildcard and wildcard not in _WILDCARDS:
        raise BadGlob("expected ** to be a whole part")
    if wildcard:
        return _Piece(_WILDCARDS[wildcard])
    if name is None:
        return _literal(token["literal"])
    if not _NAME.fullmatch(name):
        raise BadGlob(f"expected the name of a capture in snake case, found {name[:60]!r}")
    text = fixed.get(name) or ""
    return _Piece(f"({_escaped(text) or '[^/]+'})", text, name)


def _literal(text: str) -> _Piece:
    return _Piece(_escaped(text), text)


def _escaped(text: str) -> str:
    return "".join(each if each.isascii() and each.isalnum() else f"\\x{{{ord(each):x}}}" for each in text)


def _prefix(pieces: Sequence[_Piece]) -> str:
    prefix = ""
    for piece in pieces:
        if not piece.text:
            break
        prefix += piece.text
    return prefix
