"""Small cases for the oracle, made by hand."""

from typing import Any

from oracle import Oracle

COLUMNS = {"id": ("integer", True), "name": ("text", False), "amount": ("decimal(8,2)", False)}
BY_NAME = r"_(\d+)\."


def oracle(columns: dict[str, tuple[str, bool]] = COLUMNS, **more: Any) -> Oracle:
    return Oracle(() if more.get("mode") == "append" else ("id",), columns, **more)


def rows(*lines: str, header: str = "id,name,amount") -> bytes:
    return "".join(f"{line}\n" for line in (header, *lines)).encode()


def numbers(*ids: int) -> bytes:
    return rows(*[f"{number},n,1" for number in ids])


def counted(it: Oracle, arrival: int) -> dict[str, int]:
    return {name: count for name, count in it.counts[arrival - 1].items() if count}


def names(it: Oracle) -> dict[str, str]:
    return {key: row.get("name", "") for key, row in it.current.items()}
