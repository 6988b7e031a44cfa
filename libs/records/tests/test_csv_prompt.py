"""What stands before the rows takes no longer than its size: packed, a megabyte of it is a thousand bytes."""

import io
import time

import pytest
from records.csv.reader import CsvReader
from records.errors import FileFault
from waybill_contracts import Format

MANY = 1_000_000
SECONDS = 5.0


def cpu_seconds_of_header(data: bytes, said: Format) -> tuple[str, float]:
    """How the header is read, or why it is not."""
    began = time.process_time()
    try:
        found = ",".join(CsvReader.of_format(io.BytesIO(data), said).header)
    except FileFault as fault:
        found = fault.code
    return found, time.process_time() - began


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_million_blank_lines_before_the_header_are_passed_at_once(line_end: bytes) -> None:
    data = line_end * MANY + b"a,b" + line_end
    found, seconds = cpu_seconds_of_header(data, Format(line_end="any"))
    assert (found, seconds < SECONDS) == ("a,b", True), seconds


def test_a_million_comments_before_the_header_are_passed_at_once() -> None:
    found, seconds = cpu_seconds_of_header(b"#\n" * MANY + b"a,b\n", Format(comment="#"))
    assert (found, seconds < SECONDS) == ("a,b", True), seconds


@pytest.mark.parametrize("header", [True, False])
def test_a_million_columns_are_refused_before_anybody_names_them(header: bool) -> None:
    found, seconds = cpu_seconds_of_header(b"," * MANY + b"\n1,2\n", Format(header=header))
    assert (found, seconds < SECONDS) == ("too_many_columns", True), seconds


def test_a_comment_that_goes_on_is_read_to_its_end() -> None:
    reader = CsvReader.of_format(io.BytesIO(b"#one\n#" + b"x" * (3 << 20) + b"\n\n#two\na\n1\n"), Format(comment="#"))
    assert reader.header == ["a"]
    assert reader.line == 6
    assert [block.frame["a"].to_list() for block in reader.blocks()] == [["1"]]
    reader.prove()
