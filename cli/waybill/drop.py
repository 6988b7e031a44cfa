"""Files into the bucket, and then how each of them ended."""

import asyncio
import time
from email.header import Header
from pathlib import Path

from asyncpg import Record

from waybill import output
from waybill.environment import CliSettings
from waybill.output import Refusal
from waybill.stores import open_bucket, open_stores

STOPPED = ("LOADED", "SKIPPED", "FAILED", "REFUSED", "IGNORED", "HELD")
"""At an end, or waiting for a person."""
WAIT_SECONDS = 600.0
Version = tuple[str, str]  # object key and version id


async def put_files(using: CliSettings, paths: list[Path], dataset: str, who: tuple[str, str | None]) -> list[Version]:
    """Put each file under its own name, telling progress."""
    assert using.s3
    user, reason = who
    metadata = {"waybill-user": _header(user)} | ({"waybill-reason": _header(reason)} if reason else {})
    versions = []
    async with open_bucket(using) as bucket:
        with output.progress() as progress:
            for path in progress.track(paths, description="sending"):
                key = f"{dataset}/{_name(path)}"
                with path.open("rb") as body:
                    reply = await bucket.put_object(Bucket=using.s3.bucket, Key=key, Body=body, Metadata=metadata)
                versions.append((key, reply.get("VersionId", "null")))
    return versions


def _name(path: Path) -> str:
    try:
        return path.name.encode().decode()
    except UnicodeEncodeError:
        raise Refusal(f"the name {path.name!r} is not UTF-8, so no object can have it; rename the file") from None


def _header(value: str) -> str:
    # S3 metadata is ASCII; other characters go as RFC 2047 words, which every S3 client knows.
    if value.isascii() and value.isprintable():
        return value
    return Header(" ".join(value.split()), "utf-8", maxlinelen=10_000).encode()


async def wait_for_versions(
    using: CliSettings, versions: list[Version], after_attempt: int = -1, seconds: float = WAIT_SECONDS
) -> list[Record]:
    """The registry's rows of these object versions, once all have come to an end in an attempt after the given one."""
    keys, ids = [key for key, _ in versions], [version for _, version in versions]
    query = """
        SELECT f.*, EXISTS (
            SELECT FROM open_deliveries o WHERE o.file_id = f.file_id AND missing IS NULL
        ) AS is_looked_up FROM files f JOIN unnest($1::text[], $2::text[]) AS v (key, id) ON f.key = v.key
        WHERE version_id = v.id ORDER BY found_order"""
    end = time.monotonic() + seconds
    async with open_stores(using) as stores:
        with output.progress() as progress:
            task = progress.add_task("waiting for the waybills", total=len(versions))
            while True:
                files = await stores.registry(query, keys, ids)
                done = sum(
                    file["state"] in STOPPED and file["attempt"] > after_attempt and not file["is_looked_up"]
                    for file in files
                )
                progress.update(task, completed=done)
                if done == len(versions):
                    return files
                if time.monotonic() > end:
                    raise Refusal(f"after {seconds:.0f} s {len(versions) - done} files are in work: waybill status")
                await asyncio.sleep(0.1)
