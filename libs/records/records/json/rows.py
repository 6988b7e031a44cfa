"""Objects of JSON as rows of texts: what each says for the columns of its file, or what is wrong with it."""

from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import Any

import orjson
import polars as pl

from records.block import Block, KeptTexts
from records.errors import FileFault
from records.header import business_name
from records.json.faults import JsonFault
from records.json.pieces import Elements, Limits, Pieces
from records.json.text import MAX_VALUES, Number, canonical_json, read_value
from records.rejects import collect, faults, no_rejects

Row = dict[str, str | None]
_PLAIN = frozenset({str, Number, NoneType})
_KINDS = {list: "an array", str: "a string", Number: "a number", bool: "true or false", NoneType: "null"}


class RowFault(Exception):
    """A row is refused, for each of these."""

    def __init__(self, faults: Sequence[JsonFault]) -> None:
        super().__init__(*faults)
        self.faults = faults


def read_row(data: bytes) -> Row:
    """The texts of an object by its keys: strings and numbers as they stand, the rest in its canonical form."""
    try:
        row = read_value(data)
    except JsonFault as fault:
        raise RowFault([fault]) from fault
    if type(row) is not dict:
        raise RowFault([JsonFault("not_an_object", f"{_KINDS[type(row)]} where an object was expected", 0)])
    # NUL as it is was refused with the other control characters.
    found = _nuls(row) if b"\\u0000" in data else []
    if not _PLAIN.issuperset(map(type, row.values())):
        found += _write_canonical(row)
    if found:
        raise RowFault(found)
    return row


def _nuls(row: Mapping[str, Any]) -> list[JsonFault]:
    found = [JsonFault("nul", "NUL in a string", key=key) for key, value in row.items() if _has_nul(value)]
    return [*found, JsonFault("nul", "NUL in a key")] if any("\0" in key for key in row) else found


def _has_nul(value: Any) -> bool:
    match value:
        case str():
            return "\0" in value
        case list():
            return any(map(_has_nul, value))
        case dict():
            return any(map(_has_nul, value)) or any(map(_has_nul, value.values()))
    return False


def _write_canonical(row: dict[str, Any]) -> list[JsonFault]:
    """Put its canonical text in the place of each value that is no text; what has none is told."""
    found = []
    for key, value in row.items():
        if type(value) not in _PLAIN:
            try:
                row[key] = canonical_json(value)
            except JsonFault as fault:
                found.append(JsonFault(fault.code, fault.what, key=key))
    return found


def read_keys(pieces: Pieces, limits: Limits) -> tuple[list[str], int]:
    """The keys of all rows in order of first appearance, those of rejects apart, and how many values there are."""
    known: dict[str, None] = {}
    count = 0
    for elements in pieces:
        count += len(elements)
        for number, data in enumerate(elements):
            if _adds_nothing(data, known):
                continue
            try:
                row = read_row(data)
            except RowFault as refused:
                pieces.require_whole(elements, number, refused.faults[0])
                continue
            known |= dict.fromkeys(row)
            _check_keys(known, limits)
    return list(known), count


def _adds_nothing(data: bytes, known: Mapping[str, None]) -> bool:
    """Whether a lenient reader, which finds all keys of a row that is good, finds none that is new."""
    if len(data) > MAX_VALUES:
        return False
    try:
        row = orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return type(row) is dict and row.keys() <= known.keys()


def _check_keys(known: Iterable[str], limits: Limits) -> None:
    names = list(known)
    if len(names) > limits.columns:
        text = f"the rows have more than {limits.columns} keys, which is the most that is possible"
        raise FileFault("too_many_columns", text)
    if sum(len(name.encode()) for name in names) > limits.header_bytes:
        raise FileFault("header_too_long", f"the keys of the rows have more than {limits.header_bytes} bytes together")


def rows_of(elements: Elements, keys: Sequence[str], names: Sequence[str]) -> Block:
    """The values as rows of columns with these names, which are the keys'; what is no good row is a reject."""
    rows, kept, refused = [], [], {}
    for number, data in enumerate(elements):
        try:
            rows.append(read_row(data))
        except RowFault as fault:
            refused[number] = fault.faults
        else:
            kept.append(number)
    columns = [
        pl.Series(name, [row.get(key) for row in rows], pl.String) for key, name in zip(keys, names, strict=True)
    ]
    frame = pl.DataFrame([*columns, _lines(elements, kept)])
    rejects = _rejects(elements, refused, dict(zip(keys, names, strict=True))) if refused else no_rejects()
    return Block(frame, rejects, _origin(elements, kept))


def _lines(elements: Elements, numbers: Sequence[int]) -> pl.Series:
    return pl.Series("_line", elements.lines[list(numbers)], pl.Int64)


def _origin(elements: Elements, numbers: Sequence[int]) -> KeptTexts:
    spans = zip(elements.starts[list(numbers)].tolist(), elements.ends[list(numbers)].tolist(), strict=True)
    texts = (elements.data[start:end].decode(errors="backslashreplace") for start, end in spans)
    starts, sizes = (pl.Series(values[list(numbers)], dtype=pl.Int64) for values in elements.spans)
    # In a good row there is no NUL.
    return KeptTexts(pl.Series([text.replace("\0", "\\x00") for text in texts], dtype=pl.String), starts, sizes)


def _rejects(elements: Elements, refused: Mapping[int, Sequence[JsonFault]], names: Mapping[str, str]) -> pl.DataFrame:
    told = [
        (row, fault.code, _reason(elements, number, fault), _column(fault, names))
        for row, (number, found) in enumerate(refused.items())
        for fault in found
    ]
    rows, *texts = zip(*told, strict=True)
    codes, reasons, columns = (pl.Series(values, dtype=pl.String) for values in texts)
    found = faults(pl.Series(rows, dtype=pl.Int64), codes, reasons, columns)
    numbers = list(refused)
    return collect([found], _lines(elements, numbers), _origin(elements, numbers))[1]


def _reason(elements: Elements, number: int, fault: JsonFault) -> str:
    return fault.what if fault.at is None else f"{fault.what} at byte {elements.place(number, fault.at)} of the file"


def _column(fault: JsonFault, names: Mapping[str, str]) -> str | None:
    """The column; of a key that no good row has, the name that it would have."""
    return None if fault.key is None else names.get(fault.key) or business_name(fault.key) or None
