"""The declaration that a data file makes; nothing needs to run."""

import re
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError
from records.errors import FileFault
from records.formats import Reader, open_reader
from records.header import business_name
from records.infer import examine
from records.proposals import with_proposal
from waybill_contracts import Declaration, Format

from waybill import output
from waybill.output import Refusal
from waybill.references import DATASET, split_dataset

UNNAMED = "example"


def inferred_declaration(data: Path, dataset: str | None) -> tuple[Declaration, list[str]]:
    """The declaration that the file makes, and in a sentence each what is uncertain; ends where it makes none."""
    organisation, table = split_dataset(dataset or f"{UNNAMED}/{table_of(data)}")
    try:
        declaration = Declaration(organisation=organisation, table=table)
    except ValidationError as error:
        raise Refusal(f"{dataset}: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
    with data.open("rb") as source:
        try:
            found = examine(lambda: begin(source), declaration)
        except FileFault as fault:
            output.fail(f"{data}: {fault.code}: {fault.message}", output.BAD_ANSWER)
    doubts = list(found.doubts)
    if dataset is None:
        doubts.append(f"the dataset is called {declaration.dataset} until you say another name with --to acme/orders")
    return with_proposal(declaration, found.proposal), doubts


def begin(source: BinaryIO) -> Reader:
    """The reader of the opened file, from its beginning."""
    source.seek(0)
    return open_reader(source, Format())


def table_of(data: Path) -> str:
    """A table named like the file."""
    name = re.sub("[^a-z0-9]+", "_", business_name(data.stem)).strip("_")[:41]
    is_free = DATASET.fullmatch(f"{UNNAMED}/{name}") and not name.endswith(("_history", "_as_of"))
    return name if is_free else "records"
