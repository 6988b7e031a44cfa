"""SQL is a literal, or made by chassis.sql from a literal template; nothing else reaches a connection."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import house
import pytest

EXECUTING = {"fetch", "fetchrow", "fetchval", "fetchmany", "execute", "executemany", "cursor", "prepare"}
COPYING = {"copy_from_query"}
MAKERS = {"sql", "fragment"}
# What has a `fetch` of its own, and no SQL: rooms of bucket and documents, by the name they are passed as.
NOT_A_DATABASE = {"files", "documents", "bucket", "self"}
STATEMENTS = frozenset(
    [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "CREATE",
        "ALTER",
        "DROP",
        "COPY",
        "GRANT",
        "REVOKE",
        "TRUNCATE",
        "LOCK",
        "MERGE",
    ]
)
KEYWORDS = STATEMENTS | frozenset(
    ["FROM", "INTO", "SET", "TABLE", "VIEW", "SCHEMA", "INDEX", "ROLE", "WHERE", "VALUES", "ON", "TO", "JOIN"]
)

MAKER_FILE = Path("libs/chassis/chassis/sql.py")
# Runs the text of migration files, or passes on what its callers in the same package wrote.
PASSES_ON = {
    Path("libs/chassis/chassis/database.py"): {"text"},
    Path("cli/waybill/stores.py"): {"query"},
    Path("services/ingestor/ingestor/store/copying.py"): {"query"},
    # Drops what the server itself listed as left over from tests.
    Path("libs/stack/stack/namespaces.py"): {"statement"},
}


def violations(module: ast.Module, passed_on: frozenset[str] | set[str] = frozenset()) -> list[str]:
    """Where SQL is built from strings, or is not seen to be a literal."""
    names = assigned(module)
    return [*unseen(module, names, passed_on), *built(module), *made_from_unknown(module, names)]


def assigned(module: ast.Module) -> dict[str, list[ast.expr]]:
    """All values that each plain name of the file is given."""
    names: dict[str, list[ast.expr]] = {}
    for node in ast.walk(module):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                names.setdefault(name, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                names.setdefault(name, []).append(value)
            case ast.AugAssign(target=ast.Name(id=name)):
                names.setdefault(name, []).append(ast.BinOp(node.target, node.op, node.value))
            case ast.arg(arg=name):
                names.setdefault(name, []).append(ast.Name("parameter"))
    return names


def is_literal(value: ast.expr, names: dict[str, list[ast.expr]], depth: int = 0) -> bool:
    """A string constant, a call of a maker, a choice of such, or a name that is only ever given such."""
    match value:
        case ast.Constant(value=str()):
            return True
        case ast.Call(func=ast.Name() | ast.Attribute(value=ast.Name())):
            return house.called(value) in MAKERS
        case ast.IfExp(body=body, orelse=orelse):
            return is_literal(body, names, depth) and is_literal(orelse, names, depth)
        case ast.Name(id=name) if name in names and depth < 3:
            return all(is_literal(given, names, depth + 1) for given in names[name])
    return False


def unseen(module: ast.Module, names: dict[str, list[ast.expr]], passed_on: frozenset[str] | set[str]) -> Iterator[str]:
    for call in house.calls(module):
        if not isinstance(call.func, ast.Attribute) or house.called(call) not in EXECUTING | COPYING or not call.args:
            continue
        receiver = ast.unparse(call.func.value).rsplit(".", 1)[-1].lstrip("_")
        query = call.args[0]
        words = {node.id for node in ast.walk(query) if isinstance(node, ast.Name)}
        if receiver not in NOT_A_DATABASE and not is_literal(query, names) and not (words and words <= passed_on):
            found = f"{ast.unparse(call.func)}({ast.unparse(query)[:60]})"
            yield f"line {call.lineno}: {found}: expected literal SQL or sql(…)"


def built(module: ast.Module) -> Iterator[str]:
    """Strings that look like SQL and are put together."""
    for node in ast.walk(module):
        match node:
            case ast.JoinedStr() | ast.BinOp(op=ast.Mod() | ast.Add()):
                is_joined = True
            case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="format" | "join")):
                is_joined = True
            case _:
                is_joined = False
        if is_joined and looks_like_sql(node):
            yield f"line {node.lineno}: {ast.unparse(node)[:60]}: expected chassis.sql.sql(…) instead of joined strings"


def looks_like_sql(node: ast.AST) -> bool:
    """A statement's first word and one more keyword; so neither a sentence nor a status such as UPDATE 3."""
    texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    words = re.findall(r"[A-Z]+", " ".join(texts))
    return any(word in STATEMENTS for word in words) and len(KEYWORDS & set(words)) > 1


def made_from_unknown(module: ast.Module, names: dict[str, list[ast.expr]]) -> Iterator[str]:
    """Calls of sql(…) and fragment(…) whose template is not a literal."""
    for call in house.calls(module):
        if house.called(call) in MAKERS and not (call.args and is_constant(call.args[0], names)):
            yield f"line {call.lineno}: {ast.unparse(call)[:60]}: expected a literal template"


def is_constant(value: ast.expr, names: dict[str, list[ast.expr]]) -> bool:
    return is_literal(value, names) and not isinstance(value, ast.Call)


def test_all_sql_is_literal_or_made_by_the_chassis() -> None:
    found = [
        f"{path}: {what}"
        for path in house.product()
        if path != MAKER_FILE
        for what in violations(house.tree(path), PASSES_ON.get(path, set()))
    ]
    assert found == []


def test_every_exception_is_still_needed() -> None:
    for path, names in PASSES_ON.items():
        if (house.ROOT / path).exists():
            assert violations(house.tree(path)) != [], f"{path}: {names} needs no exception any more"


@pytest.mark.parametrize(
    "snippet",
    [
        'await tx.execute(f"DELETE FROM {table}")',
        'await tx.execute(f"{verb} FROM x")',
        'await tx.fetch("SELECT * FROM " + table)',
        'await tx.fetchrow("SELECT * FROM %s" % table)',
        'await tx.fetchval("SELECT {}".format(column))',
        'await tx.executemany(" ".join(["SELECT", column]), [])',
        "await tx.execute(query)",
        'query = "SELECT 1"\nquery += where\nawait tx.execute(query)',
        'query = "SELECT 1"\nquery = make()\nawait tx.execute(query)',
        "async def run(tx, query):\n    await tx.execute(query)",
        'async for row in tx.cursor("SELECT " + x): pass',
        'await tx.copy_from_query(f"SELECT {x}", output=o)',
        'await db.execute(sql("SELECT {x}", x=x) + " WHERE y")',
        'await db.execute(sql("SELECT " + x))',
        'await db.execute(sql(f"SELECT {x}"))',
        "part = fragment(template, x=x)",
        'text = f"INSERT INTO {table} VALUES ($1)"',
        'text = "UPDATE " + table + " SET x = 1"',
        'text = "DROP TABLE %s" % table',
        'text = "CREATE VIEW {} AS".format(name)',
        "await self._db.execute(name.text)",
    ],
)
def test_sql_made_from_strings_is_caught(snippet: str) -> None:
    assert violations(house.parsed(snippet)) != []


@pytest.mark.parametrize(
    "snippet",
    [
        'await tx.execute("DELETE FROM files WHERE file_id = $1", file_id)',
        'await tx.execute(sql("DELETE FROM {log}", log=place.log))',
        'query = sql("SELECT {c}", c=columns(names))\nawait tx.fetch(query, 1)',
        'ALL = "SELECT 1"\nawait tx.fetch(ALL)',
        'await tx.fetch("SELECT 1" if short else "SELECT 2")',
        "await files.fetch(key)",
        'print(f"Select one of {names} FROM here")',
        'assert status == f"UPDATE {count}"',
        "fetch(progress)",
    ],
)
def test_literal_sql_passes(snippet: str) -> None:
    assert violations(house.parsed(snippet)) == []
