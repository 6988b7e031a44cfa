"""Which declaration a dataset can accept, what it keeps of the one before, and what it takes from a default."""

from pydantic import ValidationError
from records.globs import glob_problems
from records.proposals import with_proposal
from records.rules import check_declaration
from waybill_contracts import Proposal
from waybill_contracts.declaration import Declaration, DeclarationError

MAX_BYTES = 400_000
"""Every registration carries the declaration, in a message of at most 1 MB."""
FOUND = ("columns", "key")
"""What a declaration may leave to be found."""


def refusal(current: Declaration | None, new: Declaration, *, has_taken_effect: bool) -> str | None:
    """Why the new declaration is refused; None where it is accepted."""
    problems = [*check_declaration(new), *glob_problems(new)]
    if problems:
        return "; ".join(problems)
    if len(new.model_dump_json().encode()) > MAX_BYTES:
        return f"expected a declaration of at most {MAX_BYTES} bytes: each file's registration carries it"
    if current is None or not has_taken_effect or not is_settled(current):
        return None
    return _other_records(current, new)


def is_settled(declaration: Declaration) -> bool:
    """Whether it is known what makes a record the same one; before that no file takes effect."""
    return declaration.mode == "append" or bool(declaration.key)


def _other_records(current: Declaration, new: Declaration) -> str | None:
    """What would make other records, or another order, of what is there."""
    since = f"and files have taken effect, or are about to, under it; {new.dataset} keeps it"
    if (current.mode == "append") != (new.mode == "append"):
        return f"mode: is {current.mode} {since}: {new.mode} would make other records of them"
    if current.identity != new.identity:
        return f"deduplicate: is {str(current.deduplicate).lower()} {since}: the other would make other records of them"
    if current.key != new.key:
        named = ", ".join(new.key) or "none"
        return f"key: the key of {new.dataset} is {', '.join(current.key)} {since}: {named} would make other records"
    if current.order_by and current.order_by != new.order_by:
        return f"order_by: is declared {since}: their rows are ordered by it"
    return None


def with_found(current: Declaration | None, new: Declaration, *, has_taken_effect: bool) -> Declaration:
    """The new declaration with columns, key and mode that were found before, where it leaves them to be found.

    Found once, they stay as long as files have taken effect under them. DeclarationError where they do not go together.
    """
    if current is None or not has_taken_effect or not is_settled(current):
        return new
    # What says neither key nor columns says nothing about rows that turned out to have no key.
    keeps_append = current.mode == "append" and new.mode == "upsert" and not new.columns
    columns = {} if new.columns else current.columns
    return with_proposal(new, Proposal(columns=columns, key=current.key, mode="append" if keeps_append else None))


def bare(organisation: str, table: str) -> Declaration:
    """Everything is to be found in the first file."""
    return Declaration(organisation=organisation, table=table)


def copied(default: Declaration, table: str) -> Declaration:
    """The organisation's default as the declaration of one of its tables."""
    return default.model_copy(update={"table": table})


def followed(base: Declaration, current: Declaration, default: Declaration) -> Declaration:
    """A table's declaration after its default changed from `base`: what the default changed changes, the rest stays.

    So what was found or decided for the table stays where the default has nothing to say. DeclarationError where the
    two do not go together.
    """
    changed = {
        name: value
        for name in Declaration.model_fields
        if (value := getattr(default, name)) != getattr(base, name) and (value or name not in FOUND)
    }
    changed["table"] = current.table
    try:
        return Declaration.model_validate(current.model_copy(update=changed).model_dump())
    except ValidationError as error:
        raise DeclarationError([detail["msg"].removeprefix("Value error, ") for detail in error.errors()]) from error
