"""A dataset as its people use it: files go in, and at the end the stores are held against the oracle."""

import json
from collections.abc import Mapping
from typing import Any, Literal

import checker
from asyncpg import Record
from installation import Installation, declaration_yaml, new_dataset, until
from meaning import Meaning
from oracle import Oracle
from waybill_contracts import DecisionRequested

COLUMNS = {"id": "{type: integer, required: true}", "name": "{type: text}", "amount": '{type: "decimal(8,2)"}'}
ORACLE_COLUMNS = {"id": ("integer", True), "name": ("text", False), "amount": ("decimal(8,2)", False)}
HEADER = b"id,name,amount\n"
ORDERS = Meaning(("id",), ORACLE_COLUMNS)


class Dataset:
    """Remembers what was delivered; the registry's order of arrival is the order the oracle is told."""

    def __init__(self, installation: Installation, name: str, meaning: Meaning = ORDERS) -> None:
        self.installation = installation
        self.name = name
        self.oracle = Oracle(**vars(meaning))
        self.contents: dict[str, bytes | dict[str, bytes] | None] = {}
        self.part_count = 0
        self.removed: set[str] = set()

    @classmethod
    async def declared(
        cls, installation: Installation, organisation: str = "acme", meaning: Meaning = ORDERS
    ) -> "Dataset":
        """A new one, with the columns id, name and amount unless it means something else."""
        made = cls(installation, new_dataset(organisation), meaning)
        await installation.apply(made.yaml())
        return made

    def yaml(self, columns: Mapping[str, str] | None = None, **more: object) -> str:
        """Its declaration, as the oracle has it; or with other columns, or more fields."""
        meaning = self.oracle.meaning
        return declaration_yaml(self.name, meaning.key, columns or declared_columns(meaning), **fields(meaning) | more)

    async def mean(self, meaning: Meaning) -> None:
        """From now on its files mean this."""
        self.oracle.meaning = meaning
        await self.installation.apply(self.yaml())

    async def drop(self, content: bytes, name: str | None = None) -> str:
        """Put a file into the bucket; its version id."""
        key = f"{self.name}/{name or f'file {len(self.contents):04}.csv'}"
        version = await self.installation.put(key, content)
        self.contents[version] = content
        return version

    async def drop_delivery(self, parts: Mapping[str, bytes], marker: str) -> None:
        """Put several files into the bucket, by their names below the dataset, and then their marker."""
        for name, content in parts.items():
            await self.installation.put(f"{self.name}/{name}", content)
        self.part_count += len(parts)
        version = await self.installation.put(f"{self.name}/{marker}", b"")
        self.contents[version] = dict(parts)

    async def remove(self, name: str) -> None:
        """Delete an object that is known, by its name below the dataset."""
        await self.installation.s3.delete_object(Bucket=self.installation.bucket, Key=f"{self.name}/{name}")
        self.removed.add(name)

    async def deliver(self, *contents: bytes) -> list[Record]:
        """Drop files one after the other, each once the one before has come to its end."""
        files: list[Record] = []
        for content in contents:
            await self.drop(content)
            files = await self.settle()
        return files

    async def settle(self, seconds: float = 60) -> list[Record]:
        """The dataset's files once all that were dropped have come to an end, or wait for a decision."""
        count = len(self.contents) + (len(self.removed) if self.oracle.meaning.object_removed == "delete" else 0)

        async def have_arrived() -> bool:
            return sum(file["arrival"] is not None for file in await self.installation.files(self.name)) == count

        await until(have_arrived, seconds, f"{self.name} has not {count} arrivals", pause=0.2)
        files = await self.installation.settled(self.name, count + self.part_count, seconds)
        return files[:count]

    async def tell_oracle(self, seconds: float = 60) -> list[Record]:
        """Settle, and tell the oracle of the files it does not know yet."""
        files = await self.settle(seconds)
        for file in files[len(self.oracle.states) :]:
            name = file["key"].removeprefix(f"{self.name}/")
            if file["removes"]:
                self.oracle.remove(name, str(file["file_id"]))
            else:
                self.oracle.take(self.contents[file["version_id"]], name, str(file["file_id"]))
        return files

    async def release(
        self, arrival: int, renames: Mapping[str, str] | None = None, accept_columns: bool = False
    ) -> None:
        """Decide that a file which is held is right; the oracle hears of it."""
        await self._decide(arrival, "release", renames=dict(renames or {}), accept_columns=accept_columns)
        self.oracle.release(arrival, dict(renames or {}), accept_columns)

    async def refuse(self, arrival: int) -> None:
        """Decide that a file which is held is wrong; the oracle hears of it."""
        await self._decide(arrival, "refuse")
        self.oracle.refuse(arrival)

    async def _decide(self, arrival: int, decision: Literal["release", "refuse"], **more: Any) -> None:
        files = await self.tell_oracle()
        assert [file["state"] for file in files] == self.oracle.states, self.name
        before = files[arrival - 1]
        organisation, table = self.name.split("/")
        request = DecisionRequested(
            organisation=organisation,
            table=table,
            file_id=before["file_id"],
            attempt=before["attempt"],
            decision=decision,
            user="test",
            **more,
        )
        await self.installation.publish(request)

        async def is_decided() -> bool:
            file = (await self.installation.files(self.name))[arrival - 1]
            return file["state"] == "REFUSED" if decision == "refuse" else file["registration"] > before["registration"]

        await until(is_decided, 60, f"{self.name}#{arrival}: {decision} had no effect")

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
        files = await self.tell_oracle(seconds)
        await checker.check(self.installation, self.name, self.oracle)
        return files

    async def digest(self) -> str:
        """A fingerprint of all that the stores hold of it."""
        return await checker.digest(self.installation, self.name)


def rows(*lines: str, header: bytes = HEADER) -> bytes:
    """A file of the columns id, name and amount."""
    return header + "".join(f"{line}\n" for line in lines).encode()


def declared_columns(meaning: Meaning) -> dict[str, str]:
    """The columns as a declaration has them."""
    columns: dict[str, dict[str, Any]] = {name: {"type": kind} for name, (kind, _) in meaning.columns.items()}
    for name, column in columns.items():
        column |= {"required": True} if meaning.columns[name][1] else {}
        column |= {"optional": True} if name in meaning.optional else {}
        aliases = [alias for alias, meant in meaning.aliases.items() if meant == name]
        column |= {"aliases": aliases} if aliases else {}
    return {name: json.dumps(column) for name, column in columns.items()}


def fields(meaning: Meaning) -> dict[str, object]:
    """All else that a declaration says."""
    order_by = {"file_name": meaning.order_name, "column": meaning.order_column}
    partition = {"path": "part" if meaning.partition_path else None, "column": meaning.partition_column}
    path = "{organisation}/{table}/{part}/"
    files = [f"{path}{{day}}/*.csv"] if meaning.in_parts else [f"{path}**"] if meaning.partition_path else None
    said: dict[str, object] = {
        "mode": meaning.mode,
        "files": files,
        "group": {"marker": f"{path}{{day}}/_{{order}}.done"} if meaning.in_parts else None,
        "deduplicate": meaning.deduplicate,
        "order_by": {name: each for name, each in order_by.items() if each},
        "partition": {name: each for name, each in partition.items() if each},
        "late": meaning.late,
        "object_removed": meaning.object_removed if meaning.object_removed != "keep" else None,
    }
    guards = {name: getattr(meaning, name) for name in ("max_reject_share", "max_delete_share")}
    return {name: each for name, each in said.items() if each} | {
        "duplicates": meaning.duplicates,
        "other_columns": meaning.other_columns,
        "guards": guards | {"min_rows_for_shares": meaning.min_rows},
    }
