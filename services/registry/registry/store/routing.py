"""All routes together: one row that registering shares, and that accepting a declaration has for itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import orjson
from chassis import Tx
from waybill_contracts.declaration import DEFAULT_FILES, Group

from registry.domain.routes import Declared, Routes


@dataclass(frozen=True)
class Routing:
    """The routes as they stand, and whether datasets without a declaration are taken in."""

    routes: Routes
    infers: bool


async def share(tx: Tx) -> Routing:
    """The routing, which stays so to the end of the transaction."""
    ((routes, infers),) = await tx.fetch("SELECT routes, infers FROM routing FOR SHARE")
    return Routing(_compile(routes), infers)


async def take(tx: Tx) -> None:
    """Nobody registers anything until the end of the transaction; comes before every other lock."""
    await tx.execute("SELECT FROM routing FOR UPDATE")


async def renew(tx: Tx) -> Routing:
    """The routing as the declarations of now have it."""
    rows = await tx.fetch(
        """
        SELECT organisation, table_name AS table, routes FROM datasets
        WHERE declaration_version > 0 AND (routes IS NOT NULL OR organisation IN (
            SELECT organisation FROM datasets WHERE table_name = '*' AND declaration_version > 0))
        ORDER BY dataset COLLATE "C"
        """
    )
    told = [{"organisation": row["organisation"], "table": row["table"], **(row["routes"] or {})} for row in rows]
    text = orjson.dumps(told).decode()
    infers: bool = await tx.fetchval("UPDATE routing SET routes = $1 RETURNING infers", text)
    return Routing(_compile(text), infers)


async def set_inference(tx: Tx, infers: bool) -> bool:
    """Whether datasets without a declaration are taken in from now on; returns whether that is new."""
    is_new: bool | None = await tx.fetchval("UPDATE routing SET infers = $1 WHERE infers <> $1 RETURNING true", infers)
    return bool(is_new)


@lru_cache(maxsize=8)
def _compile(text: str) -> Routes:
    return Routes(_declared(**told) for told in orjson.loads(text))


def _declared(
    organisation: str,
    table: str,
    files: Sequence[str] = DEFAULT_FILES,
    since: str | None = None,
    group: Mapping[str, str] | None = None,
) -> Declared:
    return Declared(organisation, table, tuple(files), since, Group(**group) if group else None)
