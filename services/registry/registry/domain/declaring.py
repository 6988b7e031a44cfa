"""Which declaration a dataset can accept."""

from records.rules import check_declaration
from waybill_contracts.declaration import Declaration

MAX_BYTES = 400_000
"""Every registration carries the declaration, in a message of at most 1 MB."""


def refusal(current: Declaration | None, new: Declaration, *, has_taken_effect: bool) -> str | None:
    """Why the new declaration is refused; None where it is accepted."""
    problems = check_declaration(new)
    if problems:
        return "; ".join(problems)
    if len(new.model_dump_json().encode()) > MAX_BYTES:
        return f"expected a declaration of at most {MAX_BYTES} bytes: each file's registration carries it"
    if current is None or current.key == new.key or not has_taken_effect:
        return None
    return (
        f"the key of {new.dataset} is {', '.join(current.key)} and files have taken effect, or are about to, under it;"
        f" {', '.join(new.key)} would make other records of them"
    )
