"""The house as the rules see it: which Python files there are, parsed."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ("registry", "ingestor", "loader")
FOLDERS = ("libs", "services", "cli", "tests", "bench")


@cache
def files() -> tuple[Path, ...]:
    """Every Python file of ours, relative to the root."""
    found = [path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    return tuple(sorted(path for path in found if not any(part.startswith(".") for part in path.parts)))


def product() -> list[Path]:
    """What is shipped: no tests, no benchmark."""
    return [path for path in files() if "tests" not in path.parts and path.parts[0] != "bench"]


@cache
def tree(path: Path) -> ast.Module:
    """The file, parsed."""
    return ast.parse((ROOT / path).read_text(), str(path))


def parsed(source: str) -> ast.Module:
    """A snippet, to show that a rule catches it."""
    return ast.parse(source)


def calls(module: ast.AST) -> Iterator[ast.Call]:
    """Every call in it."""
    return (node for node in ast.walk(module) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    """`execute` of `tx.execute(…)` and of `execute(…)`."""
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""
