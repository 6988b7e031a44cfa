"""The hash of a row: SHA-256 over the canonical texts of its non-null business columns (design.md 13)."""

import numpy as np
import polars as pl

from records.columns import canonical, check_types
from records.digest import digests
from records.headers import length_headers
from records.key import keys
from records.pieces import Piece, join, ragged_values, starts_of, text_values, valid_rows

RULE_VERSION = 1


def add_identity(frame: pl.DataFrame, key: tuple[str, ...], types: dict[str, str]) -> pl.DataFrame:
    """The frame with each row's `_key` and `_hash`."""
    return frame.with_columns(keys(frame, key), row_hashes(frame, types))


def row_hashes(frame: pl.DataFrame, types: dict[str, str]) -> pl.Series:
    """The 32 bytes of each row's hash, named `_hash`."""
    check_types(frame, types)
    pieces: list[Piece] = []
    comma = b""
    for name in sorted(types):  # the order of code points is the order of UTF-8 bytes
        values = text_values(canonical(frame[name]))
        if values.null_count:
            written = valid_rows(values).astype(np.int64)
            commas = ragged_values(np.full(int(written.sum()), ord(","), np.uint8), starts_of(written))
            pieces += [comma, length_headers(f"{name}=".encode(), values), values, commas]
            comma = b""
        else:
            pieces += [length_headers(comma + f"{name}=".encode(), values), values]
            comma = b","
    return digests(pl.Series("_hash", join([*pieces, comma]), dtype=pl.Binary))
