"""How people name a file: `acme/orders#12`, an object key, an id or its beginning."""

import re
from typing import TYPE_CHECKING, Any

from waybill.output import Refusal

if TYPE_CHECKING:
    from asyncpg import Record

    from waybill.stores import Stores

# As the contracts have them; a dataset is checked before anything heavy is imported.
DATASET = re.compile(r"([a-z][a-z0-9-]{0,30})/([a-z][a-z0-9_]{0,40})")
NUMBERED = re.compile(rf"({DATASET.pattern})#([0-9]{{1,18}})")
ID_START = re.compile(r"[0-9a-f]{4}[0-9a-f-]{0,32}")


async def find_file(stores: "Stores", reference: str) -> "Record":
    """The one file that is meant; refuses a reference that fits none or several."""
    rows = await _candidates(stores, reference)
    if not rows:
        raise Refusal(f"no file is called {reference!r}; see: waybill file list")
    if len(rows) > 1:
        several = ", ".join(f"{name_of(row)} is {row['file_id']}" for row in rows[:5])
        more = f" and more than {len(rows[:5])} others" if len(rows) > 5 else ""
        raise Refusal(f"{reference!r} is the beginning of several ids ({several}{more}); write more of it")
    return rows[0]


async def _candidates(stores: "Stores", reference: str) -> "list[Record]":
    numbered = NUMBERED.fullmatch(reference)
    if numbered:
        query = "SELECT * FROM files WHERE dataset = $1 AND arrival = $2"
        found = await stores.registry(query, numbered[1], int(numbered[4]))
    elif ID_START.fullmatch(reference):
        query = "SELECT * FROM files WHERE starts_with(file_id::text, $1) ORDER BY found_order DESC LIMIT 6"
        found = await stores.registry(query, reference)
    else:
        found = []
    newest = "SELECT * FROM files WHERE key = $1 AND removes IS NULL ORDER BY found_order DESC LIMIT 1"
    return found or await stores.registry(newest, reference.replace("\0", ""))


def name_of(file: Any) -> str:
    """`acme/orders#12`; the object key of a file that has no dataset."""
    return f"{file['dataset']}#{file['arrival']}" if file["arrival"] else str(file["key"])


def split_dataset(dataset: str) -> tuple[str, str]:
    """Organisation and table of `acme/orders`."""
    match = DATASET.fullmatch(dataset)
    if not match:
        raise Refusal(f"{dataset!r} is not a dataset; expected organisation/table in lower case, as acme/orders")
    return match[1], match[2]
