"""What a file says beside its rows: of which moment, and of which records that are not in it."""

from dataclasses import dataclass

from records.errors import FileFault
from waybill_contracts import FileRegistered

from ingestor.domain.registration import Position

WHOLE_DATASET = ""


@dataclass(frozen=True)
class Statement:
    """A file as a statement by its sender; `order` and `scope` are the whole file's, the columns give each row's own.

    Scope is the partition that a snapshot speaks for. `speaks_for_absent`: a record that is not in it is gone.
    """

    order: str | None = None
    order_column: str | None = None
    scope: str | None = None
    scope_column: str | None = None
    speaks_for_absent: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether only the rows count, and the order of arrival."""
        return self.has_no_order and self.has_no_scope

    @property
    def has_no_order(self) -> bool:
        return self.order is None and self.order_column is None

    @property
    def has_no_scope(self) -> bool:
        return self.scope is None and self.scope_column is None


def statement_of(file: FileRegistered, corrected: Position | None) -> Statement:
    """What the file says, as it is declared; FileFault where its name lacks what the declaration reads from it.

    A correction says of some rows what the file that it corrects should have said: at that moment, of that scope.
    """
    declaration = file.declaration
    if file.removes:
        return Statement()
    if corrected:
        order_column = declaration.order_by.column if declaration.order_by else None
        scope_column = declaration.partition.column if declaration.partition else None
        return Statement(corrected.order_value, order_column, corrected.scope, scope_column)
    order_by, partition = declaration.order_by, declaration.partition
    if order_by and order_by.file_name and file.order is None:
        raise FileFault(
            "no_order_value",
            f"the name does not match order_by.file_name {order_by.file_name}: send the file under a name that does",
        )
    if partition and partition.path and file.partition is None:
        raise FileFault(
            "no_partition", f"the key has no {{{partition.path}}}: send the file where one of files: has it"
        )
    return Statement(
        order=file.order if order_by and order_by.file_name else None,
        order_column=order_by.column if order_by else None,
        scope=file.partition if partition and partition.path else None,
        scope_column=partition.column if partition else None,
        speaks_for_absent=declaration.mode == "snapshot",
    )
