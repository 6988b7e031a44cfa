"""Corrections: rejected rows that are sent again, under a key that says which file's they are."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

FOLDER = "_corrections"
PARTS = 5
"""Organisation, table, folder, file id, name."""
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_correction(key: str) -> bool:
    """Whether the key is meant for a correction."""
    return key.split("/")[2:3] == [FOLDER]


def corrected_file(key: str) -> UUID | None:
    """The file that such a key names; None where it is not written as corrections are."""
    parts = key.split("/")
    return UUID(parts[3]) if len(parts) == PARTS and _ID.fullmatch(parts[3]) else None


def prefix(file: Mapping[str, Any]) -> str:
    """Under which corrected rows of the file are dropped."""
    return f"{file['organisation']}/{file['table_name']}/{FOLDER}/{file['file_id']}/"
