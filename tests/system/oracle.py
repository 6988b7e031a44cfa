"""What must come out: a second implementation with csv and dict, and nothing of the product."""

import csv
import io
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

COUNTED = ("read", "inserted", "updated", "unchanged", "duplicate", "stale", "rejected", "deleted")
EMPTY_COUNTS = dict.fromkeys(COUNTED, 0)
MAX_RECORD_BYTES = 15_000_000
csv.field_size_limit(1 << 30)


class Refused(ValueError):
    """A value that is not of its type, or a file that is not what was declared."""


def integer(text: str) -> int:
    return int(text) if -(2**63) <= int(text) < 2**63 else int("")


READERS = {
    "text": (r"[^\0\ud800-\udfff]*", str),
    "integer": (r"-?[0-9]+", integer),
    "decimal": (r"-?[0-9]+(\.[0-9]+)?", Decimal),
    "boolean": (r"true|false", lambda text: text == "true"),
    "date": (r"\d{4}-\d{2}-\d{2}", date.fromisoformat),
    "timestamp": (
        r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,3})?Z?",
        lambda text: datetime.fromisoformat(text.rstrip("Z").replace(" ", "T")).replace(tzinfo=UTC),
    ),
}


def value(text: str, kind: str) -> Any:
    """The value of a field, None for null."""
    pattern, read = READERS[kind.partition("(")[0]]
    if not text:
        return None
    if not re.fullmatch(pattern, text, re.ASCII | re.DOTALL):
        raise Refused(text)
    found = read(text)
    if kind.startswith("decimal"):
        precision, scale = map(int, re.findall(r"\d+", kind))
        if round(found, scale) != found or abs(found) >= Decimal(10) ** (precision - scale):
            raise Refused(text)
    return found


def key_text(part: Any) -> str:
    """The canonical text of a key part (text, integer, date)."""
    return re.sub(r"[\\|]", lambda match: "\\" + match[0], str(part))


@dataclass
class Oracle:
    """One dataset, file after file; `columns` maps name to (type, required)."""

    key: tuple[str, ...]
    columns: dict[str, tuple[str, bool]]
    max_reject_share: float = 0.1
    versions: dict[str, list[tuple[str, dict[str, Any]]]] = field(default_factory=dict)
    last_bytes: bytes | None = None
    states: list[str] = field(default_factory=list)
    counts: list[dict[str, int]] = field(default_factory=list)

    def take(self, content: bytes | None) -> None:
        """The next file in the order of arrival; None is one whose object is gone."""
        self.states.append("SKIPPED")
        self.counts.append(dict(EMPTY_COUNTS))
        if content is None or content != self.last_bytes:
            self.retry(len(self.states), content)

    def retry(self, arrival: int, content: bytes | None) -> None:
        """The file of this arrival (again); a retry is never skipped."""
        counts = self.counts[arrival - 1] = dict(EMPTY_COUNTS)
        self.states[arrival - 1] = "FAILED"
        try:
            rows, rejected = self._read(content or b"")
        except Refused:
            return
        counts |= {"read": len(rows) + rejected, "rejected": rejected}
        kept = self._without_conflicts(rows, counts)
        if counts["read"] >= 100 and counts["rejected"] / counts["read"] > self.max_reject_share:
            return
        for row in kept:
            self._store(row, counts)
        self.last_bytes = content
        self.states[arrival - 1] = "LOADED"

    @property
    def current(self) -> dict[str, dict[str, Any]]:
        """Key -> the newest row, with `_version`."""
        return {key: history[-1][1] | {"_version": len(history)} for key, history in self.versions.items()}

    def _read(self, content: bytes) -> tuple[list[dict[str, Any]], int]:
        text = io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")
        try:
            header, *lines = [line for line in csv.reader(text, strict=True) if line] or [[]]
        except csv.Error as error:
            raise Refused(content) from error
        if sorted(header) != sorted(self.columns):
            raise Refused(header)
        rows, rejected = [], 0
        for line in lines:
            try:
                rows.append(self._typed(dict(zip(header, line, strict=True))))
            except ValueError:
                rejected += 1
        return rows, rejected

    def _typed(self, line: dict[str, str]) -> dict[str, Any]:
        if sum(map(len, line.values())) > MAX_RECORD_BYTES:
            raise Refused("too large for a document")
        row = {}
        for name, (kind, is_required) in self.columns.items():
            row[name] = value(line[name], kind)
            if row[name] is None and (is_required or name in self.key):
                raise Refused(name)
        return row

    def _without_conflicts(self, rows: list[dict[str, Any]], counts: dict[str, int]) -> list[dict[str, Any]]:
        by_key: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            by_key.setdefault(self._key(row), []).append(row)
        kept = []
        for same in by_key.values():
            if all(row == same[0] for row in same):
                kept.append(same[0])
                counts["duplicate"] += len(same) - 1
            else:
                counts["rejected"] += len(same)
        return kept

    def _store(self, row: dict[str, Any], counts: dict[str, int]) -> None:
        history = self.versions.setdefault(self._key(row), [])
        if not history:
            history.append(("insert", row))
            counts["inserted"] += 1
        elif history[-1][1] == row:
            counts["unchanged"] += 1
        else:
            history.append(("update", row))
            counts["updated"] += 1

    def _key(self, row: dict[str, Any]) -> str:
        return "|".join(key_text(row[name]) for name in self.key)
