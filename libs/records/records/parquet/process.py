"""Reads Parquet in a process of its own, with bounds that end it: the file is its stdin, Arrow batches its stdout.

What it cannot read it says on stderr, code and sentence; where it says nothing it was ended. It imports nothing of
ours, so that it starts fast; why it exists is in docs/decisions/0016-parquet-is-read-in-a-process-of-its-own.md.
"""

import io
import os
import resource
import sys
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

UNREADABLE = 3
MAX_COLUMNS = 1000
MAX_DEPTH = 100
BUFFER_BYTES = 1 << 16
READ_ROWS, READ_BYTES = 1024, 1 << 20
"""What is decoded at a time: values that a dictionary repeats take their room only here."""
BATCH_ROWS, BATCH_BYTES = 16_384, 2 << 20
"""What is handed over at a time."""
FREE_ROWS, ROWS_PER_BYTE = 10_000_000, 10_000
FREE_BYTES, BYTES_PER_BYTE = 4 << 30, 1100
"""A file may hold more than is free only in proportion to its size."""
PLAIN = {"large_binary", "null", "bool", "halffloat", "float", "double", "date32[day]"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


class Unreadable(Exception):
    """The file as a whole; `code` is stable."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Positioned(io.RawIOBase):
    """A file by its descriptor, with a position of its own: others read from it too."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._at = 0
        self.size = os.fstat(descriptor).st_size

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Bytes before the next one that is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes; fewer only at the end."""
        wanted = self.size - self._at if size is None or size < 0 else min(size, self.size - self._at)
        data = os.pread(self._descriptor, max(wanted, 0), self._at)
        self._at += len(data)
        return data


def main() -> None:
    """Arguments: bytes of memory, and seconds of processor time for each batch."""
    memory, seconds = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    try:
        hand_over(Positioned(0), lambda: more_time(seconds))
    except Unreadable as fault:
        end(fault.code, str(fault))
    except (MemoryError, pa.ArrowMemoryError):
        text = f"reading the file takes more than {memory >> 20} MB: write it with smaller row groups and pages"
        end("too_much_memory", text)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        text = " ".join(str(error).split())[:300]
        if "crypt" in text:
            end("encrypted_file", "the file is encrypted: send it without encryption")
        end("bad_parquet", f"the file is no Parquet, or damaged ({text}): write it anew and send it again")


def end(code: str, text: str) -> None:
    """Say why, at once: what Arrow holds is left to the system."""
    sys.stderr.write(f"{code}\n{text}")
    sys.stderr.flush()
    os._exit(UNREADABLE)


def more_time(seconds: int) -> None:
    """From now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds, hard))


def hand_over(source: Positioned, go_on: Callable[[], None]) -> None:
    """Write all batches of the file."""
    go_on()
    file = opened(source)
    check(file.metadata, source.size)
    schema = transported(file)
    most = max(FREE_BYTES, BYTES_PER_BYTE * source.size)
    out: Any = sys.stdout.buffer
    with pa.ipc.new_stream(out, schema) as stream:
        out.flush()
        for batch in gathered(read(file, source, schema)):
            most -= batch.nbytes
            if most < 0:
                raise Unreadable("too_much_unpacked", f"the values of {source.size} bytes are more than {FREE_BYTES}")
            stream.write_batch(batch)
            out.flush()
            go_on()


def opened(source: Any, unit: str | None = None) -> Any:
    """The file, its footer read; pages with a checksum are checked."""
    return pq.ParquetFile(
        source,
        pre_buffer=False,
        buffer_size=BUFFER_BYTES,
        page_checksum_verification=True,
        coerce_int96_timestamp_unit=unit,
    )


def check(metadata: Any, size: int) -> None:
    """Refuse what the footer says where no honest file does."""
    if metadata.num_columns > MAX_COLUMNS:
        raise Unreadable("too_many_columns", f"{metadata.num_columns} columns, at most {MAX_COLUMNS} are possible")
    groups = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    contradiction = f"its footer says {metadata.num_rows} rows, and {sum(groups)} in its row groups"
    if min(groups, default=0) < 0 or sum(groups) != metadata.num_rows:
        raise Unreadable("bad_parquet", f"the file is damaged: {contradiction}: send it again")
    check_values(metadata)
    if metadata.num_rows > max(FREE_ROWS, ROWS_PER_BYTE * size):
        raise Unreadable("too_many_rows", f"the footer says {metadata.num_rows} rows in a file of {size} bytes")


def check_values(metadata: Any) -> None:
    """A column that repeats nothing has a value for each row: rows beyond them would be left out without a word."""
    flat = [at for at in range(metadata.num_columns) if not metadata.schema.column(at).max_repetition_level]
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for at in flat:
            chunk = group.column(at)
            if chunk.num_values != group.num_rows:
                text = f"{chunk.num_values} values of {chunk.path_in_schema} in {group.num_rows} rows"
                raise Unreadable("bad_parquet", f"the file is damaged: its footer says {text}: send it again")


def transported(file: Any) -> pa.Schema:
    """The columns as they are handed over."""
    fields = file.schema_arrow
    if not len(fields):
        raise Unreadable("bad_header", "the file has no columns")
    if doubled := sorted({name for name in fields.names if fields.names.count(name) > 1}):
        raise Unreadable("doubled_column", f"columns that appear more than once: {', '.join(doubled)[:300]}")
    made = []
    leaf = 0
    for field in fields:
        leaves = range(leaf, leaf := leaf + leaf_count(field.type, 0))
        if any(file.schema.column(number).physical_type == "INT96" for number in leaves):
            made.append(int96_field(field))
        else:
            made.append(pa.field(field.name, transport_type(field.type, field.name)))
    return pa.schema(made, {b"rows": str(file.metadata.num_rows).encode()})


def leaf_count(kind: Any, depth: int) -> int:
    """How many columns of Parquet hold values of this type."""
    if depth > MAX_DEPTH:
        raise Unreadable("bad_parquet", f"columns are nested in each other, more than {MAX_DEPTH} deep")
    if not pa.types.is_nested(kind):
        return 1
    return sum(leaf_count(kind.field(number).type, depth + 1) for number in range(kind.num_fields))


def int96_field(field: Any) -> Any:
    """Seconds, which always fit, beside the nanoseconds, which wrap around outside 1677 to 2262."""
    if not pa.types.is_timestamp(field.type):
        text = f"{field.name} has INT96 timestamps inside a nested column, which are not read: write them as INT64"
        raise Unreadable("unsupported_type", text)
    parts = pa.struct([("seconds", pa.timestamp("s", field.type.tz)), ("nanoseconds", pa.int64())])
    return pa.field(field.name, parts, metadata={b"int96": b"yes"})


def transport_type(kind: Any, name: str) -> Any:
    """The type with which values are handed over: no dictionaries, texts as bytes, which nobody trusts yet."""
    types = pa.types
    if types.is_dictionary(kind):
        return transport_type(kind.value_type, name)
    if isinstance(kind, pa.BaseExtensionType):
        return kind if kind.extension_name == "arrow.uuid" else transport_type(kind.storage_type, name)
    if types.is_map(kind):
        if types.is_nested(kind.key_type):
            raise Unreadable("unsupported_type", f"{name} has maps whose keys are nested: write them as lists")
        return pa.map_(transport_type(kind.key_type, name), transport_type(kind.item_type, name))
    if types.is_struct(kind):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        if len({field.name for field in fields}) < len(fields):
            raise Unreadable("doubled_column", f"fields of {name} that appear more than once")
        return pa.struct([(field.name, transport_type(field.type, name)) for field in fields])
    if types.is_nested(kind) and kind.num_fields == 1:
        return pa.large_list(transport_type(kind.field(0).type, name))
    return plain_type(kind, name)


def plain_type(kind: Any, name: str) -> Any:
    """Of values that hold no others."""
    types = pa.types
    texts = (types.is_string, types.is_large_string, types.is_string_view, types.is_binary, types.is_large_binary)
    if any(is_text(kind) for is_text in texts) or types.is_binary_view(kind) or types.is_fixed_size_binary(kind):
        return pa.large_binary()
    if str(kind) in PLAIN or types.is_timestamp(kind) or types.is_time(kind):
        return kind
    if types.is_date64(kind):
        return pa.timestamp("ms")
    if types.is_decimal(kind):
        return kind if kind.bit_width > 64 else pa.decimal128(kind.precision, kind.scale)
    raise Unreadable("unsupported_type", f"{name} is {kind}, which is not read: write it as text or integer")


def read(file: Any, source: Positioned, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows in small batches, checked to be what their schema says."""
    seconds = opened(source, "s") if any(map(is_int96, schema)) else None
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        rows = READ_BYTES * group.num_rows // max(group.total_byte_size, 1)
        how = {"batch_size": min(max(rows, 1), READ_ROWS), "row_groups": [number], "use_threads": False}
        beside = seconds.iter_batches(**how) if seconds else repeat(None)
        for batch, other in zip(file.iter_batches(**how), beside, strict=False):
            columns = [column(batch, other, at, field) for at, field in enumerate(schema)]
            made = pa.record_batch(columns, schema=schema)
            made.validate(full=True)
            yield made


def column(batch: pa.RecordBatch, seconds: pa.RecordBatch | None, at: int, field: Any) -> Any:
    """One column as it is handed over."""
    values = batch.column(at)
    if is_int96(field) and seconds is not None:
        parts = [seconds.column(at).cast(field.type.field(0).type), values.cast(pa.int64())]
        return pa.StructArray.from_arrays(parts, fields=list(field.type), mask=values.is_null())
    if isinstance(values, pa.ExtensionArray) and values.type != field.type:
        values = values.storage
    return values.cast(field.type)


def is_int96(field: Any) -> bool:
    """Whether a column is handed over as seconds and nanoseconds."""
    return b"int96" in (field.metadata or {})


def gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Larger batches, as long as they are not large."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if size >= BATCH_BYTES or rows >= BATCH_ROWS:
            yield whole(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield whole(waiting)


def whole(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """One batch of several."""
    return batches[0] if len(batches) == 1 else pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


if __name__ == "__main__":
    main()
