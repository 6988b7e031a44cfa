"""One byte too many or too few, at every place of a file: what is taken is what was written, all else is told."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from .json_files import Read, read_or_refusal

ROWS = [
    b'{"id":1,"text":"a, b]"}',
    b'{ "id" : 2, "text" : "say \\"hi\\"" }',
    b'{"id":3,"list":[1,{"x":"}"}],"text":null}',
    b'{"id":40,"text":"","flag":true}',
]
SIGNS = [b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\n", b" ", b"1", b"x", b"\0", b"\xff"]


def damaged(data: bytes) -> Iterator[bytes]:
    for at in range(len(data) + 1):
        yield data[:at] + data[at + 1 :]
        yield from (data[:at] + sign + data[at:] for sign in SIGNS)
        yield from (data[:at] + sign + data[at + 1 :] for sign in SIGNS)


def without_doubled_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def well_formed(data: bytes) -> Any:
    """What Python reads; None where it reads nothing."""
    try:
        return json.loads(data.decode(), object_pairs_hook=without_doubled_keys)
    except (ValueError, AssertionError):
        return None


def as_texts(value: Any) -> dict[str, str]:
    """A row as its reader gives it, nulls apart."""
    compact = partial(json.dumps, sort_keys=True, separators=(",", ":"))
    present = {key: item for key, item in value.items() if item is not None}
    return {key: item if isinstance(item, str) else compact(item) for key, item in present.items()}


def taken(found: Read) -> list[dict[str, str]]:
    rows = (zip(found.header, texts, strict=True) for _, texts in found.rows)
    return [{key: text for key, text in row if text is not None} for row in rows]


ORIGINALS = [as_texts(well_formed(row)) for row in ROWS]
CODES = ("bad_array", "unclosed_array", "text_after_array", "not_an_array", "invalid_utf8")


@pytest.mark.parametrize("space", [b"", b"\n", b"\n  "])
def test_a_damaged_array_is_read_as_python_does_or_refused_or_has_one_reject_in_place_of_one_row(space):
    count = 0
    for data in damaged(b"[" + space + (b"," + space).join(ROWS) + b"]"):
        found = read_or_refusal("json", data)
        if found[0] in CODES:
            assert not isinstance(well_formed(data), list), data
            continue
        rows, read = taken(found), well_formed(data)
        if isinstance(read, list) and not found.rejects:
            assert rows == [as_texts(row) for row in read], data
            continue
        count += 1
        assert len(found.rejects) == 1, data
        assert len(rows) == len(ROWS) - 1, data
        assert [row for row in ORIGINALS if row in rows] == rows, data
    assert count > 500


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_a_damaged_file_of_lines_has_all_rows_whose_lines_are_whole_and_rejects_in_place_of_the_others(ending):
    for data in damaged(ending.join(ROWS)):
        found = read_or_refusal("jsonl", data)
        lines = [line for line in data.split(b"\n") if line.strip()]
        values = [well_formed(line) for line in lines]
        assert taken(found) == [as_texts(value) for value in values if isinstance(value, dict)], data
        assert len(found.rejects) == len([value for value in values if not isinstance(value, dict)]), data
        whole = [row for row in ORIGINALS if row in taken(found)]
        assert len(whole) >= len(ROWS) - 2, data
