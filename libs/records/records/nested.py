"""Nested values: texts of JSON in their canonical form (RFC 8785), or the fault that a text has."""

import re

import polars as pl

from records.json.faults import JsonFault
from records.json.text import canonical_json, read_value

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def canonical_texts(text: pl.Series) -> pl.Series:
    """The canonical text of each value; null for what is no JSON that can be kept exactly."""
    return pl.Series(text.name, map(_text_or_none, text), dtype=pl.String)


def nested_fault(text: str) -> JsonFault:
    """Why a text is no value that can be kept."""
    try:
        canonical_text(text)
    except JsonFault as fault:
        return fault
    raise ValueError("the text has no fault")


def canonical_text(text: str) -> str:
    """The canonical text; JsonFault where the text is no JSON, or says what PostgreSQL cannot work with."""
    found = canonical_json(read_value(text.encode()))
    if "\\u0000" in found and _NUL.search(found):
        raise JsonFault("nul", "the character U+0000 inside a string")
    return found


def _text_or_none(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return canonical_text(text)
    except JsonFault:
        return None
