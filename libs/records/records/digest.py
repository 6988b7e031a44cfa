"""SHA-256 of whole columns."""

import binascii

import numpy as np
import polars as pl
import polars_hash

from records.pieces import block_values, data_of, offsets_of, text_values

DIGEST_BYTES = 32


def digests(values: pl.Series) -> pl.Series:
    """SHA-256 of each value's bytes, as 32 bytes."""
    written = text_values(hex_digests(values))
    ends = offsets_of(written)
    packed = binascii.unhexlify(data_of(written)[ends[0] : ends[-1]].data)
    block = np.frombuffer(packed, np.uint8).reshape(len(values), DIGEST_BYTES)
    return pl.Series(values.name, block_values(block), dtype=pl.Binary)


def hex_digests(values: pl.Series) -> pl.Series:
    """SHA-256 of each value's bytes, as 64 hex digits."""
    return values.to_frame("value").select(polars_hash.col("value").chash.sha2_256()).to_series().rename(values.name)
