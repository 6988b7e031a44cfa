"""Upper limits of size: a file that grows past them is two files, a function two functions."""

import ast
import sys
from collections.abc import Iterator

import house

FILE_LINES = 300
FUNCTION_LINES = 40
HANDLER_LINES = 25
ORACLE = {"tests/system/meaning.py": 260, "tests/system/oracle_files.py": 250, "tests/system/oracle.py": 300}
"""What a file says, what it is to the others, and what becomes of it."""


def long_functions(module: ast.Module, limit: int) -> Iterator[str]:
    """Functions of more lines than the limit, decorators apart: a test's table of cases is data."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > limit:
                yield f"{node.name}: {lines} lines, at most {limit}"


def test_no_file_is_longer_than_300_lines() -> None:
    lengths = {str(path): len((house.ROOT / path).read_text().splitlines()) for path in house.files()}
    assert {path: lines for path, lines in lengths.items() if lines > FILE_LINES} == {}


def test_no_function_is_longer_than_40_lines() -> None:
    found = [f"{path}: {what}" for path in house.files() for what in long_functions(house.tree(path), FUNCTION_LINES)]
    assert found == []


def test_no_handler_is_longer_than_25_lines() -> None:
    handlers = [path for path in house.product() if path.name == "handlers.py" or path.parent.name == "handlers"]
    assert len(handlers) >= len(house.SERVICES)
    found = [f"{path}: {what}" for path in handlers for what in long_functions(house.tree(path), HANDLER_LINES)]
    assert found == []


def test_the_oracle_can_be_read_in_one_sitting_and_knows_nothing_of_the_product() -> None:
    known = {*sys.stdlib_module_names, *[path.rpartition("/")[2].removesuffix(".py") for path in ORACLE]}
    for path, most in ORACLE.items():
        text = (house.ROOT / path).read_text()
        assert len(text.splitlines()) <= most, path
        assert not {found.partition(".")[0] for found in imports(house.parsed(text))} - known


def imports(module: ast.Module) -> Iterator[str]:
    """Every module that is imported."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_a_function_of_one_line_too_many_is_caught() -> None:
    body = "    pass\n" * (FUNCTION_LINES - 1)
    assert list(long_functions(house.parsed("def f():\n" + body), FUNCTION_LINES)) == []
    assert list(long_functions(house.parsed("async def f():\n    pass\n" + body), FUNCTION_LINES))
    assert list(long_functions(house.parsed("class C:\n  def f():\n    1\n" + body), FUNCTION_LINES))
