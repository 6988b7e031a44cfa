"""The declaration that a data file makes; nothing needs to run."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast

from pydantic import ValidationError
from records.archives import read_archive
from records.contents import compression, readable, unpacked
from records.errors import FileFault
from records.formats import Reader, open_reader
from records.header import business_name
from records.infer import examine
from records.proposals import with_proposal
from records.recognise.choice import Recognition
from records.recognise.recognition import recognise, to_declare
from records.recognise.trials import Candidate
from waybill_contracts import Declaration, Format, Proposal

from waybill import output
from waybill.output import Refusal
from waybill.references import DATASET, split_dataset
from waybill.waybills import format_text

UNNAMED = "example"
SHOWN_COLUMNS = 6
SHOWN_CHARACTERS = 40


def inferred_declaration(data: Path, dataset: str | None) -> tuple[Declaration, list[str]]:
    """The declaration that the file makes, and in a sentence each what is uncertain; ends where it makes none."""
    organisation, table = split_dataset(dataset or f"{UNNAMED}/{table_of(data)}")
    try:
        declaration = Declaration(organisation=organisation, table=table)
    except ValidationError as error:
        raise Refusal(f"{dataset}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
    try:
        with opened(data) as content:
            found = recognise(content, declaration, data.name)
            doubts = doubts_of(found)
            if found.candidates:
                best = to_declare(found.candidates[0], found.candidates)
                declaration = with_proposal(declaration, Proposal(format=best))
            inferred = examine(beginning(content, found.format), declaration, found.format)
    except FileFault as fault:
        output.fail(f"{data}: {fault.code}: {fault.message}", output.BAD_ANSWER)
    doubts += inferred.doubts
    if dataset is None:
        doubts.append(f"the dataset is called {declaration.dataset} until you say another name with --to acme/orders")
    return with_proposal(declaration, inferred.proposal), doubts


@contextmanager
def opened(data: Path) -> Iterator[BinaryIO]:
    """The file's content, unpacked; of an archive its first entry's."""
    with data.open("rb") as source, TemporaryFile() as scratch:
        packed = compression(source, Format())
        entry = next(iter(read_archive(source).entries), None) if packed == "zip" else None
        if packed == "zip" and entry is None:
            raise FileFault("empty_file", "no file is in the archive")
        yield unpacked(source, entry or packed, lambda: cast(BinaryIO, scratch))


def beginning(content: BinaryIO, file_format: Format) -> Callable[[], Reader]:
    """Begins to read the content, as often as it is called."""

    def begin() -> Reader:
        content.seek(0)
        return open_reader(readable(content, file_format), file_format)

    return begin


def doubts_of(found: Recognition) -> list[str]:
    """Why it is in doubt how the file is read, and in which ways it can be."""
    if found.is_certain:
        return []
    told = [
        f"{_way(number, each.header)} with format: {format_text(_declared(each, found))}"
        for number, each in enumerate(found.candidates, 1)
    ]
    return [f"how it is read is in doubt: {found.why}; it is read as number 1 of these:", *told]


def _declared(candidate: Candidate, found: Recognition) -> dict[str, object]:
    return to_declare(candidate, found.candidates).model_dump(mode="json", exclude_unset=True)


def _way(number: int, header: tuple[str, ...]) -> str:
    shown = ", ".join(name[:SHOWN_CHARACTERS] for name in header[:SHOWN_COLUMNS])
    return f"  {number}: {len(header)} columns ({shown}{', …' if len(header) > SHOWN_COLUMNS else ''})"


def table_of(data: Path) -> str:
    """A table named like the file."""
    name = re.sub("[^a-z0-9]+", "_", business_name(data.stem)).strip("_")[:41]
    is_free = DATASET.fullmatch(f"{UNNAMED}/{name}") and not name.endswith(("_history", "_as_of"))
    return name if is_free else "records"
