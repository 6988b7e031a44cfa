"""Typed rows and rejects on the local disk, so that memory holds the first of them and what each is compared by."""

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl
from records.reject_file import header_line, reject_rows
from records.rejects import no_rejects
from records.repair_file import repair_rows, repairs_header_line

from ingestor.files.parts import Part, are_several, places

KEPT_BYTES = 1 << 20
TYPE_CODES = ["wrong_type", "out_of_range", "too_many_digits", "invalid_json", "text_after_value"]


class RowSpool:
    """Frames in the order they came; the first few stay in memory, so that a small file's never touch the disk."""

    def __init__(self, path: Path, room: int = KEPT_BYTES) -> None:
        self._path = path
        self._kept: list[pl.DataFrame] = []
        self._room = room
        self._sizes: list[int] = []
        self.height = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Keep a frame."""
        self.height += frame.height
        self._room -= int(frame.estimated_size())
        if self._room >= 0:
            self._kept.append(frame)
            return
        written = frame.write_ipc_stream(None).getbuffer()
        with self._path.open("ab") as file:
            self._sizes.append(file.write(written))

    def frames(self) -> Iterator[pl.DataFrame]:
        """The frames again."""
        yield from self._kept
        if not self._sizes:
            return
        with self._path.open("rb") as file:
            for size in self._sizes:
                yield pl.read_ipc_stream(io.BytesIO(file.read(size)))


class WarningTally:
    """Rows that were taken although they broke a rule, by rule: how many, and the first lines."""

    def __init__(self, kept: int) -> None:
        self.counts = Counter[str]()
        self.lines: dict[str, list[int]] = {}
        self._kept = kept

    def add(self, warnings: pl.DataFrame) -> None:
        """Count warnings (line, rule)."""
        for (rule,), found in warnings.group_by("rule", maintain_order=True):
            self.counts[str(rule)] += found.height
            lines = self.lines.setdefault(str(rule), [])
            lines += found["line"].head(self._kept - len(lines)).to_list()


def read_notes(notes: RowSpool) -> pl.DataFrame:
    """A correction's rows (`_line`), and the lines (`line`) of the rejects that they stand for."""
    return pl.concat([pl.DataFrame(schema={"_line": pl.Int64, "line": pl.Int64}), *notes.frames()])


class RejectSpool:
    """Every reject of an attempt: as a file for the sender, the first of them at hand, all counted and remembered."""

    def __init__(self, folder: Path, kept: int, parts: Sequence[Part] = (), notes: RowSpool | None = None) -> None:
        """`parts`: where they are several, each reject is told with its place in one of them.

        `notes` of a correction (`_line`, line): each is told with the line that it has in the file that is corrected.
        """
        self.path = folder / "rejects.csv"
        self.count = 0
        self.first = no_rejects()
        self.lines = RowSpool(folder / "reject-lines")
        """line, and key where the row has a readable one."""
        self.mistyped = Counter[str]()
        """Values that are not of their column's type, by column."""
        self._kept = kept
        self._parts = parts
        self._notes = notes
        self._header: Mapping[str, str] = {}

    def begin(self, header: Mapping[str, str]) -> None:
        """The sender's own header, under which rejects are written: as they call each column, by its name."""
        self._header = header

    def add(self, rejects: pl.DataFrame, fields: pl.DataFrame, keys: pl.DataFrame) -> None:
        """Keep rejects, with the fields (`_line`, texts) and keys that some have."""
        if not rejects.height:
            return
        if self.first.height < self._kept:
            self.first = pl.concat([self.first, rejects.head(self._kept - self.first.height)])
        self._count_mistyped(rejects)
        self.lines.add(rejects.select("line").join(keys.select(line="_line", key="_key"), on="line", how="left"))
        with self.path.open("ab") as file:
            if not self.count:
                has_parts = self._notes is None and are_several(self._parts)
                file.write(header_line(list(self._header.values()), has_parts=has_parts))
            reject_rows(self._placed(rejects), self._in_order(fields)).write_csv(file, include_header=False)
        self.count += rejects.height

    def _placed(self, rejects: pl.DataFrame) -> pl.DataFrame:
        if self._notes is not None:
            notes = read_notes(self._notes).select("_line", noted="line")
            return rejects.join(notes, left_on="line", right_on="_line", how="left", maintain_order="left")
        return rejects.with_columns(places(self._parts, rejects["line"])) if are_several(self._parts) else rejects

    def _in_order(self, fields: pl.DataFrame) -> pl.DataFrame:
        """The fields as the header has them; the parts of a delivery may have their columns in different orders."""
        lacking = [pl.lit(None, pl.String).alias(name) for name in self._header if name not in fields.columns]
        return fields.with_columns(lacking).select("_line", *self._header)

    def _count_mistyped(self, rejects: pl.DataFrame) -> None:
        faults = rejects.select("codes", "columns").explode("codes", "columns")
        self.mistyped.update(faults.filter(pl.col("codes").is_in(TYPE_CODES))["columns"].drop_nulls().to_list())


class RepairSpool:
    """Every row of an attempt that was mended: as a file for the sender, and counted by what was mended."""

    def __init__(self, folder: Path, parts: Sequence[Part] = ()) -> None:
        """`parts`: where they are several, each row is told with its place in one of them."""
        self.path = folder / "repairs.csv"
        self.counts = Counter[str]()
        """Rows by repair, once they are settled."""
        self._rows = RowSpool(folder / "repaired")
        self._parts = parts

    def add(self, repaired: pl.DataFrame) -> None:
        """Keep rows (line, repairs, raw, start, size)."""
        self._rows.add(repaired)

    def settle(self, rejected: RowSpool) -> None:
        """Write and count those that are no rejects (line) in the end: a row that was refused was not mended."""
        lines = pl.Series("line", dtype=pl.Int64)
        if self._rows.height:
            lines = pl.concat([lines, *(frame["line"] for frame in rejected.frames())])
        for frame in self._rows.frames():
            taken = frame.filter(~pl.col("line").is_in(lines.implode()))
            if taken.height:
                self._write(taken)

    def _write(self, taken: pl.DataFrame) -> None:
        with self.path.open("ab") as file:
            if not self.counts:
                file.write(repairs_header_line(has_parts=are_several(self._parts)))
            placed = taken.with_columns(places(self._parts, taken["line"])) if are_several(self._parts) else taken
            repair_rows(placed).write_csv(file, include_header=False)
        self.counts.update(taken["repairs"].explode().to_list())
