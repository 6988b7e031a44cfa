"""What a declaration becomes when a proposal about it is accepted."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from waybill_contracts import Column, Declaration, DeclarationError, Format, Proposal


def with_proposal(declaration: Declaration, proposal: Proposal) -> Declaration:
    """The declaration and what it does not say itself: columns, which may be absent, key with mode, and format.

    What is declared stays as it is. DeclarationError where together they are no good declaration.
    """
    columns = _with_optional(declaration.columns, proposal.optional)
    taken = {name for declared, column in columns.items() for name in (declared, *column.aliases)}
    columns |= {name: column for name, column in proposal.columns.items() if name not in taken}
    fields = declaration.model_dump() | {"columns": {name: column.model_dump() for name, column in columns.items()}}
    if not declaration.key and declaration.mode != "append":
        fields |= {"key": proposal.key, "mode": proposal.mode or declaration.mode}
    if proposal.format:
        fields |= {"format": _said(proposal.format) | _said(declaration.format)}
    return _declared(fields)


def with_format(declaration: Declaration, decided: Format) -> Declaration:
    """The declaration with what was decided of its format, whatever it said of it before; DeclarationError as above."""
    return _declared(declaration.model_dump() | {"format": _said(declaration.format) | _said(decided)})


def _said(file_format: Format) -> dict[str, Any]:
    """What it does not leave to be recognised."""
    return {field: value for field, value in file_format.model_dump(exclude_unset=True).items() if value is not None}


def _declared(fields: dict[str, Any]) -> Declaration:
    try:
        return Declaration.model_validate(fields)
    except ValidationError as error:
        raise DeclarationError([_sentence(detail["loc"], detail["msg"]) for detail in error.errors()]) from error


def _with_optional(columns: dict[str, Column], optional: Iterable[str]) -> dict[str, Column]:
    marked = {name: columns[name].model_copy(update={"optional": True}) for name in optional if name in columns}
    return columns | marked


def _sentence(path: tuple[int | str, ...], message: str) -> str:
    said = message.removeprefix("Value error, ")
    return ": ".join([".".join(map(str, path)), said]) if path else said
