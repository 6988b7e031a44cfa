"""A dataset as its people use it: files go in, and at the end the stores are held against the oracle."""

from collections.abc import Mapping

import checker
from asyncpg import Record
from installation import Installation, declaration_yaml, new_dataset, until
from oracle import Oracle

COLUMNS = {"id": "{type: integer, required: true}", "name": "{type: text}", "amount": '{type: "decimal(8,2)"}'}
ORACLE_COLUMNS = {"id": ("integer", True), "name": ("text", False), "amount": ("decimal(8,2)", False)}
HEADER = b"id,name,amount\n"


class Dataset:
    """Remembers what was delivered; the registry's order of arrival is the order the oracle is told."""

    def __init__(self, installation: Installation, name: str) -> None:
        self.installation = installation
        self.name = name
        self.oracle = Oracle(("id",), ORACLE_COLUMNS)
        self.contents: dict[str, bytes | None] = {}

    @classmethod
    async def declared(cls, installation: Installation, organisation: str = "acme") -> "Dataset":
        """A new one with the columns id, name and amount."""
        made = cls(installation, new_dataset(organisation))
        await installation.apply(made.yaml())
        return made

    def yaml(self, columns: Mapping[str, str] = COLUMNS, **more: object) -> str:
        """Its declaration."""
        return declaration_yaml(self.name, ["id"], columns, **more)

    async def drop(self, content: bytes, name: str | None = None) -> str:
        """Put a file into the bucket; its version id."""
        key = f"{self.name}/{name or f'file {len(self.contents):04}.csv'}"
        version = await self.installation.put(key, content)
        self.contents[version] = content
        return version

    async def deliver(self, *contents: bytes) -> list[Record]:
        """Drop files one after the other, each once the one before has come to its end."""
        files: list[Record] = []
        for content in contents:
            await self.drop(content)
            files = await self.settle()
        return files

    async def settle(self, seconds: float = 60) -> list[Record]:
        """The dataset's files once all that were dropped have come to an end."""
        return await self.installation.settled(self.name, len(self.contents), seconds)

    async def until_registered(self, count: int) -> None:
        """So many of its files are known."""

        async def are_registered() -> bool:
            return len(await self.installation.files(self.name)) == count

        await until(are_registered, 60, f"{self.name} has not {count} files")

    async def until_ingested(self, count: int) -> None:
        """So many of its files are known, and all of them have a position."""

        async def are_ingested() -> bool:
            files = await self.installation.files(self.name)
            return len(files) == count and all(file["position"] for file in files)

        await until(are_ingested, 60, f"{self.name} has not {count} files with a position")

    async def ingest_job(self, arrival: int) -> Record:
        """What the ingestor is at with the file."""
        query = "SELECT * FROM jobs WHERE kind = 'ingest' AND lane = $1 AND seq = $2"
        (job,) = await self.installation.rows("ingestor", query, self.name, arrival)
        return job

    async def check(self, seconds: float = 60) -> list[Record]:
        """All that was dropped stands in the stores as the oracle says."""
        files = await self.settle(seconds)
        for file in files[len(self.oracle.states) :]:
            self.oracle.take(self.contents[file["version_id"]])
        await checker.check(self.installation, self.name, self.oracle)
        return files

    async def digest(self) -> str:
        """A fingerprint of all that the stores hold of it."""
        return await checker.digest(self.installation, self.name)


def rows(*lines: str) -> bytes:
    """A file of the columns id, name and amount."""
    return HEADER + "".join(f"{line}\n" for line in lines).encode()
