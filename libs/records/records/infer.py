"""Finds what a declaration leaves open in the first file (design.md 12): columns, their types, and the key."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl
from waybill_contracts import Column, Declaration, DeclarationError, Format, Proposal

from records.errors import FileFault
from records.formats import Reader
from records.header import match
from records.infer_keys import KeyCandidate
from records.infer_types import TypeGuesses
from records.proposals import with_proposal
from records.recognise.dialects import unusual
from records.transform import without_nulls

AS_EXPECTED = Format()


@dataclass(frozen=True)
class Inferred:
    """What would make the declaration complete, and in a sentence each what is uncertain about it."""

    proposal: Proposal
    doubts: tuple[str, ...] = ()


def infer(read: Callable[[], Reader], declaration: Declaration, read_as: Format = AS_EXPECTED) -> Proposal:
    """What the declaration has to say more for this file, which `read` begins anew, to be read without any loss.

    What is not usual of the format that it is read as. Columns where it has none: as records.infer_types says; required
    are those of key, order and partition. The key where it has none: `id`, else `<table>_id`, else that without the
    table's last s (`order_id` of orders), if never null and never twice in the whole file; else mode append.
    FileFault: nothing_to_infer where the file has no rows; no_key where mode snapshot finds none; cannot_infer where
    what was found makes no good declaration; and what is wrong with the file. Memory holds a block and 8 bytes a row.
    """
    return examine(read, declaration, read_as).proposal


def infer_columns(read: Callable[[], Reader], declaration: Declaration, names: Sequence[str]) -> dict[str, Column]:
    """The columns of these names in the file that are not declared; in the order of `names`."""
    guesses = TypeGuesses(names)
    for frame in _frames(read, declaration):
        guesses.take(frame)
    return {name: Column(type=guesses.guesses[name].type) for name in names}


def examine(read: Callable[[], Reader], declaration: Declaration, read_as: Format = AS_EXPECTED) -> Inferred:
    """As `infer`, with the doubts."""
    names = match(read().header, declaration).names
    guesses = TypeGuesses([] if declaration.columns else names)
    candidates = _candidates(names, declaration)
    row_count = _take(_frames(read, declaration), guesses, candidates)
    if not row_count:
        raise FileFault(
            "nothing_to_infer",
            "the file has no rows that can be read, so nothing is known of its columns: declare them, or send rows",
        )
    key, mode, doubts = declaration.key, declaration.mode, guesses.sentences()
    if not key and mode != "append":
        key = next(((one.name,) for one in candidates if one.is_key(lambda: _frames(read, declaration))), ())
        if not key:
            mode = "append"
            doubts.append(_why_no_key(candidates, declaration))
    needed = declaration.needed_columns | set(key)
    columns = {name: Column(type=guess.type, required=name in needed) for name, guess in guesses.guesses.items()}
    proposal = Proposal(columns=columns, key=key, mode=mode, format=unusual(read_as))
    return _checked(Inferred(proposal, tuple(doubts)), declaration)


def _candidates(names: Sequence[str], declaration: Declaration) -> list[KeyCandidate]:
    if declaration.key or declaration.mode == "append":
        return []
    columns = declaration.columns or dict.fromkeys(names, Column())
    found = [(name, columns.get(name)) for name in _key_names(declaration) if name in names]
    return [
        KeyCandidate(name, column) for name, column in found if column and column.is_in_files and not column.optional
    ]


def _key_names(declaration: Declaration) -> tuple[str, ...]:
    if declaration.is_for_any_table:
        return ("id",)
    plural = f"{declaration.table}_id"
    # Without the singular, the orders of a shop would be appended again each day.
    return ("id", *dict.fromkeys((plural, f"{declaration.table.removesuffix('s')}_id")))


def _take(frames: Iterable[pl.DataFrame], guesses: TypeGuesses, candidates: Sequence[KeyCandidate]) -> int:
    """How many rows there were."""
    count = 0
    for frame in frames:
        count += frame.height
        guesses.take(frame)
        for candidate in candidates:
            candidate.take(frame)
    return count


def _frames(read: Callable[[], Reader], declaration: Declaration) -> Iterator[pl.DataFrame]:
    reader = read()
    for block in reader.blocks(match(reader.header, declaration).names):
        yield without_nulls(block.frame, declaration.format.null_values)


def _why_no_key(candidates: Sequence[KeyCandidate], declaration: Declaration) -> str:
    reasons = [candidate.fault for candidate in candidates if candidate.fault]
    why = "; ".join(reasons) or f"no column is called {' or '.join(_key_names(declaration))}"
    if declaration.mode == "snapshot":
        raise FileFault("no_key", f"mode snapshot needs a key, and none was found: {why}; declare the key")
    return f"mode append, each row a record of its own: {why}; declare the key"


def _checked(inferred: Inferred, declaration: Declaration) -> Inferred:
    try:
        with_proposal(declaration, inferred.proposal)
    except DeclarationError as error:
        raise FileFault("cannot_infer", f"what the file holds makes no good declaration: {error}") from error
    return inferred
