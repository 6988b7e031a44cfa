"""The checksum of a batch: a sum over its versions, so their order does not matter (design.md 13)."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from records.digest import digests
from records.headers import length_headers
from records.pieces import data_of, join, text_values

MODULUS = 1 << 128


def version_checksums(frame: pl.DataFrame) -> int:
    """The sum modulo 2^128 over `_key`, `_version`, `_change` and `_hash` of each version."""
    key, digest = text_values(frame["_key"]), text_values(frame["_hash"].bin.encode("hex"))
    version, change = (text_values(frame[name].cast(pl.String)) for name in ("_version", "_change"))
    texts = join([length_headers(b"", key), key, b",", version, b",", change, b",", digest])
    digested = data_of(text_values(digests(pl.Series(texts, dtype=pl.Binary))))
    words = digested.view(">u4").reshape(-1, 8)[:, :4].sum(axis=0, dtype=np.uint64)
    return sum(int(word) << (96 - 32 * place) for place, word in enumerate(words)) % MODULUS


def format_checksum(total: int) -> str:
    """A sum as 32 hex digits."""
    return f"{total % MODULUS:032x}"


def add_checksums(checksums: Iterable[str]) -> str:
    """The checksum of several batches together."""
    return format_checksum(sum(int(checksum, 16) for checksum in checksums))
