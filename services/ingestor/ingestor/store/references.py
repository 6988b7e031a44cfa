"""Whether other datasets have the records that a file refers to."""

from collections.abc import Sequence

from chassis import Pool


async def find_missing(db: Pool, dataset: str, keys: Sequence[str]) -> list[str]:
    """Those of the keys that are no live record of the dataset; all of them where there is no such dataset."""
    rows = await db.fetch(
        """
        SELECT wanted.key FROM unnest($2::text[]) AS wanted(key)
        WHERE NOT EXISTS (
            SELECT FROM datasets d JOIN heads h USING (dataset_id)
            WHERE d.dataset = $1 AND h.key = wanted.key AND NOT h.deleted
        )
        """,
        dataset,
        list(keys),
    )
    return [row["key"] for row in rows]
