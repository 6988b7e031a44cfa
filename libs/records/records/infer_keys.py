"""Whether a column could be the key: never null, and no value twice in the whole file."""

from collections.abc import Callable, Iterable

import numpy as np
import polars as pl
from waybill_contracts import Column, Declaration

from records.columns import canonical
from records.transform import make_columns
from records.types import SHOWN_CHARACTERS

CHECKED_AT_ONCE = 10_000
Frames = Iterable[pl.DataFrame]


class KeyCandidate:
    """Takes a column block by block and keeps 8 bytes a row; `fault` says why it is no key, once that is known.

    Values are the same where their canonical texts are. One that is not of the declared type will be a reject: it does
    not count.
    """

    def __init__(
        self, name: str, column: Column | None = None, *, hashed: Callable[[pl.Series], pl.Series] = pl.Series.hash
    ) -> None:
        self.name = name
        self.fault: str | None = None
        self._alone = Declaration(organisation="any", table="any", columns={name: column or Column()})
        self._hashed = hashed
        self._hashes = [pl.Series(dtype=pl.UInt64)]

    def take(self, frame: pl.DataFrame) -> None:
        """More rows of text columns with `_line`."""
        if self.fault:
            return
        made = make_columns(frame, self._alone)
        missing = made.text[self.name].is_null()
        if missing.any():
            self.fault = f"{self.name} is empty on line {frame['_line'].filter(missing)[0]}"
            return
        values = _values(made.typed[self.name], frame)
        self._look_for_two(values)
        self._hashes.append(self._hashed(values["_value"]))

    def is_key(self, read_again: Callable[[], Frames]) -> bool:
        """Whether all values differ; the file is read again only where hashes are the same, which proves nothing."""
        if self.fault:
            return False
        suspects = self._repeated_hashes()
        for start in range(0, len(suspects), CHECKED_AT_ONCE):
            self._look_closer(suspects[start : start + CHECKED_AT_ONCE], read_again())
            if self.fault:
                return False
        return True

    def _repeated_hashes(self) -> pl.Series:
        hashes = pl.concat(self._hashes).to_numpy(writable=True)
        self._hashes = []
        hashes.sort()
        return pl.Series(np.unique(hashes[1:][hashes[1:] == hashes[:-1]]), dtype=pl.UInt64)

    def _look_closer(self, suspects: pl.Series, frames: Frames) -> None:
        seen: list[pl.DataFrame] = []
        for frame in frames:
            values = _values(make_columns(frame, self._alone).typed[self.name], frame)
            seen.append(values.filter(self._hashed(values["_value"]).is_in(suspects.implode())))
            self._look_for_two(pl.concat(seen))
            if self.fault:
                return

    def _look_for_two(self, values: pl.DataFrame) -> None:
        repeated = values["_value"].is_duplicated()
        if repeated.any():
            value = values["_value"].filter(repeated)[0]
            first, second = values.filter(pl.col("_value") == value)["_line"].head(2)
            self.fault = f'{self.name} is "{value[:SHOWN_CHARACTERS]}" on line {first} and on line {second}'


def _values(typed: pl.Series, frame: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame([canonical(typed).alias("_value"), frame["_line"]]).drop_nulls()
