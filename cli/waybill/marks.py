"""What was mended in the rows that made a record's versions; only their documents in MongoDB say so."""

from collections.abc import Collection

from waybill.references import split_dataset
from waybill.stores import Stores, open_documents

FIELDS = {"version": 1, "position": 1, "prev": 1, "repaired": 1}


async def find_marks(stores: Stores, dataset: str, key: str, positions: Collection[int]) -> dict[int, list[str]]:
    """By version what was mended in its row.

    MongoDB is asked only where a file at one of these positions had such rows.
    """
    facts = await stores.loader(
        "SELECT min(position) AS first FROM facts"
        " WHERE dataset = $1 AND position = ANY ($2) AND jsonb_array_length(event -> 'repairs') > 0",
        dataset,
        list(positions),
    )
    first = facts[0]["first"]
    return {} if first is None else await _follow(stores, dataset, key, first)


async def _follow(stores: Stores, dataset: str, key: str, first: int) -> dict[int, list[str]]:
    """The marks of the record's newest document, of the one before it, and so on, down to this position."""
    from bson import ObjectId

    heads = await stores.ingestor(
        "SELECT record FROM heads JOIN datasets USING (dataset_id) WHERE dataset = $1 AND key = $2", dataset, key
    )
    found: dict[int, list[str]] = {}
    next_id = ObjectId(heads[0]["record"]) if heads else None
    async with open_documents(stores.settings) as database:
        documents = database[stores.settings.names.collection(*split_dataset(dataset))]
        while next_id and (document := await documents.find_one({"_id": next_id}, FIELDS)):
            if marks := document.get("repaired"):
                found[document["version"]] = marks
            next_id = document.get("prev") if document["position"] > first else None
    return found
