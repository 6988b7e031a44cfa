"""Files of JSON read whole, as plain values that can be compared."""

import io
import json
from typing import Any, NamedTuple

from hypothesis import strategies as st
from records.errors import FileFault
from records.formats.json import read_json
from records.formats.jsonl import read_jsonl
from records.json.pieces import Limits

READERS = {"jsonl": read_jsonl, "json": read_json}


class Read(NamedTuple):
    header: list[str]
    rows: list[tuple[int, list[str | None]]]
    rejects: list[dict[str, Any]]
    line: int
    spans: list[tuple[int, int]]
    raw: list[str]

    @property
    def codes(self) -> list[tuple[int, list[str]]]:
        return [(reject["line"], reject["codes"]) for reject in self.rejects]


def read(kind: str, data: Any, limits: Limits | None = None) -> Read:
    """Every row and reject of a file whose bytes are all accounted for; columns are called by their numbers."""
    source = io.BytesIO(data) if isinstance(data, bytes) else data
    reader = READERS[kind](source, limits or Limits())
    rows, rejects, spans, raw = [], [], [], []
    for block in reader.blocks([str(number) for number in range(len(reader.header))]):
        everything = block.frame.select("_line").with_row_index()["index"]
        rows += [(row[-1], list(row[:-1])) for row in block.frame.rows()]
        rejects += block.rejects.to_dicts()
        spans += block.origin.spans(everything).rows()
        raw += block.raw(everything).to_list()
    reader.prove()
    return Read(reader.header, rows, rejects, reader.line, spans, raw)


def read_or_refusal(kind: str, data: bytes, limits: Limits | None = None) -> Read | tuple[str, str]:
    try:
        return read(kind, data, limits)
    except FileFault as fault:
        return fault.code, fault.message


def write(kind: str, rows: list[bytes]) -> bytes:
    """A file of these rows."""
    return b"\n".join(rows) + b"\n" if kind == "jsonl" else b"[\n" + b",\n".join(rows) + b"\n]\n"


def text_of(value: Any) -> str | None:
    """What a scalar becomes, as json.dumps writes it; anything else is compared by its value."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["", " ", "{", "[1,", '"', '\\"', "\\", "\\\\u0000", "},{", "null", "1", "\ufeff", "\n", "\r\n", "\u2028"]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
EXACT = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e15, 1e15) | TEXTS
NESTED = st.recursive(
    st.lists(EXACT, max_size=3) | st.dictionaries(TEXTS, EXACT, max_size=3),
    lambda inner: st.lists(inner | EXACT, max_size=3) | st.dictionaries(TEXTS, inner | EXACT, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(st.dictionaries(TEXTS, SCALARS | NESTED, max_size=5), min_size=1, max_size=12)
