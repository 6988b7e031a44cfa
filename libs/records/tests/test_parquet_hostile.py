"""Parquet files that are broken or mean harm are refused, by a process that has bounds and may die of them."""

import io
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from random import Random

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from records.errors import FileFault
from records.formats.parquet import ParquetReader
from records.parquet.stream import Bounds

from .parquet_files import (
    changed,
    footer_only,
    group,
    leaf,
    row_group,
    with_first_page_of,
    with_footer_numbers,
    written,
)

MANY = 4000


def plain(table: pa.Table | None = None, **how: object) -> bytes:
    """A file without compression, and without a schema of Arrow's beside its own."""
    table = table if table is not None else pa.table({"id": range(MANY), "note": [f"note {n}" for n in range(MANY)]})
    return written(table, compression="none", use_dictionary=False, store_schema=False, **how).read()


def nested(depth: int) -> bytes:
    return footer_only([group("root", 1), *[group("g", 1)] * depth, leaf("x")], 0)


def encrypted() -> bytes:
    return b"PARE" + plain()[4:-4] + b"PARE"


def with_broken_page() -> bytes:
    content = bytearray(plain(write_page_checksum=True))
    at = content.index(b"note 2000")
    content[at : at + 4] = b"Note"
    return bytes(content)


def doubled() -> bytes:
    return footer_only([group("root", 2), leaf("a"), leaf("a")], 0)


def of_durations() -> bytes:
    return written(pa.table({"took": pa.array([timedelta(1)])})).read()


def too_wide() -> bytes:
    return plain(pa.table({f"c{number}": [1] for number in range(1001)}))


def of_the_same_rows(rows: int) -> bytes:
    return written(pa.table({"a": pa.nulls(rows, pa.int8())}), row_group_size=rows).read()


NUMBERS = plain(pa.table({"id": range(MANY)}), write_statistics=False)
HOSTILE = {
    "nothing": (b"", "bad_parquet"),
    "another format": (b"id,amount\n1,2\n", "bad_parquet"),
    "cut off": (plain()[:-100], "bad_parquet"),
    "cut off in the middle": (plain()[: len(plain()) // 2], "bad_parquet"),
    "without its beginning": (plain()[1000:], "bad_parquet"),
    "encrypted": (encrypted(), "encrypted_file"),
    "a byte of a page changed": (with_broken_page(), "bad_parquet"),
    "columns of one name": (doubled(), "doubled_column"),
    "more columns than can be": (too_wide(), "too_many_columns"),
    "a type that is not read": (of_durations(), "unsupported_type"),
    "without columns, and more rows than can be": (
        footer_only([group("root", 0)], 2**60, [row_group(2**60)]),
        "too_many_rows",
    ),
    "without columns": (footer_only([group("root", 0)], 5, [row_group(5)]), "bad_header"),
    "rows in no group": (footer_only([group("root", 1), leaf("a")], 2**62), "bad_parquet"),
    "rows that a group has not": (footer_only([group("root", 1), leaf("a")], 3, [row_group(3)]), "bad_parquet"),
    "rows that its pages have not": (with_footer_numbers(NUMBERS, MANY, MANY + 1), "rows_unaccounted"),
    "rows that no group has": (with_footer_numbers(NUMBERS, MANY, MANY + 1, [0]), "bad_parquet"),
    "fewer rows than values": (with_footer_numbers(NUMBERS, MANY, MANY - 1, [0, 3]), "bad_parquet"),
    "nested a little too deep": (nested(200), "bad_parquet"),
    "nested so deep that the reader dies": (nested(200_000), "bad_parquet"),
    "a page of 2 GB": (with_first_page_of(2**31 - 10, plain()), "too_much_memory"),
    "a footer of many columns": (footer_only([group("root", 10**6), *[leaf("a")] * 10**6], 0), "bad_parquet"),
}


def read(content: bytes, bounds: Bounds | None = None) -> int:
    """How many rows it has."""
    reader = ParquetReader(io.BytesIO(content), bounds)
    rows = sum(block.frame.height + block.rejects.height for block in reader.blocks())
    reader.prove()
    return rows


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_with_a_sentence(what: str) -> None:
    content, code = HOSTILE[what]
    with pytest.raises(FileFault) as fault:
        read(content)
    assert fault.value.code == code
    assert len(fault.value.message) < 600


def test_what_a_file_claims_does_not_decide_what_is_read_beyond_its_bounds() -> None:
    assert read(of_the_same_rows(100_000)) == 100_000
    with pytest.raises(FileFault, match="10 MB"):
        read(plain(), Bounds(memory_bytes=10 << 20))


def children() -> list[psutil.Process]:
    return psutil.Process().children()


def test_the_process_that_reads_ends_with_its_reader() -> None:
    before = children()
    reader = ParquetReader(io.BytesIO(plain(pa.table({"id": range(10**6)}))))
    next(reader.blocks())
    (child,) = [each for each in children() if each not in before]
    assert child.rlimit(psutil.RLIMIT_CPU)[0] <= Bounds().seconds + child.cpu_times().user + 2
    assert child.rlimit(psutil.RLIMIT_DATA)[0] == Bounds().memory_bytes
    del reader
    assert children() == before


def test_a_process_that_hangs_or_dies_is_a_fault_of_the_file() -> None:
    content = plain(pa.table({"id": range(10**6)}))
    for number, code in (
        (signal.SIGSTOP, "bad_parquet"),
        (signal.SIGSEGV, "bad_parquet"),
        (signal.SIGXCPU, "too_slow"),
    ):
        before = children()
        reader = ParquetReader(io.BytesIO(content), Bounds(seconds=2))
        blocks = reader.blocks()
        next(blocks)
        (child,) = [each for each in children() if each not in before]
        os.kill(child.pid, number)
        with pytest.raises(FileFault) as fault:
            list(blocks)
        assert (number, fault.value.code) == (number, code)
        assert children() == before


def test_a_change_of_bytes_never_does_more_than_refuse_the_file_or_change_its_values() -> None:
    random = Random(20260131)
    table = pa.table({"id": range(300), "note": [f"note {n % 7}" for n in range(300)], "l": [[n] for n in range(300)]})
    contents = [
        written(table, compression=kind, write_page_checksum=False).read() for kind in ("none", "snappy", "zstd")
    ]
    outcomes = {code for content in contents for code in outcomes_of(content, random, 15)}
    assert "read" in outcomes
    assert outcomes <= REFUSALS | {"read"}


REFUSALS = {"bad_parquet", "too_much_memory", "too_slow", "encrypted_file", "unsupported_type", "doubled_column"}
REFUSALS |= {"rows_unaccounted", "too_many_rows", "too_much_unpacked"}


def outcomes_of(content: bytes, random: Random, count: int) -> Iterator[str]:
    for _ in range(count):
        try:
            read(changed(content, random))
            yield "read"
        except FileFault as fault:
            yield fault.code


def largest(content: bytes) -> tuple[int, int, int]:
    """Bytes and rows of the largest block, and the most memory that the process that reads had, in MB."""
    before = children()
    reader = ParquetReader(io.BytesIO(content))
    (child,) = [each for each in children() if each not in before]
    size = rows = memory = 0
    for block in reader.blocks():
        size, rows = max(size, int(block.frame.estimated_size())), max(rows, block.frame.height)
        memory = max(memory, child.memory_info().rss >> 20)
    return size, rows, memory


def test_memory_does_not_grow_with_the_size_of_a_row_group() -> None:
    def one_group(rows: int) -> bytes:
        texts = pa.array([f"a text that is not repeated {number}" for number in range(rows)])
        table = pa.table({"id": range(rows), "a": texts, "b": texts})
        content = written(table, row_group_size=rows, use_dictionary=["b"], compression="none")
        assert pq.ParquetFile(content).num_row_groups == 1
        return content.getvalue()  # type: ignore[attr-defined, no-any-return]

    small, large = largest(one_group(60_000)), largest(one_group(600_000))
    assert large[0] < 1.2 * small[0] < 8 << 20
    assert large[1] == small[1] <= 16_384 + 1024
    assert large[2] < small[2] + 20


def test_a_value_that_a_dictionary_repeats_takes_no_more_memory_than_others() -> None:
    texts = pa.array(["x" * 100_000, "y" * 100_000] * 1_000)
    assert largest(written(pa.table({"a": texts})).read())[0] < 150 << 20
