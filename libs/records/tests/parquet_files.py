"""Parquet files that no library writes: footers by hand, and files with bytes changed."""

import io
import struct
from random import Random
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

MAGIC = b"PAR1"
INTEGER, LONG, BINARY, LIST, STRUCT = 5, 6, 8, 9, 12
Field = tuple[int, int, Any]
"""Number, type of the compact protocol of Thrift, value."""


def written(table: pa.Table, **how: Any) -> BinaryIO:
    """A file that holds this table."""
    file = io.BytesIO()
    pq.write_table(table, file, **how)
    file.seek(0)
    return file


def footer_only(schema: list[list[Field]], rows: int, groups: list[list[Field]] | None = None) -> bytes:
    """A file without pages, whose footer says this."""
    content = _struct(
        [(1, INTEGER, 2), (2, LIST, (STRUCT, schema)), (3, LONG, rows), (4, LIST, (STRUCT, groups or []))]
    )
    return MAGIC + content + struct.pack("<I", len(content)) + MAGIC


def leaf(name: str) -> list[Field]:
    """A column of integers."""
    return [(1, INTEGER, 2), (3, INTEGER, 1), (4, BINARY, name.encode())]


def group(name: str, children: int) -> list[Field]:
    """What holds so many of the columns that follow."""
    return [(3, INTEGER, 1), (4, BINARY, name.encode()), (5, INTEGER, children)]


def row_group(rows: int) -> list[Field]:
    """Without columns."""
    return [(1, LIST, (STRUCT, [])), (2, LONG, 0), (3, LONG, rows)]


def with_first_page_of(size: int, content: bytes) -> bytes:
    """A file whose first page claims to have this size."""
    assert content[4:7] == b"\x15\x00\x15"
    said, at = b"", 7
    while not said or said[-1] & 128:
        said, at = said + content[at : at + 1], at + 1
    return content[:7] + _zigzag(size) + b"\x15" + _zigzag(size) + content[at + 1 + len(said) :]


def with_footer_numbers(content: bytes, said: int, instead: int, places: list[int] | None = None) -> bytes:
    """A file whose footer has another number in these places of those where it has this one."""
    made = bytearray(content)
    old, new = _zigzag(said), _zigzag(instead)
    footer = len(made) - 8 - struct.unpack("<I", made[-8:-4])[0]
    found = [at for at in range(footer, len(made)) if made[at : at + len(old)] == old]
    for place in range(len(found)) if places is None else places:
        made[found[place] : found[place] + len(old)] = new
    return bytes(made)


def changed(content: bytes, random: Random) -> bytes:
    """The file with a few bytes changed or cut off; every second change is in the footer."""
    made = bytearray(content)
    if random.random() < 0.1:
        return bytes(made[: random.randrange(len(made))])
    footer = len(made) - 8 - struct.unpack("<I", made[-8:-4])[0]
    for _ in range(random.choice([1, 1, 2, 5])):
        at = random.choice([random.randrange(4, len(made)), random.randrange(footer, len(made) - 8)])
        made[at] = random.choice([0, 255, 127, random.randrange(256), made[at] ^ 1 << random.randrange(8)])
    return bytes(made)


def _struct(fields: list[Field]) -> bytes:
    made, last = b"", 0
    for number, kind, value in fields:
        made += bytes([number - last << 4 | kind]) + _value(kind, value)
        last = number
    return made + b"\0"


def _value(kind: int, value: Any) -> bytes:
    if kind in (INTEGER, LONG):
        return _zigzag(value)
    if kind == BINARY:
        return _varint(len(value)) + value
    if kind == STRUCT:
        return _struct(value)
    of, items = value
    head = bytes([len(items) << 4 | of]) if len(items) < 15 else bytes([0xF0 | of]) + _varint(len(items))
    return head + b"".join(_value(of, item) for item in items)


def _zigzag(value: int) -> bytes:
    return _varint(value << 1)


def _varint(value: int) -> bytes:
    made = b""
    while value > 127:
        made += bytes([value & 127 | 128])
        value >>= 7
    return made + bytes([value])
