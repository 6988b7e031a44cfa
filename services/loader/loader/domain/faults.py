"""Why a load cannot go on, and where."""

from collections.abc import Iterator
from contextlib import contextmanager

from waybill_contracts import Batch, RecordsIngested


class LoadFault(Exception):
    """Something is not what the file's fact says."""


class Mismatch(LoadFault):
    """What was found is wrong; trying again cannot help."""


class MissingDocuments(LoadFault):
    """Fewer documents than the fact states; they may still appear, but not for ever."""


class LogDiffers(LoadFault):
    """The log's rows of a position were not what the fact says; they were forgotten, to be appended again."""


def position_name(fact: RecordsIngested) -> str:
    """`acme/orders position 3`: how reasons name it."""
    return f"{fact.dataset} position {fact.position}"


@contextmanager
def named(fact: RecordsIngested, batch: Batch | None = None) -> Iterator[None]:
    """Faults found inside name the dataset, the position and, where there is one, the batch."""
    try:
        yield
    except LoadFault as fault:
        where = position_name(fact) + (f" batch {batch.number}" if batch else "")
        raise type(fault)(f"{where}: {fault}") from fault
