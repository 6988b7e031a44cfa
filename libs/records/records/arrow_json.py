"""Nested values of Arrow as canonical JSON: each value in them is what its text is, numbers and booleans as such."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from records.arrow_texts import Texts, Values, instant_texts, texts_of, wrapped_instants
from records.json.faults import JsonFault
from records.json.text import Number, canonical_json
from records.rejects import faults

Read: TypeAlias = tuple[list[Any], list[pl.DataFrame]]
"""As `canonical_json` takes them, and the faults of those that have any."""


def column_texts(name: str, values: Values, field: Any) -> Texts:
    """Texts of any column that a Parquet file has."""
    if b"int96" in (field.metadata or {}):
        return _as_moments(instant_texts(name, wrapped_instants(values)))
    if pa.types.is_nested(values.type):
        return _nested_texts(name, values)
    made = texts_of(name, values)
    return _as_moments(made) if pa.types.is_date(values.type) or pa.types.is_timestamp(values.type) else made


def _as_moments(made: Texts) -> Texts:
    return replace(made, moments=made.texts.is_not_null())


def _nested_texts(name: str, values: Values) -> Texts:
    read, found = _values(name, values)
    known = {row for fault in found for row in fault["row"]}
    texts, wrong = [], []
    for row, value in enumerate(read):
        try:
            texts.append(_shown(value) if row in known else None if value is None else canonical_json(value))
        except JsonFault as fault:
            texts.append(_shown(value))
            wrong.append((row, fault.code, f"{name}: {fault.what}"))
    if wrong:
        rows, codes, reasons = (pl.Series(part) for part in zip(*wrong, strict=True))
        found = [*found, faults(rows, codes, reasons, name)]
    return Texts(pl.Series(texts, dtype=pl.String), True, found)


def _shown(value: Any) -> str:
    """A value that is refused, its numbers as texts."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _values(name: str, values: Values) -> Read:
    types = pa.types
    if types.is_map(values.type):
        return _maps(name, values)
    if types.is_struct(values.type):
        return _structs(name, values)
    return _lists(name, values) if types.is_nested(values.type) else _leaves(name, values)


def _leaves(name: str, values: Values) -> Read:
    made = texts_of(name, values)
    if pa.types.is_boolean(values.type):
        return values.to_pylist(), made.found
    texts = made.texts.to_list()
    if made.is_literal:
        texts = [text if text is None else Number(text) for text in texts]
    return texts, made.found


def _structs(name: str, values: Values) -> Read:
    keys = [field.name for field in values.type]
    parts = [_values(name, part) for part in values.flatten()]
    rows = zip(*(part for part, _ in parts), strict=True) if parts else [()] * len(values)
    made = [
        dict(zip(keys, row, strict=True)) if valid else None
        for row, valid in zip(rows, values.is_valid().to_pylist(), strict=True)
    ]
    return made, [fault for _, found in parts for fault in found]


def _lists(name: str, values: Values) -> Read:
    items, found = _values(name, pc.list_flatten(values))
    sizes = pc.list_value_length(values).to_pylist()
    return list(_cut(items, sizes)), _raised(found, sizes)


def _maps(name: str, values: Values) -> Read:
    """Objects; a key is its text, and one that appears twice is a fault, as it is in JSON."""
    offsets = values.offsets.to_numpy()
    start, end = int(offsets[0]), int(offsets[-1])
    keys, wrong_keys = _values(name, values.keys[start:end])
    items, wrong_items = _values(name, values.items[start:end])
    sizes = [
        size if valid else None
        for size, valid in zip(np.diff(offsets).tolist(), values.is_valid().to_pylist(), strict=True)
    ]
    pairs = list(_cut(list(zip(map(_key, keys), items, strict=True)), sizes))
    made: list[Any] = [None if each is None else dict(each) for each in pairs]
    doubled = [row for row, each in enumerate(pairs) if each and len(made[row]) < len(each)]
    for row in doubled:
        made[row] = pairs[row]
    found = _raised([*wrong_keys, *wrong_items], sizes)
    if doubled:
        found.append(faults(pl.Series(doubled), "doubled_key", f"{name}: a key of a map appears again", name))
    return made, found


def _key(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _cut(items: list[Any], sizes: list[int | None]) -> Iterator[list[Any] | None]:
    """As many items as each value has; None where it is null."""
    start = 0
    for size in sizes:
        yield None if size is None else items[start : start + size]
        start += size or 0


def _raised(found: list[pl.DataFrame], sizes: list[int | None]) -> list[pl.DataFrame]:
    """Faults of items as faults of what holds them, one of each kind."""
    holders = pl.Series(np.repeat(np.arange(len(sizes)), [size or 0 for size in sizes]))
    return [
        fault.with_columns(holders.gather(fault["row"]).cast(pl.Int64).alias("row")).unique(
            ["row", "code"], keep="first", maintain_order=True
        )
        for fault in found
    ]
