"""The key of a row: its key columns as one text, injective (design.md 13); of a row without any, place or content."""

from uuid import UUID

import polars as pl

from records.columns import canonical
from records.digest import hex_digests

MAX_KEY_BYTES = 512
DIGEST_START = "sha256:"
SPECIAL = r"[\\|\x00-\x1f\x7f]"
CONTENT_START = "row:"
ESCAPES = {"\\": "\\\\", "|": "\\|"} | {chr(code): f"\\x{code:02x}" for code in (*range(0x20), 0x7F)}


def keys(frame: pl.DataFrame, key: tuple[str, ...]) -> pl.Series:
    """The text that identifies each row, named `_key`; raises ValueError where a part of a key is null."""
    parts = [_escaped(frame[name]) for name in key]
    for name, part in zip(key, parts, strict=True):
        if part.null_count():
            raise ValueError(f"key column {name} is null in {part.null_count()} rows")
    joined = _joined(parts).rename("_key")
    joined_text = pl.col("_key").str
    is_digested = (joined_text.len_bytes() > MAX_KEY_BYTES) | joined_text.starts_with(DIGEST_START)
    digested = joined.to_frame().select(is_digested).to_series()
    if not digested.any():
        return joined
    return joined.zip_with(~digested, DIGEST_START + hex_digests(joined))


def line_keys(lines: pl.Series, file_id: UUID) -> pl.Series:
    """`<file id>|<line>` of each row, named `_key`: a row is what one line of one file says; raises for no line."""
    if lines.null_count():
        raise ValueError(f"{lines.null_count()} rows have no line")
    return (f"{file_id}|" + lines.cast(pl.String)).rename("_key")


def content_keys(hashes: pl.Series) -> pl.Series:
    """`row:<hash>` of each row, named `_key`: rows of the same content are one record; raises for no hash."""
    if hashes.null_count():
        raise ValueError(f"{hashes.null_count()} rows have no hash")
    return (CONTENT_START + hashes.bin.encode("hex")).rename("_key")


def _joined(parts: list[pl.Series]) -> pl.Series:
    if len(parts) == 1:
        return parts[0]
    return pl.select(pl.concat_str(parts, separator="|")).to_series()


def _escaped(values: pl.Series) -> pl.Series:
    """The canonical texts with separators, escapes and control characters written as escapes."""
    part = canonical(values)
    if values.dtype != pl.String:
        return part
    if not part.str.contains(SPECIAL).any():  # one look at all is cheaper than a replacement
        return part
    return part.str.replace_many(ESCAPES)
