"""A position that is being loaded, and what the warehouse must hold of it before it counts."""

from dataclasses import dataclass

from records.checksum import add_checksums
from waybill_contracts import Batch, RecordsIngested

from loader.domain.facts import stated_counts
from loader.domain.faults import LogDiffers, Mismatch
from loader.domain.tables import Place, Tables


@dataclass(frozen=True)
class Load:
    """One position that is being loaded: what was said of it, where it goes, what of it is in the log already."""

    fact: RecordsIngested
    place: Place
    tables: Tables
    """With all business columns, those that this file has not included."""
    appended: frozenset[int]

    @property
    def only_batch(self) -> Batch | None:
        """The file's one batch, where it has just one, which is not in the log yet."""
        return self.fact.batches[0] if len(self.fact.batches) == 1 and not self.appended else None

    @property
    def open_batches(self) -> list[Batch]:
        return [batch for batch in self.fact.batches if batch.number not in self.appended]


@dataclass(frozen=True)
class Tally:
    """The versions of one position: how many of each change, and the sum of their checksums."""

    counts: dict[str, int]
    checksum: str

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def check_appended(fact: RecordsIngested, appended: frozenset[int]) -> None:
    """Every batch is entered as being in the log."""
    missing = {batch.number for batch in fact.batches} - appended
    if missing:
        raise LogDiffers(f"{len(missing)} batches are not in the log")


def check_sums(fact: RecordsIngested, tally: Tally) -> None:
    """The log's versions sum up to what the fact says of its batches."""
    count = sum(batch.version_count for batch in fact.batches)
    checksum = add_checksums(batch.checksum for batch in fact.batches)
    if (tally.total, tally.checksum) != (count, checksum):
        raise LogDiffers(
            f"the log held {tally.total} versions with checksum {tally.checksum} where the fact says {count} with"
            f" {checksum}; they are appended again"
        )


def check_counts(fact: RecordsIngested, what: str, found: dict[str, int]) -> None:
    """As many inserts, updates and deletes as the waybill says."""
    wrong = [
        f"{found.get(change, 0)} {change}s where the waybill says {count}"
        for change, count in stated_counts(fact).items()
        if found.get(change, 0) != count
    ]
    if wrong:
        raise Mismatch(f"{what} {', '.join(wrong)}")
