"""The bucket: files come from it, rejects and repairs go to its neighbour."""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError
from records.errors import FileFault

CHUNK_BYTES = 1 << 20
_GONE = {"NoSuchKey", "NoSuchVersion", "MethodNotAllowed", "404"}
"""MethodNotAllowed: the version is a delete marker."""


class TruncatedObject(Exception):
    """The object ended before its size, or went on after it; reading it again may help."""


class Bucket:
    """The object store, as far as the ingestor needs it."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    @classmethod
    @asynccontextmanager
    async def open(cls, endpoint_url: str | None, bucket: str) -> AsyncIterator["Bucket"]:
        """A client with deadlines; credentials come from the standard AWS_ variables."""
        config = AioConfig(
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 2, "mode": "standard"},
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        region = os.environ.get("AWS_REGION", "us-east-1")
        async with get_session().create_client(
            "s3", endpoint_url=endpoint_url, region_name=region, config=config
        ) as client:
            yield cls(client, bucket)

    async def fetch(self, bucket: str, key: str, version_id: str, target: Path) -> tuple[int, str]:
        """Copy this version of the object to a local file; its size and SHA-256."""
        try:
            reply = await self._client.get_object(Bucket=bucket, Key=key, VersionId=version_id)
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                raise FileFault("object_gone", "the object's version is no longer in the bucket") from error
            raise
        digest, size = hashlib.sha256(), 0
        with target.open("wb") as file:
            async for chunk in reply["Body"].iter_chunks(CHUNK_BYTES):
                digest.update(chunk)
                size += file.write(chunk)
        if size != reply["ContentLength"]:
            raise TruncatedObject(f"{size} of {reply['ContentLength']} bytes arrived")
        return size, digest.hexdigest()

    async def put_rows(self, bucket: str, key: str, source: Path) -> None:
        """Upload rejects, or repairs, to the output bucket of the file's bucket; an attempt writes the same again."""
        with source.open("rb") as file:
            await self._client.put_object(Bucket=f"{bucket}-out", Key=key, Body=file, ContentType="text/csv")

    async def ping(self) -> None:
        """Raises where the bucket cannot be reached."""
        await self._client.head_bucket(Bucket=self._bucket)
