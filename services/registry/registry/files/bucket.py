"""The bucket: what lies in it, who sent it, and the waybills beside it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from os.path import commonprefix
from typing import Any, TypeVar
from uuid import UUID

import structlog
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError
from chassis import NotNow

from registry.domain.arrivals import ObjectVersion, Sender
from registry.domain.listing import Change, Page, Presence, by_folder
from registry.domain.removals import confirmed
from registry.domain.senders import read_sender

IN_FLIGHT = 16
NOTIFIED = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
SHOWN_PER_KEY = 10
"""Entries for each key that is wanted up to which one listing of many keys is cheaper than one for each."""
NO_VERSION = (400, 404, 405)
"""What a store answers of a version that cannot be, is not there, or is a delete marker."""

log = structlog.get_logger()
T = TypeVar("T")
R = TypeVar("R")


class Files:
    """A versioned bucket and its output bucket, one of those in `all`; `each` keeps at most 16 requests in flight."""

    def __init__(self, client: Any, bucket: str, *others: str) -> None:
        self.client = client
        self.bucket = bucket
        self.output_bucket = f"{bucket}-out"
        self._places = asyncio.Semaphore(IN_FLIGHT)
        self.all = {bucket: self}
        self.all |= {other: self.beside(other) for other in others}

    def beside(self, bucket: str) -> "Files":
        """Another bucket of the same store."""
        other = copy(self)
        other.bucket, other.output_bucket = bucket, f"{bucket}-out"
        return other

    @classmethod
    @asynccontextmanager
    async def open(cls, endpoint_url: str | None, *buckets: str) -> AsyncIterator["Files"]:
        """A client with the standard AWS_ credentials."""
        config = AioConfig(
            connect_timeout=5,
            read_timeout=30,
            max_pool_connections=IN_FLIGHT,
            retries={"mode": "standard", "max_attempts": 2},
            s3={"addressing_style": "path"},
            # Several servers refuse the trailing checksums that botocore sends otherwise.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        session = get_session()
        region = session.get_config_variable("region") or "us-east-1"
        async with session.create_client("s3", endpoint_url=endpoint_url, region_name=region, config=config) as client:
            yield cls(client, *buckets)

    async def ping(self) -> None:
        """Raises where one of the buckets cannot be reached."""
        for bucket in self.all:
            await self.client.head_bucket(Bucket=bucket)

    async def each(self, act: Callable[[T], Awaitable[R]], things: Iterable[T]) -> list[R]:
        """The results of acting on each thing, in their order, several at a time."""

        async def take_place(thing: T) -> R:
            async with self._places:
                return await act(thing)

        return list(await asyncio.gather(*(take_place(thing) for thing in things)))

    async def list_versions(self, key: str) -> list[ObjectVersion]:
        """Versions of this key, oldest first; none for a key that the store refuses."""
        found: list[ObjectVersion] = []
        try:
            async for entries in self._listing(Prefix=key):
                # A prefix listing also returns longer keys, all of them after this one.
                found += [_version(self.bucket, entry) for entry in entries if entry["Key"] == key and "Size" in entry]
                if any(entry["Key"] != key for entry in entries):
                    break
        except ClientError as error:
            if _status(error) != 400:
                raise
            log.warning("the store refuses a key that was named to it", key=key, error=str(error))
        return found[::-1]

    async def find_versions(self, named: Mapping[str, Collection[str]]) -> list[ObjectVersion]:
        """Versions of these keys, oldest first for each, with those that are named and there but not listed.

        MinIO lists no key that lies below another one (`a/b` where `a` is an object too).
        """
        listed = await self._list_all(named)
        shown = {(version.key, version.version_id) for version in listed}
        hidden = [(key, id) for key, ids in named.items() for id in sorted(ids) if (key, id) not in shown]
        heads = await self.each(lambda name: self._head(*name, NO_VERSION), hidden)
        return listed + [
            _headed_version((self.bucket, *name), head) for name, head in zip(hidden, heads, strict=True) if head
        ]

    async def _list_all(self, keys: Iterable[str]) -> list[ObjectVersion]:
        groups = by_folder(keys)
        together = await self.each(self._list_together, groups)
        apart = [key for group, found in zip(groups, together, strict=True) if found is None for key in group]
        found = [*filter(None, together), *await self.each(self.list_versions, apart)]
        return [version for versions in found for version in versions]

    async def _list_together(self, keys: Sequence[str]) -> list[ObjectVersion] | None:
        """Versions of keys of one folder, by one request; None where each key has to be listed by itself."""
        if len(keys) == 1:
            return None
        wanted = set(keys)
        beginning = commonprefix(keys)  # noqa: RUF071 - listings go by characters, not by folders
        try:
            answer = await self.client.list_object_versions(
                Bucket=self.bucket, Prefix=beginning, MaxKeys=SHOWN_PER_KEY * len(keys)
            )
        except ClientError as error:
            if _status(error) != 400:
                raise
            return None
        if answer.get("IsTruncated", True):
            return None
        return [
            _version(self.bucket, entry) for entry in reversed(answer.get("Versions", [])) if entry["Key"] in wanted
        ]

    async def pages(self) -> AsyncIterator[Page]:
        """The whole listing in key order; a key's entries are never split between pages."""
        held: list[dict[str, Any]] = []
        after = ""
        async for entries in self._listing():
            held += entries
            last = max((entry["Key"] for entry in held), key=str.encode, default="")
            whole = [entry for entry in held if entry["Key"] != last]
            if whole:
                upto = max((entry["Key"] for entry in whole), key=str.encode)
                yield self._page(whole, after, upto)
                held, after = [entry for entry in held if entry["Key"] == last], upto
        yield self._page(held, after, None)

    def _page(self, entries: list[dict[str, Any]], after: str, upto: str | None) -> Page:
        return Page(
            after=after,
            upto=upto,
            versions=tuple(_version(self.bucket, entry) for entry in reversed(entries) if "Size" in entry),
            deleted=frozenset(entry["Key"] for entry in entries if "Size" not in entry and entry["IsLatest"]),
        )

    async def _listing(self, **arguments: str) -> AsyncIterator[list[dict[str, Any]]]:
        """Versions (which have a size), newest first for each key, then delete markers, page by page."""
        pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, **arguments)
        async for answer in pages:
            yield [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]

    async def is_there(self, key: str, version_id: str) -> bool:
        """Whether this version can still be read."""
        return await self._head(key, version_id) is not None

    async def look(self, changes: Sequence[Change]) -> tuple[dict[UUID, Presence], set[str]]:
        """How present these versions are, asked at the objects, and which keys are absent: without newest version."""
        keys = sorted({change.known.key for change in changes if change.listed != "present"})
        heads = await self.each(self._head, keys)
        absent = {key for key, head in zip(keys, heads, strict=True) if head is None}
        there = await self.each(lambda change: self.is_there(change.known.key, change.known.version_id), changes)
        readable = {change.known.file_id for change, is_so in zip(changes, there, strict=True) if is_so}
        return confirmed(changes, readable, absent), absent

    async def find_sender(self, version: ObjectVersion) -> Sender:
        """Who sent the version, and why, as its metadata says; nobody where it is gone already."""
        answer = await self.beside(version.bucket)._head(version.key, version.version_id)
        return read_sender(answer["Metadata"]) if answer else Sender()

    async def _head(
        self, key: str, version_id: str | None = None, absent: Collection[int] = (404,)
    ) -> dict[str, Any] | None:
        """What is told of this version, or of the newest."""
        named = {"VersionId": version_id} if version_id else {}
        try:
            answer: dict[str, Any] = await self.client.head_object(Bucket=self.bucket, Key=key, **named)
        except ClientError as error:
            if _status(error) in absent:
                return None
            raise
        return answer

    async def put_waybill(self, key: str, body: bytes) -> None:
        """A waybill beside the drops, in place of the one before."""
        await self.client.put_object(
            Bucket=self.output_bucket, Key=key, Body=body, ContentType="application/json; charset=utf-8"
        )

    async def make_buckets(self, target: str) -> None:
        """All buckets, versions of the drops, and notifications of them; what is there already stays."""
        for files in self.all.values():
            await files._make(target)

    async def _make(self, target: str) -> None:
        for bucket in (self.bucket, self.output_bucket):
            if not await self._has_bucket(bucket):
                await self._create_bucket(bucket)
        if not await self._keeps_versions():
            await self.client.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        if not await self._notifies(target):
            rule = {"QueueArn": target, "Events": NOTIFIED}
            await self.client.put_bucket_notification_configuration(
                Bucket=self.bucket, NotificationConfiguration={"QueueConfigurations": [rule]}
            )

    async def check_buckets(self) -> None:
        """Names what is missing; without versions nothing can work, without notifications the sweep finds the drops."""
        for files in self.all.values():
            await files._check()

    async def _check(self) -> None:
        missing = [bucket for bucket in (self.bucket, self.output_bucket) if not await self._has_bucket(bucket)]
        if missing:
            raise NotNow(f"bucket missing: {', '.join(missing)}; create it, or set WAYBILL_MANAGE=true")
        if not await self._keeps_versions():
            raise NotNow(f"versioning of bucket {self.bucket} is off; turn it on, or set WAYBILL_MANAGE=true")
        if not await self._notifies(None):
            log.warning("the bucket has no notification rule: drops are found by the sweep only", bucket=self.bucket)

    async def _has_bucket(self, bucket: str) -> bool:
        try:
            await self.client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if _status(error) == 404:
                return False
            raise
        return True

    async def _create_bucket(self, bucket: str) -> None:
        try:
            await self.client.create_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":  # made by another registry just now
                raise

    async def _keeps_versions(self) -> bool:
        answer = await self.client.get_bucket_versioning(Bucket=self.bucket)
        return bool(answer.get("Status") == "Enabled")

    async def _notifies(self, target: str | None) -> bool:
        """Whether a rule tells the target (None: anybody) of drops; a store without such rules has none."""
        try:
            answer = await self.client.get_bucket_notification_configuration(Bucket=self.bucket)
        except ClientError as error:
            if _status(error) in (404, 405, 501):
                return False
            raise
        rules = [*answer.get("QueueConfigurations", []), *answer.get("TopicConfigurations", [])]
        return any(target is None or rule.get("QueueArn") == target for rule in rules)


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


def _version(bucket: str, entry: dict[str, Any]) -> ObjectVersion:
    return ObjectVersion(
        bucket=bucket,
        key=entry["Key"],
        version_id=entry["VersionId"],
        size=entry["Size"],
        etag=entry["ETag"].strip('"'),
        last_modified=entry["LastModified"],
    )


def _headed_version(name: tuple[str, str, str], head: dict[str, Any]) -> ObjectVersion:
    bucket, key, version_id = name
    return ObjectVersion(
        bucket=bucket,
        key=key,
        version_id=version_id,
        size=head["ContentLength"],
        etag=head["ETag"].strip('"'),
        last_modified=head["LastModified"],
    )
